"""Clocks that jump: set back, set ahead, or asleep for hours. No rate, time left or age is negative or without end."""

from __future__ import annotations

import itertools
import json
import math
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from reid_tui.config import RunConfig
from reid_tui.data.dataset import Dataset
from reid_tui.runs.overview import list_runs
from reid_tui.runs.table import age
from reid_tui.training import events as ev
from reid_tui.training import stopwatch, trainer
from reid_tui.training.event_json import to_json
from reid_tui.training.stopwatch import RATE_STEPS, Stopwatch
from reid_tui.tui.frame import Controls
from reid_tui.view.fold import fold
from reid_tui.view.numbers import number_rows
from reid_tui.view.run_state import RunState
from reid_tui.view.text import duration, rate
from tests.training.rig import Rig
from tests.tui.rig import Script, dashboard

HOURS = 6 * 3600.0
YEAR = 365 * 86_400.0
BAD = re.compile(r"\binf\b|\bnan\b|[-\u2212]\d+(\.\d+)? ?(s|min|h|d|k|pairs)\b")


def clock(*steps: float) -> Callable[[], float]:
    """Moves on by each step in turn, for ever."""
    moves, now = itertools.cycle(steps), [1000.0]

    def read() -> float:
        now[0] += next(moves)
        return now[0]

    return read


def assert_sane(state: RunState) -> None:
    for value in (state.pairs_per_s, state.eta_s):
        assert math.isnan(value) or 0 <= value < math.inf
    assert 0 <= state.wall_s < math.inf
    assert 0 <= state.progress <= 1
    texts = [rate(state.pairs_per_s), duration(state.eta_s), *(row.value for row in number_rows(state))]
    assert not any(BAD.search(text) for text in texts), texts


def test_a_step_that_slept_spoils_the_rate_for_a_while_only() -> None:
    watch = Stopwatch()
    watch.count_step(HOURS, 64)
    assert 0 < watch.pairs_per_s < 1
    for _ in range(RATE_STEPS):
        watch.count_step(0.016, 64)
    assert watch.pairs_per_s == pytest.approx(4000)
    still = Stopwatch()
    still.count_step(0.0, 64)
    assert still.pairs_per_s == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("step_s", [0.0, 5e-324, 0.01, HOURS])
def test_training_by_a_clock_that_sleeps(
    step_s: float, tiny: Dataset, tiny_config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steady = SimpleNamespace(perf_counter=clock(0.001, 0.001, 0.001, step_s), monotonic=clock(0.01, HOURS))
    monkeypatch.setattr(trainer, "time", steady)
    monkeypatch.setattr(stopwatch, "time", steady)
    rig = Rig(tiny_config, tiny, tmp_path)
    rig.run()
    assert isinstance(rig.events[-1], ev.Finished)
    state, walls = RunState(), []
    for event in rig.events:
        state = fold(state, [event])
        assert_sane(state)
        walls.append(state.wall_s)
    assert walls == sorted(walls)


@pytest.mark.parametrize("pairs_per_s", [0.0, -1.0, 5e-324, 1e308, math.inf, math.nan])
def test_no_rate_makes_a_time_left_without_end(pairs_per_s: float) -> None:
    script = Script()
    script.run_started(total_steps=1_000_000_000)
    script.train(2)
    *first, last = script.drain().live
    state = fold(RunState(), [*first, ev.Progress(**{**fields(last), "pairs_per_s": pairs_per_s})])
    assert math.isnan(state.eta_s) or 0 <= state.eta_s < math.inf
    assert not BAD.search(rate(state.pairs_per_s))


def fields(event: ev.AnyEvent) -> dict[str, object]:
    return {name: getattr(event, name) for kind in type(event).__mro__ for name in getattr(kind, "__slots__", ())}


@pytest.mark.slow
async def test_the_screen_while_both_clocks_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = clock(1.0, -YEAR, 2 * YEAR, 0.0, -YEAR)
    monkeypatch.setattr("tests.tui.rig.time", SimpleNamespace(time=wall, monotonic=time.monotonic))
    async with dashboard(size=(200, 60), clock=clock(0.02, HOURS, 0.02, 0.02)) as rig:
        for _ in range(20):
            rig.script.train(7)
            rig.script.evaluate()
            step = rig.script.step
            await rig.until(lambda step=step: f"{step}/4,690" in rig.text)
            assert_sane(rig.app.state)
            assert not BAD.search(rig.text), rig.text
        await rig.press("+")
        await rig.until(
            lambda: (
                "margin 1.05" in rig.panel("distances").value(SimpleNamespace(state=rig.app.state, controls=Controls()))
            )
        )


def test_ages_of_runs_from_the_future(tmp_path: Path) -> None:
    run = tmp_path / "20261112-101500-x"
    run.mkdir()
    (run / "config.json").write_text("{}")
    script = Script()
    script.run_started(run=str(run))
    script.train(3)
    ahead = [json.dumps({**to_json(event), "time": time.time() + YEAR}) for event in script.drain().live]
    (run / "events.jsonl").write_text("\n".join(ahead) + "\n")
    (found,) = list_runs(tmp_path)
    assert (found.step, found.age_s) == (3, 0.0)
    assert age(found.age_s) == "0 s"
    for seconds in (-1.0, -YEAR, math.inf, -math.inf, math.nan):
        assert not BAD.search(duration(seconds))

"""A resume goes on, or says what it takes to go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reid_tui.data.dataset import Dataset
from reid_tui.training import events as ev
from tests.opening.rig import begin, contents


@pytest.fixture(scope="module")
def runs(tiny: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Runs named after the step at which they ended; that of step 24 is finished."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reid_tui.data.catalog.load", lambda *_: tiny)
        for step in (5, 13, 24):
            begin(folder, stop_at=step if step < 24 else None, epochs=3, eval_every=3, name=str(step))
        yield folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ended", "asked", "more"),
    [
        (5, {"steps": 3}, "has come to step 5; give --steps above 5"),
        (5, {"steps": 1, "epochs": 9}, "has come to step 5; give --steps above 5"),
        (13, {"epochs": 1}, "has come to step 13; give --epochs above 1"),
        (13, {"epochs": 1, "steps": 20}, "has come to step 13; give --epochs above 1"),
        (24, {}, "is finished at step 24; give --epochs above 3"),
        (24, {"epochs": 2}, "is finished at step 24; give --epochs above 3"),
        (24, {"epochs": 3}, "is finished at step 24; give --epochs above 3"),
        (24, {"steps": 11}, "is finished at step 24; give --epochs above 3"),
        (24, {"steps": 99}, "is finished at step 24; give --epochs above 3"),
        (24, {"steps": 11, "epochs": 9}, "is finished at step 24; give --steps above 24"),
    ],
)
def test_a_resume_that_would_end_before_it_goes_on(ended: int, asked: dict[str, int], more: str, runs: Path) -> None:
    (run,) = runs.glob(f"*-{ended}")
    before = contents(runs)
    end = begin(runs, resume=str(ended), **asked)[-1]
    assert isinstance(end, ev.Failed)
    assert (end.exit_code, end.message) == (2, f"the run {run.name!r} {more} to train it longer")
    assert contents(runs) == before


@pytest.mark.slow
def test_what_an_alarm_does_may_be_another_with_a_resume(runs: Path) -> None:
    """Nobody can go on after a pause here, which is told once."""
    begin(runs, stop_at=5, eval_every=3, name="alarmed")
    told = begin(runs, resume="alarmed", on_alarm="pause", stop_at=6)
    (start,) = (event for event in told if isinstance(event, ev.RunStarted))
    assert (start.step, start.config.on_alarm) == (5, "pause")
    assert [event.code for event in told if isinstance(event, ev.Warned)] == ["on_alarm"]
    (run,) = runs.glob("*-alarmed")
    assert '"on_alarm": "pause"' in (run / "config.json").read_text()

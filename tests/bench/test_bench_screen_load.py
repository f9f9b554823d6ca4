"""What the dashboard writes and occupies: the counting, and a short day through the real screen."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reid_tui.bench import memory, traffic
from reid_tui.bench.processes import Setup
from reid_tui.bench.simulated_day import STEPS_PER_EPOCH, STEPS_PER_S, TICK_S, Day
from reid_tui.bench.terminal import Chunk, Terminal
from reid_tui.bench.traffic import CASES, kib_by_second
from reid_tui.training import events as ev
from reid_tui.view.fold import fold
from reid_tui.view.run_state import RunState


def setup(folder: Path) -> Setup:
    return Setup(rounds=1, steps=60, data="pedestrians", data_dir=None, folder=folder, talk=lambda line: None)


def test_bytes_by_second() -> None:
    chunks = [Chunk(9.9, b"x" * 999), *(Chunk(10 + at, b"x" * 512) for at in (0.0, 0.5, 2.9, 3.0, 3.6))]
    assert kib_by_second(chunks, 10.0, 3.7) == (1.0, 0.0, 0.5)
    assert kib_by_second(chunks, 10.0, 0.4) == (1.0,)
    assert kib_by_second([], 10.0, 2.0) == (0.0, 0.0)


def test_the_promised_targets_are_measured() -> None:
    assert {(case.columns, case.rows, case.options, case.target_kib_per_s) for case in CASES if not case.variables} == {
        (120, 40, (), 12.0),
        (80, 24, ("--fps", "2"), 3.0),
    }
    assert any(name == "SSH_CONNECTION" for case in CASES for name, _ in case.variables)


def test_a_terminal_is_local_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_TTY", "/dev/pts/9")
    code = "import os; print(sorted(name for name in os.environ if name.startswith('SSH_')))"
    for variables, shown in (({}, b"[]"), ({"SSH_CONNECTION": "x"}, b"['SSH_CONNECTION']")):
        with Terminal((sys.executable, "-c", code), variables=variables) as terminal:
            assert terminal.wait(20) == 0
            assert b"".join(chunk.data for chunk in terminal.chunks).strip() == shown


@pytest.mark.slow
def test_a_day_is_what_a_trainer_tells(tmp_path: Path) -> None:
    day = Day(1, tmp_path / "file")
    assert day.drain() == ([], [])
    day.start()
    state, ticks = RunState(), 0
    while day.alive:
        state = fold(state, day.drain().live)
        ticks += 1
    assert ticks == 3600 // TICK_S
    assert isinstance(state.ended, ev.Finished)
    assert state.step == state.total_steps == 3600 * STEPS_PER_S
    assert len(state.history.evaluations) == 3600 * STEPS_PER_S // (STEPS_PER_EPOCH // 2)
    assert len(state.margin_changes) == 6
    assert state.embeddings is not None
    assert int((tmp_path / "file").read_text()) > 1e6


@pytest.mark.slow
def test_memory_is_measured_on_the_real_screen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "HOURS", 1)
    (result,) = memory.measure_memory(setup(tmp_path))
    (resident,) = result.a.values
    assert 20 < resident < 500
    assert result.met


@pytest.mark.slow
def test_bytes_are_measured_while_training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(traffic, "WINDOW_S", 3.0)
    monkeypatch.setattr(traffic, "CASES", CASES[1:2])
    (result,) = traffic.measure_bytes(setup(tmp_path))
    assert len(result.a.values) == 3
    assert 0.1 < max(result.a.values) < 100
    assert "over the 3 s from the first step on" in result.note

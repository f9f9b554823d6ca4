"""The trainer's thread, with a pretended engine and with the real one."""

from __future__ import annotations

import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reid_tui.config import RunOptions
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.tui.dashboard import ReidTuiApp
from reid_tui.tui.run_log_reader import MOST
from reid_tui.tui.session import WorkerSession
from reid_tui.view.fold import fold
from reid_tui.view.run_state import RunState
from tests.tui.rig import LOOK, until
from tests.view.samples import started


def pretend(monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any]) -> WorkerSession:
    engine = types.ModuleType("reid_tui.engine")
    engine.run_training = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "reid_tui.engine", engine)
    return WorkerSession(RunOptions())


def finish(session: WorkerSession) -> list[ev.AnyEvent]:
    session.start()
    session.join(10)
    assert not session.alive
    return session.drain().live


@pytest.mark.parametrize("error", [RuntimeError("boom\nsecond line"), SystemExit(3), ValueError("")])
def test_whatever_ends_the_thread_is_an_event(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def run(_options: RunOptions, listener: ev.Listener, _inbox: object, **_: bool) -> None:
        listener(ev.Paused(step=7, seq=4))
        raise error

    paused, failed = finish(pretend(monkeypatch, run))
    assert paused == ev.Paused(step=7, seq=4)
    assert isinstance(failed, ev.Failed)
    assert (failed.step, failed.seq, failed.exit_code) == (7, 5, 1)
    assert type(error).__name__ in failed.message
    assert "\n" not in failed.message


def test_an_end_without_a_word_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    (failed,) = finish(pretend(monkeypatch, lambda *_, **__: None))
    assert isinstance(failed, ev.Failed)


def test_an_unnumbered_end_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_options: RunOptions, listener: ev.Listener, _inbox: object, **_: bool) -> None:
        listener(ev.PhaseChanged(step=0, seq=1, phase="loading"))
        listener(ev.Failed(step=0, message="no data", exit_code=2))

    events = finish(pretend(monkeypatch, run))
    assert [type(event) for event in events] == [ev.PhaseChanged, ev.Failed]
    assert events[-1].time > 0


def test_commands_reach_the_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[cmd.Command] = []

    def run(_options: RunOptions, listener: ev.Listener, inbox: Any, **_: bool) -> None:
        got.append(inbox.get().command)
        listener(ev.Stopped(step=0, reason="asked", saved=False))

    session = pretend(monkeypatch, run)
    session.send(cmd.Stop())
    assert isinstance(finish(session)[-1], ev.Stopped)
    assert got == [cmd.Stop()]


def test_what_is_written_meanwhile_comes_bounded_and_before_the_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def run(_options: RunOptions, listener: ev.Listener, _inbox: object, **_: bool) -> None:
        listener(started(run=str(tmp_path)))
        with (tmp_path / "run.log").open("a") as log:
            log.write("2026-11-25 10:15:00,000 INFO a note of our own\nCUDA \x1b[2Jtold\n\n" + "more\n" * 500)
        listener(ev.Failed(step=3, message="no memory"))

    (tmp_path / "run.log").write_text("from before\n")
    events = finish(pretend(monkeypatch, run))
    assert [type(event) for event in events] == [ev.RunStarted, *[ev.Output] * (MOST + 1), ev.Failed]
    lines = [line.text for line in fold(RunState(), events).log if line.kind == "output"]
    assert lines == ["CUDA \ufffd[2Jtold", *["more"] * (MOST - 1), "… and 491 more lines in run.log"]


def test_joining_what_never_began_returns() -> None:
    WorkerSession(RunOptions()).join(1)


@pytest.mark.slow
async def test_the_real_trainer_end_to_end(tmp_path: Any, tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start, pause, turn the margin, go on, save and leave, with torch in the thread."""
    monkeypatch.setattr("reid_tui.data.catalog.load", lambda *_: tiny)
    threads = set(threading.enumerate())
    session = WorkerSession(RunOptions(device="cpu", runs_dir=str(tmp_path), epochs=100_000, batch_size=16))
    app = ReidTuiApp(session, LOOK, fps=50)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(lambda: app.state.badge == "TRAINING" and app.state.step > 3, 60)
        await pilot.press("space")
        await until(lambda: app.state.badge == "PAUSED")
        step = next(line.step for line in reversed(app.state.log) if line.kind == "paused")
        await pilot.press("+", "n")
        await until(lambda: app.state.step == step + 1 and app.state.margin == pytest.approx(1.05))
        await pilot.press("space")
        await until(lambda: app.state.step > step + 5)
        await pilot.press("q", "enter")
        await until(lambda: app.leaving.ended is not None, 30)
    session.join(10)
    assert not session.alive
    assert app.leaving.ended is not None
    assert app.leaving.code == 0
    (run,) = tmp_path.glob("*-tiny")
    assert list(run.glob("checkpoints/*.safetensors"))
    assert '"margin_changed"' in (run / "events.jsonl").read_text()
    assert set(threading.enumerate()) <= threads

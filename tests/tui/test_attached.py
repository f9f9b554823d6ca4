"""The dashboard on a run that somebody else trains: the real engine, log, lock, socket and snapshots."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from reid_tui.config import RunOptions
from reid_tui.control.server import socket_path
from reid_tui.data.dataset import Dataset
from reid_tui.engine import run_training
from reid_tui.errors import RunError
from reid_tui.files import user_name
from reid_tui.runs.directory import RunDirectory
from reid_tui.runs.lock import RunLock
from reid_tui.runs.log import EventLog, read_events
from reid_tui.runs.overview import newest_running
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training.channels import CommandBox
from reid_tui.tui.attached import AttachedSession
from reid_tui.tui.dashboard import ReidTuiApp
from reid_tui.view.fold import fold
from reid_tui.view.run_state import RunState
from tests.another_user import UID, as_another_user
from tests.training.small import save_small
from tests.tui.rig import LOOK, Rig, Script, until

LONG = 2_000
"""Epochs: some 16,000 steps, each told."""


class Trained:
    """A run in a thread, as another process would have it: nothing is shared with the screen but files."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.inbox = CommandBox()
        self.options = RunOptions(device="cpu", runs_dir=str(folder), batch_size=16, **options)
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def _work(self) -> None:
        run_training(self.options, lambda event: None, self.inbox, steerable=True)

    @property
    def run(self) -> RunDirectory:
        (path,) = self.folder.glob("2*")
        return RunDirectory(path)

    def events(self) -> list[ev.AnyEvent]:
        return list(read_events(self.run.events))

    def told(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events() if isinstance(event, kind)]

    def end(self) -> None:
        self.inbox.put(cmd.Stop())
        self.thread.join(60)
        assert not self.thread.is_alive()


@pytest.fixture(autouse=True)
def small_data(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reid_tui.data.catalog.load", lambda *_: tiny)


@pytest.fixture
def trained(tmp_path: Path) -> Iterator[Trained]:
    run = Trained(tmp_path, epochs=LONG, eval_every=100)
    yield run
    run.end()


@contextlib.asynccontextmanager
async def attached(run: RunDirectory, *, read_only: bool = False) -> AsyncIterator[Rig]:
    session = AttachedSession(run, read_only=read_only)
    app = ReidTuiApp(session, LOOK, fps=50)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        yield Rig(app, None, pilot)  # type: ignore[arg-type]
    session.join(5)
    assert not session._thread.is_alive()


async def trains(trained: Trained) -> None:
    def begun() -> bool:
        return bool(list(trained.folder.glob("2*/events.jsonl"))) and len(trained.told(ev.Progress)) > 3

    await until(begun, 60)


@pytest.mark.slow
async def test_every_key_that_steers_works_from_elsewhere(trained: Trained) -> None:
    await trains(trained)
    async with attached(trained.run) as rig:
        await rig.until(lambda: rig.app.state.badge == "TRAINING" and rig.app.state.step > 3, 20)
        await rig.press("space")
        await rig.until(lambda: "PAUSED" in rig.text)
        step = rig.app.state.step
        await rig.press("+", "n", "s", "e")
        await rig.until(lambda: rig.app.state.margin == pytest.approx(1.05) and rig.app.state.step == step + 1)
        await rig.until(lambda: trained.told(ev.CheckpointSaved) and len(trained.told(ev.Evaluated)) > 1)
        await rig.press("n")
        await rig.until(lambda: rig.app.state.step == step + 2)
        await rig.press("b")
        await rig.until(lambda: f"step {step + 1}: the newest good checkpoint" in rig.text)
        await rig.press("y")
        await rig.until(lambda: rig.app.state.step == step + 1 and "PAUSED" in rig.text)
        await rig.press("space")
        await rig.until(lambda: rig.app.state.badge == "TRAINING" and rig.app.state.step > step + 5, 20)
        await rig.press("q")
        await rig.until(lambda: rig.app._exit)
    assert trained.thread.is_alive()
    signed = {type(event): event.origin for event in trained.events() if event.origin}
    assert {ev.Paused, ev.MarginChanged, ev.CheckpointSaved, ev.Evaluated, ev.Rewound, ev.Resumed} <= set(signed)
    assert all(origin.startswith("attach ") for origin in signed.values())


async def test_the_history_is_there_and_what_one_does_the_other_sees(trained: Trained) -> None:
    await trains(trained)
    async with attached(trained.run) as one, attached(trained.run) as other:
        await other.until(lambda: other.app.state.history.length > 3 and other.app.state.scores is not None, 20)
        assert other.app.state.history.steps[0] == 1
        await other.until(
            lambda: other.app.state.embeddings is not None and other.app.state.embeddings.points is not None
        )
        await one.until(lambda: one.app.state.badge == "TRAINING", 20)
        await one.press("+")
        await other.until(lambda: "margin 1.00 → 1.05 · attach" in " ".join(line.text for line in other.app.state.log))


@pytest.mark.slow
async def test_read_only_sends_nothing(trained: Trained) -> None:
    await trains(trained)
    async with attached(trained.run, read_only=True) as rig:
        await rig.until(lambda: rig.app.state.badge == "TRAINING", 20)
        await rig.press("space", "+", "s")
        await rig.until(lambda: "--read-only" in rig.text)
        step = rig.app.state.step
        await rig.until(lambda: rig.app.state.step > step + 5, 20)
    assert not any(event.origin for event in trained.events())


async def test_read_only_says_so_once_and_opens_no_dialog(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    await trains(trained)
    async with attached(trained.run, read_only=True) as rig:
        await rig.until(lambda: rig.app.state.badge == "TRAINING", 20)
        monkeypatch.setattr(rig.app, "notify", lambda text, **_: said.append(text))
        await rig.press("X", "m", "r", "n", "s", "e", "+", "-", "space", "w")
        await rig.until(lambda: "smoothed 0.995" in rig.text)
        assert said == ["attached with --read-only: keys steer nothing here"]
        assert not any("--read-only" in line.text for line in rig.app.state.log)
        assert rig.text.splitlines()[-1].split() == ["z", "zoom", "?", "help", "q", "quit"]
    assert trained.thread.is_alive()


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a socket away")
async def test_a_run_of_another_user_is_watched_until_it_is_ours(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The socket's owner alone is obeyed, so not even root is offered what would be refused."""
    said: list[str] = []
    whose = f"this run belongs to user {UID}: keys steer nothing here"
    await trains(trained)
    socket = socket_path(trained.run)
    assert socket is not None
    os.chown(socket, UID, UID)
    async with attached(trained.run) as rig:
        await rig.until(lambda: rig.app.state.badge == "TRAINING", 20)
        await rig.until(lambda: [line.text for line in rig.app.state.log].count(whose) == 1)
        assert rig.text.splitlines()[-1].split() == ["z", "zoom", "?", "help", "q", "quit"]
        monkeypatch.setattr(rig.app, "notify", lambda text, **_: said.append(text))
        await rig.press("X", "m", "r", "+", "space", "w")
        await rig.until(lambda: "smoothed 0.995" in rig.text)
        assert said in ([whose], [])  # the one from the start may still stand there
        os.chown(socket, 0, 0)
        await rig.until(lambda: "pause" in rig.text.splitlines()[-1], 20)
        await rig.press("+")
        await rig.until(lambda: rig.app.state.margin == pytest.approx(1.05), 20)
        assert [line.text for line in rig.app.state.log].count(whose) == 1


def test_whoever_may_not_write_a_run_is_not_told_to_go_on_with_it(tmp_path: Path) -> None:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    save_small(tmp_path / "run" / "checkpoints", 1, value=0)
    code = """
from pathlib import Path
from reid_tui.runs.directory import RunDirectory
from reid_tui.tui.attached import AttachedSession
session = AttachedSession(RunDirectory(Path("run")), read_only=True)
print(session._remedy())
become()
print(session._remedy())
"""
    ours, theirs = as_another_user(code, tmp_path).splitlines()
    assert ours == "go on with: reid-tui --resume run"
    assert theirs == f"{user_name(os.geteuid())} can go on with it"


async def test_stopping_from_elsewhere_asks_and_shows_the_end(trained: Trained) -> None:
    await trains(trained)
    async with attached(trained.run) as rig:
        await rig.until(lambda: rig.app.state.badge == "TRAINING", 20)
        await rig.press("X")
        await rig.until(lambda: "save and stop the run" in rig.text)
        await rig.press("enter")
        await rig.until(lambda: "STOPPED" in rig.text, 20)
        assert not rig.app._exit
    trained.thread.join(30)
    last = trained.events()[-1]
    assert isinstance(last, ev.Stopped)
    assert last.saved
    assert last.origin.startswith("attach ")


async def test_a_finished_run_is_shown_whole(tmp_path: Path) -> None:
    run = Trained(tmp_path, epochs=2)
    run.thread.join(60)
    async with attached(run.run) as rig:
        await rig.until(lambda: "DONE" in rig.text and "finished after 16 steps" in rig.text, 20)
        await rig.until(lambda: "60 images · step 16" in rig.text)
        assert list(rig.app.state.history.steps) == list(range(1, 17))
        await rig.press("space")
        await rig.until(lambda: "the run has ended" in rig.text)
        await rig.press("q")
        await rig.until(lambda: rig.app._exit)
    assert rig.app.leaving.code == 0


@pytest.mark.slow
async def test_a_killed_run_says_so_and_how_to_go_on_and_comes_back(tmp_path: Path) -> None:
    run = Trained(tmp_path, epochs=2)
    run.thread.join(60)
    log = run.run.events
    whole = log.read_bytes()
    log.write_bytes(whole[: whole.index(b'"epoch_ended"')].rpartition(b"\n")[0] + b'\n{"event":"prog')
    async with attached(run.run) as rig:
        await rig.until(lambda: "CRASHED" in rig.text, 20)
        said = " ".join(line.text for line in rig.app.state.log)
        assert f"killed at step 8; go on with: reid-tui --resume {run.run.path}" in said
        again = Trained(tmp_path, resume=str(run.run.path))
        await rig.until(lambda: "DONE" in rig.text, 60)
        again.thread.join(30)
    assert log.with_suffix(".torn").read_bytes().startswith(b'{"event":"prog')


async def test_the_command_to_go_on_can_be_copied_whatever_the_folder_is_called(tmp_path: Path) -> None:
    run = Trained(tmp_path / "my runs", epochs=1)
    run.thread.join(60)
    log = run.run.events.read_bytes()
    run.run.events.write_bytes(log[: log.index(b'"finished"')].rpartition(b"\n")[0] + b"\n")
    async with attached(run.run) as rig:
        await rig.until(lambda: f"--resume '{run.run.path}'" in " ".join(line.text for line in rig.app.state.log), 20)


@pytest.mark.slow
async def test_a_run_that_is_held_and_has_not_begun_is_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "20261125-101500-x"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    lock = RunLock(folder / "lock")
    async with attached(RunDirectory(folder)) as rig:
        await rig.until(lambda: "LOADING" in rig.text)
        assert newest_running(tmp_path) == folder
        lock.release()
        await rig.until(lambda: "CRASHED" in rig.text)
        assert "log tells nothing; it has no good checkpoint, start a new run" in rig.text
    with pytest.raises(RunError, match="attach 20261125-101500-x' shows the newest"):
        newest_running(tmp_path)


async def test_a_killed_run_without_a_checkpoint_names_no_command_that_would_fail(tmp_path: Path) -> None:
    run = Trained(tmp_path, epochs=1)
    run.thread.join(60)
    log = run.run.events.read_bytes()
    run.run.events.write_bytes(log[: log.index(b'"epoch_ended"')].rpartition(b"\n")[0] + b"\n")
    shutil.rmtree(run.run.checkpoints)
    async with attached(run.run) as rig:
        await rig.until(lambda: "CRASHED" in rig.text, 20)
        said = " ".join(line.text for line in rig.app.state.log)
        assert "killed at step 8; it has no good checkpoint, start a new run" in said
        assert "--resume" not in said


async def test_a_run_that_diverged_and_is_gone_has_ended(tmp_path: Path) -> None:
    run = Trained(tmp_path, epochs=2)
    run.thread.join(60)
    whole = run.run.events.read_bytes()
    run.run.events.write_bytes(whole[: whole.index(b'"finished"')].rpartition(b"\n")[0] + b"\n")
    log = EventLog(run.run.events)
    log.append(ev.Diverged(step=16, seq=10**6, reason="not finite", checkpoint="checkpoints/step-00000016"))
    log.close()
    said = f"diverged at step 16: not finite; go on with: reid-tui --resume {run.run.path}"
    async with attached(run.run) as rig:
        await rig.until(lambda: said in [line.text for line in rig.app.state.log], 20)
        await rig.until(lambda: "DIVERGED" in rig.text)
        assert "pause" not in rig.text.splitlines()[-1]
        await rig.press("+")
        await rig.until(lambda: "the run has ended" in rig.text)


@pytest.mark.slow
async def test_a_folder_that_is_moved_away_is_no_crash(trained: Trained) -> None:
    await trains(trained)
    async with attached(trained.run) as rig:
        await rig.until(lambda: rig.app.state.badge == "TRAINING", 20)
        run = trained.run.path
        moved = run.rename(run.with_name("2-moved"))
        await rig.until(lambda: any("removed or moved" in line.text for line in rig.app.state.log))
        step = rig.app.state.step
        await rig.until(lambda: rig.app.state.step > step + 5 and rig.app.state.badge == "TRAINING", 20)
        await rig.press("+")
        await rig.until(lambda: any("not sent: no process" in line.text for line in rig.app.state.log))
        moved.rename(run)
        await rig.press("+")
        await rig.until(lambda: rig.app.state.margin == pytest.approx(1.05), 20)


async def test_what_native_code_writes_is_shown_bounded(trained: Trained) -> None:
    await trains(trained)
    async with attached(trained.run) as rig:
        await rig.until(lambda: rig.app.state.badge == "TRAINING", 20)
        with trained.run.log.open("a") as file:
            file.write("2026-11-25 10:15:00,000 INFO a note of our own\n")
            file.write("2026-11-25 10:15:01,000 WARNING a warning of our own\n")
            file.write("CUDA \x1b[2J\x9b[bold]warning\n" + "more\n" * 500)
        await rig.until(lambda: any(line.kind == "output" and "more lines" in line.text for line in rig.app.state.log))
        told = [line.text for line in rig.app.state.log if line.kind == "output"]
        lines = [text for text in told if "other processes" not in text]  # where this machine is busy
        assert lines[0] == "a warning of our own"
        assert lines[1] == "CUDA \ufffd[2J\ufffd[bold]warning"
        assert len(lines) <= 12


def test_the_map_of_steps_that_were_taken_back_is_not_shown(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    script = Script()
    script.run_started()
    for step in (10, 50):
        script.emit(ev.EmbeddingsReady(step=step, split="test", path=f"embeddings/step-{step:08d}.npz"))
    script.run_started(step=30)
    script.emit(ev.EmbeddingsReady(step=40, split="test", path="embeddings/step-00000040.npz"))
    script.emit(ev.Rewound(step=20, from_step=45, margin=1.0, lr=1e-3))
    log = EventLog(run.events)
    for event in script.drain().live:
        log.append(event)
    log.close()
    session = AttachedSession(run, read_only=True)
    session._read(past=True)
    state = fold(RunState(), session.drain().past)
    assert state.embeddings is not None
    assert state.embeddings.step == 10


def test_the_past_comes_before_what_follows_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = AttachedSession(RunDirectory(tmp_path), read_only=True)
    script = Script()
    script.run_started()
    start, lost = script.drain().live[0], ev.Lost(step=3, seq=2, message="killed")
    drain = session._box.drain

    def interrupted() -> list[ev.AnyEvent]:
        """As when the reading thread has its turn just before."""
        session._past.append(start)
        session._box.put(lost)
        return drain()

    monkeypatch.setattr(session._box, "drain", interrupted)
    assert session.drain() == ([start], [lost])

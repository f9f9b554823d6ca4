"""A run whose folder is taken away under it keeps what it has learned, at one place, and says where."""

from __future__ import annotations

import json
import logging
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reid_tui.config import RunOptions
from reid_tui.control.server import socket_path
from reid_tui.data.dataset import Dataset
from reid_tui.engine import run_training
from reid_tui.runs.directory import RunDirectory
from reid_tui.runs.lock import RunLock, holder
from reid_tui.runs.log import read_events
from reid_tui.runs.run_log import MessageFile
from reid_tui.training import events as ev
from reid_tui.training import saving
from reid_tui.training.channels import CommandBox
from reid_tui.training.checkpoint import load_latest
from tests.opening.rig import begin


@pytest.fixture(autouse=True)
def small_data(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reid_tui.data.catalog.load", lambda *_: tiny)


class Trained:
    """A run of three epochs, with things done to its folder when an event comes."""

    def __init__(self, runs: Path, doing: dict[tuple[type[ev.AnyEvent], int], Callable[[Path], object]]) -> None:
        self.told: list[ev.AnyEvent] = []
        self._doing = doing
        options: dict[str, Any] = {"device": "cpu", "runs_dir": str(runs), "batch_size": 16, "epochs": 3}
        self.end = run_training(RunOptions(**options, name="a"), self._listen, CommandBox(), steerable=False)

    def _listen(self, event: ev.AnyEvent) -> None:
        self.told.append(event)
        if isinstance(event, ev.RunStarted):
            self.path = Path(event.run)
        if do := self._doing.pop((type(event), event.step), None):
            do(self.path)

    def warnings(self) -> list[str]:
        return [event.code for event in self.told if isinstance(event, ev.Warned)]


def check_whole(run: Path) -> None:
    """All that was told since the start, and the last step's weights; none but we may look."""
    steps = [event.step for event in read_events(run / "events.jsonl") if isinstance(event, ev.Progress)]
    assert steps == list(range(1, 25))
    assert isinstance(list(read_events(run / "events.jsonl"))[-1], ev.Finished)
    assert load_latest(run / "checkpoints")[0].manifest.state.step == 24
    assert json.loads((run / "config.json").read_text())["config"]["epochs"] == 3
    for path in (run, *run.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def empty(run: Path) -> None:
    for path in run.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def lose_files(run: Path) -> None:
    """As `rm run/*` does: the folders in it stay."""
    for path in run.iterdir():
        if not path.is_dir():
            path.unlink()


REMOVALS = {
    "the run": shutil.rmtree,
    "all runs": lambda run: shutil.rmtree(run.parent),
    "all in it": empty,
    "the files in it": lose_files,
}


@pytest.mark.slow
@pytest.mark.parametrize("how", REMOVALS)
@pytest.mark.parametrize("when", [(ev.Progress, 5), (ev.CheckpointSaved, 24)], ids=["amid it", "after the last save"])
def test_removed_it_is_made_again(how: str, when: tuple[type[ev.AnyEvent], int], tmp_path: Path) -> None:
    held: list[tuple[int | None, bool]] = []

    def look(run: Path) -> None:
        socket = socket_path(RunDirectory(run))
        held.append((holder(run / "lock"), socket is not None and socket.is_socket()))

    trained = Trained(tmp_path / "runs", {when: REMOVALS[how], (ev.EmbeddingsReady, 24): look})
    assert isinstance(trained.end, ev.Finished)
    assert trained.warnings() == ["folder_removed"]
    assert held == [(os.getpid(), True)]
    (warned,) = [event for event in trained.told if isinstance(event, ev.Warned)]
    assert warned.message.endswith("checkpoints and maps are lost") is (how != "the files in it")
    check_whole(trained.path)
    assert begin(tmp_path / "runs", resume="a", epochs=4)[-1].step == 32


def test_moved_it_is_followed_and_not_split(tmp_path: Path) -> None:
    away = tmp_path / "away" / "b"
    away.parent.mkdir()
    trained = Trained(tmp_path / "runs", {(ev.Progress, 5): lambda run: run.rename(away)})
    assert isinstance(trained.end, ev.Finished)
    assert trained.warnings() == ["folder_moved"]
    (warned,) = [event for event in trained.told if isinstance(event, ev.Warned)]
    assert str(away) in warned.message
    assert not trained.path.exists()
    check_whole(away)


@pytest.mark.slow
def test_moved_back_it_is_followed_back(tmp_path: Path) -> None:
    away = tmp_path / "b"
    doing = {(ev.Progress, 5): lambda run: run.rename(away), (ev.Progress, 12): away.rename}
    trained = Trained(tmp_path / "runs", doing)
    assert isinstance(trained.end, ev.Finished)
    assert trained.warnings() == ["folder_moved"] * 2
    assert not away.exists()
    check_whole(trained.path)


@pytest.mark.slow
def test_what_cannot_be_made_again_is_tried_until_it_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "SAVE_AGAIN_S", 0.0)

    def bar(run: Path) -> None:
        shutil.rmtree(run.parent)
        run.parent.write_text("in the way")

    doing = {(ev.Progress, 5): bar, (ev.Progress, 10): lambda run: run.parent.unlink()}
    trained = Trained(tmp_path / "runs", doing)
    assert isinstance(trained.end, ev.Finished)
    assert trained.warnings()[-1] == "folder_removed"
    assert set(trained.warnings()[:-1]) == {"save_failed", "snapshot_failed"}
    failed = next(event for event in trained.told if isinstance(event, ev.Warned) and event.code == "save_failed")
    assert failed.message.endswith("Not a directory; put the folder back, it is tried again in 30 s")
    check_whole(trained.path)


def test_a_lock_that_was_moved_where_nobody_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    lock = RunLock(folder / "lock")
    assert lock.folder() == folder
    moved = folder.rename(tmp_path / "b")
    assert lock.folder() == moved
    monkeypatch.setattr(Path, "readlink", lambda path: (path / "no proc").stat())
    with pytest.raises(FileNotFoundError, match="the run's folder was moved"):
        lock.folder()
    lock.release()


def test_messages_go_to_a_new_file_where_the_one_before_was_removed(tmp_path: Path) -> None:
    file = MessageFile(tmp_path / "run.log")
    record = logging.LogRecord("a", logging.INFO, "", 1, "told", None, None)
    (tmp_path / "run.log").unlink()
    file.emit(record)
    assert (tmp_path / "run.log").read_text().endswith("INFO told\n")
    assert stat.S_IMODE((tmp_path / "run.log").stat().st_mode) == 0o600
    shutil.rmtree(tmp_path)
    file.emit(record)
    file.close()

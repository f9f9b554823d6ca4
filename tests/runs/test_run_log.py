"""run.log on a disk that is full, and with texts that would drive a terminal."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from reid_tui.cli import main as cli
from reid_tui.data.dataset import Dataset
from reid_tui.errors import RunError
from reid_tui.runs.log import read_events
from reid_tui.runs.run_log import MessageFile
from reid_tui.training import events as ev

LOGGER = logging.getLogger("reid_tui")


def test_nothing_in_it_drives_a_terminal(tmp_path: Path) -> None:
    handler = MessageFile(tmp_path / "run.log")
    record = LOGGER.makeRecord(
        "x", logging.ERROR, "x", 1, "a\x1b]52;c;aGk=\x07\u202e %s", ("\udc9b2J\ud800\x9b31m",), None
    )
    handler.emit(record)
    handler.close()
    line = (tmp_path / "run.log").read_text()
    assert line.rstrip("\n").isprintable()
    assert "]52;c;aGk=" in line
    assert "31m" in line


def test_a_run_whose_messages_find_no_room(
    tiny: Dataset, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """How it starts is one."""
    monkeypatch.setattr("reid_tui.data.catalog.load", lambda *_: tiny)
    argv = ["train", "--device", "cpu", "--runs-dir", str(tmp_path), "--batch-size", "16", "--progress", "plain"]
    assert cli.run([*argv, "--epochs", "1"]) == 0
    (run,) = tmp_path.iterdir()
    (run / "run.log").unlink()
    (run / "run.log").symlink_to("/dev/full")
    capfd.readouterr()
    assert cli.run([*argv, "--epochs", "2", "--resume", "latest"]) == 0
    told = capfd.readouterr()
    assert "Traceback" not in told.err
    assert "Logging error" not in told.err
    assert "all epochs done" in told.out
    assert isinstance(list(read_events(run / "events.jsonl"))[-1], ev.Finished)


def test_a_file_that_cannot_be_made_is_one_line(
    tiny: Dataset, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reid_tui.data.catalog.load", lambda *_: tiny)
    argv = ["train", "--device", "cpu", "--runs-dir", str(tmp_path), "--batch-size", "16", "--progress", "none"]
    assert cli.run([*argv, "--epochs", "1"]) == 0
    (run,) = tmp_path.iterdir()
    (run / "run.log").unlink()
    (run / "run.log").mkdir()
    capfd.readouterr()
    assert cli.run([*argv, "--epochs", "2", "--resume", "latest"]) == RunError.exit_code
    assert capfd.readouterr().err.splitlines()[-1].startswith("reid-tui: cannot write the log")

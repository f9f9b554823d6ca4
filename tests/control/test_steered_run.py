"""A real run, steered from another process through its socket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from reid_tui.config import RunOptions
from reid_tui.control.client import ControlClient
from reid_tui.control.server import socket_path
from reid_tui.engine import run_training
from reid_tui.runs.directory import RunDirectory
from reid_tui.runs.lock import holder
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training.channels import CommandBox
from tests.control.lines import until

TRAIN = [sys.executable, "-W", "error", "-m", "reid_tui", "train", "--data", "pedestrians", "--progress", "none"]
LONG = ["--batch-size", "4", "--epochs", "1000", "--eval-every", "1000"]


def events_of(run: RunDirectory) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.events.read_text().splitlines()]


@pytest.mark.slow
def test_a_run_in_another_process_is_paused_turned_and_stopped(short: Path) -> None:
    for more in (["--name", "run", *LONG], ["--resume", "run"]):
        command = [*TRAIN, "--runs-dir", str(short), *more]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            try:
                until(lambda: list(short.glob("*-run")), 120)
                run = RunDirectory(next(short.glob("*-run")))
                until(lambda run=run: socket_path(run), 120)
                assert holder(run.lock) == process.pid
                client = ControlClient(run)
                for command in (cmd.Pause(), cmd.SetMargin(1.5 if "--name" in more else 1.25), cmd.Stop()):
                    client.send(command)
                client.close(60)
                assert client.problems() == []
                _, err = process.communicate(timeout=120)
            finally:
                process.kill()
        assert process.returncode == 0, err
        assert [path.name for path in run.path.iterdir() if path.is_socket()] == []
        assert socket_path(run) is None
    told = [line for line in events_of(run) if line["event"] in ("paused", "margin_changed", "stopped", "warned")]
    assert [(line["event"], line.get("new"), line.get("reason")) for line in told] == [
        ("paused", None, None),
        ("margin_changed", 1.5, None),
        ("stopped", None, "asked"),
        ("paused", None, None),
        ("margin_changed", 1.25, None),
        ("stopped", None, "asked"),
    ]


@pytest.mark.slow
def test_a_socket_that_cannot_be_made_costs_a_warning(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(short))
    private = short / f"reid-tui-{os.geteuid()}"
    private.mkdir()
    private.chmod(0o755)
    heard: list[ev.AnyEvent] = []
    options = RunOptions(data="pedestrians", steps=2, batch_size=4, runs_dir=str(short / ("long-" * 30)))
    end = run_training(options, heard.append, CommandBox(), steerable=False)
    assert isinstance(end, ev.Finished)
    (warning,) = [event for event in heard if isinstance(event, ev.Warned)]
    assert warning.code == "control_failed"
    assert "the path is longer than 100 bytes" in warning.message
    assert "is open to others" in warning.message
    assert "\n" not in warning.message

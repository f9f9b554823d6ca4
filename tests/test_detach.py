"""Leaving a run and coming back to it, with the installed command in real terminals."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ends_within, miss
from tests.tmux import Tmux

REID_TUI = shutil.which("reid-tui")
RUN = ["--data", "pedestrians", "--batch-size", "8", "--epochs", "100", "--eval-every", "10", "--seed", "2"]
ENV = {"OMP_NUM_THREADS": "1"}


class Left:
    """The runs in a folder, each ended with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def events(self) -> list[dict[str, Any]]:
        (log,) = self.folder.glob("runs/*/events.jsonl")
        return [json.loads(line) for line in log.read_text().splitlines()]

    @property
    def pid(self) -> int:
        return next(int(line["pid"]) for line in reversed(self.events()) if line["event"] == "run_started")

    def told(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.events() if line["event"] == event]

    def end(self) -> None:
        for log in self.folder.glob("runs/*/events.jsonl"):
            pids = re.findall(r'"pid":(\d+)', log.read_text())
            if pids and not ends_within(int(pids[-1]), 0):
                os.kill(int(pids[-1]), signal.SIGKILL)


@pytest.fixture
def left(tmp_path: Path) -> Iterator[Left]:
    if shutil.which("tmux") is None:
        miss("tmux is not installed")
    assert REID_TUI, "the package is not installed"
    found = Left(tmp_path)
    yield found
    found.end()


def says(*words: str) -> Any:
    return lambda screen: all(word in screen for word in words)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_detach_attach_steer_and_stop(width: int, height: int, left: Left, tmp_path: Path) -> None:
    with Tmux(width, height, tmp_path, ENV) as terminal:
        terminal.run(str(REID_TUI), *RUN)
        terminal.until(says("TRAINING"), 120)
        terminal.until(lambda screen: re.search(r"step\s+[1-9]", screen), 60)
        terminal.press("d")
        terminal.until(says("detached, training goes on as process", "reid-tui attach /"), 30)
        assert terminal.fact("alternate_on") == "0"
        pid, step = left.pid, left.events()[-1]["step"]
        assert os.getsid(pid) == pid

        terminal.run("clear")
        terminal.run(str(REID_TUI), "attach")
        terminal.until(says("TRAINING", "pedestrians"), 60)
        terminal.press("Space")
        terminal.until(says("PAUSED"), 30)
        assert left.events()[-1]["step"] > step
        terminal.press("+", "s")
        terminal.until(lambda _: left.told("margin_changed") and left.told("checkpoint_saved"), 30)
        terminal.press("q")
        terminal.until(says("it goes on"), 30)
        assert left.told("paused")[-1]["origin"].startswith("attach ")

        terminal.run("clear")
        terminal.run(str(REID_TUI), "runs")
        terminal.until(says("paused"), 30)
        terminal.run("clear")
        terminal.run(str(REID_TUI), "attach", "latest")
        terminal.until(says("PAUSED", "1.05"), 60)
        terminal.press("X")
        terminal.until(says("save and stop the run"), 30)
        terminal.press("Enter")
        terminal.until(says("STOPPED"), 30)
        terminal.press("q")
        terminal.until(says("stopped, saved", "1.05", "$ "), 30)
    assert left.events()[-1]["event"] == "stopped"
    assert ends_within(pid, 30)


@pytest.mark.slow
def test_a_paused_run_outlives_its_terminal_and_is_gone_on_with(left: Left, tmp_path: Path) -> None:
    with Tmux(80, 24, tmp_path, ENV) as terminal:
        terminal.run(str(REID_TUI), *RUN, "--steps", "400")
        terminal.until(lambda screen: re.search(r"step\s+[1-9]", screen), 120)
        terminal.press("Space")
        terminal.until(says("PAUSED"), 30)
    pid = left.pid
    assert not ends_within(pid, 1), "a paused run ended with its terminal"
    with Tmux(80, 24, tmp_path, ENV) as terminal:
        terminal.run(str(REID_TUI), "attach", "--exit-when-done")
        terminal.until(says("PAUSED"), 60)
        terminal.press("Space")
        terminal.until(says("all steps done", "$ "), 120)
    assert left.events()[-1]["event"] == "finished"
    assert ends_within(pid, 30)


@pytest.mark.slow
def test_two_processes_never_write_one_run(left: Left, tmp_path: Path) -> None:
    with Tmux(160, 40, tmp_path, ENV) as terminal:  # wide, so that the refusal stands in one line
        terminal.run(str(REID_TUI), *RUN)
        terminal.until(lambda screen: re.search(r"step\s+[1-9]", screen), 120)
        terminal.press("s", "d")
        terminal.until(says("detached"), 30)
        lines = len(left.events())
        terminal.run("clear")
        terminal.run("sh", "-c", f'{REID_TUI} train --resume latest; echo "code=$?"')
        terminal.until(says("is being trained by process", str(left.pid), "code=2"), 60)
        assert len(left.events()) >= lines
        assert len(left.told("run_started")) == 1

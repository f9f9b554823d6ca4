"""Terminals that close at random moments: as many complete runs. REID_TUI_CLOSINGS says how many, fifty in earnest."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Final

import pytest

from reid_tui.control.client import ControlClient
from reid_tui.runs.directory import RunDirectory
from reid_tui.training.checkpoint import load_latest
from reid_tui.training.commands import Resume
from tests.ptys import Pty

CLOSINGS: Final = int(os.environ.get("REID_TUI_CLOSINGS", "7"))
MOMENTS: Final = ("loading", "training", "evaluating", "saving", "paused", "dialog", "unread")
STEPS: Final = 40
RUN = ["--data", "pedestrians", "--batch-size", "16", "--steps", str(STEPS), "--eval-every", "1", "--seed", "2"]
TICKS: Final = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def come_to(moment: str, terminal: Pty, chance: random.Random) -> None:
    """Bring the run to the moment at which the terminal is to close."""
    terminal.until_shown(b"LOADING")
    if moment == "loading":
        time.sleep(chance.uniform(0, 1.5))
        return
    terminal.until("progress", step=chance.randint(1, STEPS - 15))
    match moment:
        case "evaluating":
            terminal.press("e")
        case "saving":
            os.kill(terminal.process.pid, signal.SIGUSR1)
        case "paused":
            terminal.press(" ")
            terminal.until("paused")
        case "dialog":
            terminal.press("q" if chance.random() < 0.5 else "m")
        case "unread":
            terminal.stop_reading()
            terminal.press("?")
    time.sleep(chance.uniform(0, 0.3))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(CLOSINGS))
def test_the_run_is_complete(number: int, tmp_path: Path) -> None:
    chance = random.Random(number)
    moment = MOMENTS[number % len(MOMENTS)]
    terminal = Pty(tmp_path, *RUN, afresh=moment == "loading")
    try:
        come_to(moment, terminal, chance)
        terminal.close()
        if moment == "paused":
            (path,) = tmp_path.glob("2*")
            pid = next(line["pid"] for line in terminal.events() if line["event"] == "run_started")
            before = cpu_seconds(pid)
            time.sleep(1)
            assert cpu_seconds(pid) - before < 0.5, "a paused run without a terminal keeps the processor busy"
            assert terminal.events()[-1]["event"] == "paused"
            client = ControlClient(RunDirectory(path))
            client.send(Resume())
            client.close()
            assert client.problems() == []
        assert terminal.process.wait(120) == 0
        assert terminal.events()[-1]["event"] == "finished"
        (path,) = tmp_path.glob("2*")
        assert load_latest(path / "checkpoints")[0].manifest.state.step == STEPS
    finally:
        terminal.end()

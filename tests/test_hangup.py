"""The terminal goes away, for real: a pty's other end is closed while the command runs. Training goes on to its end."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from reid_tui.training.checkpoint import load_latest

RUN = ["--data", "pedestrians", "--batch-size", "16", "--steps", "30", "--eval-every", "0.1", "--seed", "2"]


class Pty:
    """A command in a terminal of its own, read by a thread until `close` or `stop_reading`."""

    def __init__(self, folder: Path, *argv: str) -> None:
        self.folder = folder
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "reid_tui", *argv, *RUN, "--runs-dir", str(folder)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self._reading = True
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while self._reading:
            readable, _, _ = select.select([self._master], [], [], 0.02)
            try:
                if readable and not os.read(self._master, 65536):
                    return
            except OSError:
                return

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def stop_reading(self) -> None:
        self._reading = False

    def close(self) -> None:
        """Hang up: the kernel sends SIGHUP to the command."""
        self._reading = False
        self._reader.join()
        os.close(self._master)

    def events(self) -> list[dict[str, Any]]:
        logs = list(self.folder.glob("*/events.jsonl"))
        return [json.loads(line) for line in logs[0].read_text().splitlines()] if logs else []

    def until(self, event: str, seconds: float = 60, step: int = 0) -> None:
        deadline = time.monotonic() + seconds
        while not any(line["event"] == event and line["step"] >= step for line in self.events()):
            assert time.monotonic() < deadline, f"no {event} within {seconds} s"
            assert self.process.poll() is None, f"ended with {self.process.returncode}"
            time.sleep(0.05)


def whole(terminal: Pty) -> None:
    """The run is complete, its checkpoint verifies, and nothing spun on the dead terminal."""
    assert terminal.process.wait(90) == 0
    assert terminal.events()[-1]["event"] == "finished"
    (run,) = terminal.folder.glob("2*")
    assert load_latest(run / "checkpoints")[0].manifest.state.step == 30


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["loading", "started", "training", "dialog", "unread"])
def test_the_dashboards_terminal_goes_away(moment: str, tmp_path: Path) -> None:
    terminal = Pty(tmp_path)
    if moment == "loading":
        time.sleep(1.5)
    else:
        terminal.until("run_started")
    if moment in ("training", "dialog", "unread"):
        terminal.until("progress", step=2)
    if moment == "dialog":
        terminal.press("q")
    if moment == "unread":
        terminal.stop_reading()
        terminal.press("?")
        time.sleep(1)
    terminal.close()
    whole(terminal)


@pytest.mark.slow
def test_on_hangup_stop_stops(tmp_path: Path) -> None:
    terminal = Pty(tmp_path, "--on-hangup", "stop")
    terminal.until("progress", step=2)
    terminal.close()
    assert terminal.process.wait(60) == 129
    last = terminal.events()[-1]
    assert (last["event"], last["reason"], last["saved"]) == ("stopped", "SIGHUP", True)


@pytest.mark.slow
def test_a_paused_run_stays_paused(tmp_path: Path) -> None:
    terminal = Pty(tmp_path)
    terminal.until("progress", step=2)
    terminal.press(" ")
    terminal.until("paused")
    terminal.close()
    with pytest.raises(subprocess.TimeoutExpired):
        terminal.process.wait(1)
    assert terminal.events()[-1]["event"] == "paused"
    terminal.process.terminate()
    assert terminal.process.wait(60) == 143
    assert terminal.events()[-1]["saved"] is True


@pytest.mark.slow
def test_without_a_screen_a_signal_still_saves(tmp_path: Path) -> None:
    terminal = Pty(tmp_path)
    terminal.until("run_started")
    terminal.close()
    time.sleep(0.5)
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.process.wait(60) in (143, 0)  # 0 where it was done by then
    assert terminal.events()[-1]["event"] in ("stopped", "finished")


@pytest.mark.slow
def test_headless_on_a_terminal_that_goes_away(tmp_path: Path) -> None:
    terminal = Pty(tmp_path, "train")
    terminal.until("progress", step=2)
    terminal.close()
    whole(terminal)


@pytest.mark.slow
@pytest.mark.parametrize("argv", [(), ("train",)])
def test_sigusr1_saves_and_goes_on(argv: tuple[str, ...], tmp_path: Path) -> None:
    terminal = Pty(tmp_path, *argv)
    terminal.until("progress", step=2)
    terminal.process.send_signal(signal.SIGUSR1)
    terminal.until("checkpoint_saved", step=2)
    asked = next(line for line in terminal.events() if line["event"] == "checkpoint_saved")
    assert asked["reason"] == "asked"
    terminal.close()
    whole(terminal)

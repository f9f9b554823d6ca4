"""A terminal that is not read for a while: the loop goes on, little waits, and one repaint shows how things stand."""

from __future__ import annotations

import fcntl
import json
import os
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from queue import Queue
from types import SimpleNamespace
from typing import Any

import pytest

from reid_tui.bench.screen import Screen
from reid_tui.tui.terminal.backlog import MOST, waiting_writes
from tests.tui.unread_app import STEPS


class Pty:
    """A command in a terminal that is read only when the test reads it."""

    def __init__(self, *argv: str) -> None:
        self.master, slave = os.openpty()
        self.resize(120, 40)
        self.process = subprocess.Popen(
            [sys.executable, *argv],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen, self.read = Screen(columns, rows), 0

    def until(self, *words: str, absent: str = "\0", framed: bool = False, seconds: float = 30) -> None:
        """Read until all words but the absent one stand on the screen, and with `framed` all panels in whole frames."""
        deadline = time.monotonic() + seconds
        while not all(word in self.text for word in words) or absent in self.text or (framed and not self.framed):
            assert time.monotonic() < deadline, f"{words} not shown\n{self.text}"
            if select.select([self.master], [], [], 0.05)[0]:
                data = os.read(self.master, 65536)
                self.read += len(data)
                self.screen.feed(data)

    @property
    def text(self) -> str:
        return "\n".join(self.screen.lines())

    @property
    def framed(self) -> bool:
        return all(row[0] in "╭│╰" and row[-1] in "╮│╯" for row in self.screen.lines()[2:-1])

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)


def entries(diary: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in diary.read_text().splitlines(keepends=True) if line.endswith("\n")]


@pytest.mark.slow
@pytest.mark.parametrize("dialog", [False, True])
def test_a_terminal_that_is_not_read(dialog: bool, tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    terminal = Pty("-m", "tests.tui.unread_app", str(diary))
    try:
        terminal.until("TRAINING", "0.812")
        if dialog:
            os.write(terminal.master, b"m")
            terminal.until("esc leaves")

        stalled_at = entries(diary)[-1]["step"]
        deadline = time.monotonic() + 60
        while (last := entries(diary)[-1])["step"] < STEPS:
            assert time.monotonic() < deadline, f"the screen's loop stands still at {last} since {stalled_at}"
            assert terminal.process.poll() is None
            time.sleep(0.05)
        assert stalled_at < STEPS / 2
        stalled = [entry for entry in entries(diary) if entry["step"] > stalled_at]
        assert MOST < max(entry["writes"] for entry in stalled) < 20
        assert max(entry["bytes"] for entry in stalled) < 500_000

        terminal.resize(100, 30)
        if dialog:
            terminal.until("margin ─", "esc leaves", f"{STEPS}/4,690")
            os.write(terminal.master, b"\x1b")
        terminal.until(f"{STEPS}/4,690", "0.812", "4 numbers", framed=True)
        assert terminal.read - last["bytes"] < 200_000
        os.write(terminal.master, b"5")
        terminal.until("the last words", "5 log", framed=True)
    finally:
        terminal.end()


def test_another_textual_draws_always() -> None:
    queue: Queue[str] = Queue()
    for text in ("a", "b"):
        queue.put(text)
    assert waiting_writes(SimpleNamespace(_writer_thread=SimpleNamespace(_queue=queue))) == 2
    for other in (None, SimpleNamespace(), SimpleNamespace(_writer_thread=SimpleNamespace(_queue=[]))):
        assert waiting_writes(other) == 0

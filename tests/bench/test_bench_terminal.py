"""A command on a pty: its size, its keys, its end."""

from __future__ import annotations

import sys
import time

from reid_tui.bench.processes import shown
from reid_tui.bench.terminal import Terminal

ECHO = """
import os, sys, tty
tty.setraw(0)
size = os.get_terminal_size()
print(f"{size.columns}x{size.lines} {os.isatty(2)} {os.environ['TERM']} {os.ttyname(0) == os.ttyname(1)}", end="\\r\\n")
sys.stdout.flush()
print("got", os.read(0, 1), end="\\r\\n")
sys.exit(7)
"""


def wait_for(terminal: Terminal, text: str) -> None:
    for _ in range(1000):
        if any(text in line for line in shown(terminal)):
            return
        time.sleep(0.01)
    raise AssertionError(shown(terminal))


def test_a_command_sees_a_terminal_and_gets_keys() -> None:
    with Terminal((sys.executable, "-c", ECHO)) as terminal:
        wait_for(terminal, "120x40 True xterm-256color True")
        assert terminal.running
        pressed = terminal.press(b"+")
        assert terminal.wait(20) == 7
        chunks = terminal.chunks
        assert [line.rstrip() for line in shown(terminal)[1:3]] == ["got b'+'", ""]
    assert not terminal.running
    assert [chunk.at for chunk in chunks] == sorted(chunk.at for chunk in chunks)
    assert chunks[-1].at > pressed


def test_leaving_ends_the_command() -> None:
    with Terminal((sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)")) as terminal:
        wait_for(terminal, "up")
        assert terminal.running
    assert not terminal.running

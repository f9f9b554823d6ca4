"""What native code and Python's warnings write while the real dashboard is up."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from reid_tui.bench.terminal import Terminal
from tests.escapes import taken_apart

CHATTY = """
import ctypes, os, sys, warnings
from reid_tui.training.stopwatch import Stopwatch
count, steps, libc = Stopwatch.count_step, [], ctypes.CDLL(None)

def chatty(*given):
    steps.append(1)
    if len(steps) == 3:
        libc.printf(b"%s", b"native\\x1b]0;one\\x07\\n")
        libc.fflush(None)
        os.write(2, b"native\\x1b]1;two\\x07\\x9b31m\\n")
        print("printed\x1b]5;three\x07")
        print("printed\x1b]6;four\x07", file=sys.stderr)
        warnings.warn("python\\x1b]4;warns\\x07", stacklevel=1)
    count(*given)

Stopwatch.count_step = chatty
from reid_tui.cli.main import run
sys.exit(run(sys.argv[1:]))
"""
IN_LOG = (
    b"printed\x1b]5;three\x07",
    b"printed\x1b]6;four\x07",
    b"native\x1b]0;one\x07",
    b"native\x1b]1;two\x07\x9b31m",
    b"python\x1b]4;warns\x07",
)
ON_SCREEN = (
    "printed\ufffd]5;three",
    "printed\ufffd]6;four",
    "native\ufffd]0;one\ufffd",
    "native\ufffd]1;two\ufffd\ufffd31m",
    "warns\ufffd",
)


@pytest.mark.slow
def test_it_is_in_the_runs_log_and_panel_5_and_nowhere_else_on_the_screen(tmp_path: Path) -> None:
    options = ["--data", "pedestrians", "--batch-size", "4", "--eval-every", "1000", "--runs-dir", str(tmp_path)]
    with Terminal([sys.executable, "-c", CHATTY, *options], variables={"OMP_NUM_THREADS": "1"}) as terminal:

        def sent() -> bytes:
            return b"".join(chunk.data for chunk in terminal.chunks)

        deadline = time.monotonic() + 120
        while not all(text.encode() in sent() for text in ON_SCREEN):
            assert time.monotonic() < deadline, sent()[-2000:]
            assert terminal.running, sent()[-2000:]
            time.sleep(0.05)
        terminal.press(b"q")
        while b"quit without saving" not in sent():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        terminal.press(b"x")
        assert terminal.wait(60) == 0
        shown = taken_apart(sent())
    (log,) = tmp_path.glob("*/run.log")
    for text in IN_LOG:
        assert text in log.read_bytes()
    assert {kind for kind in shown.kinds if kind.startswith("OSC")} <= {"OSC 11", "OSC 2", "OSC 22"}
    assert "0x9b" not in shown.kinds
    assert not any(kind.startswith("0xdc") for kind in shown.kinds)

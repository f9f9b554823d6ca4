"""A terminal that is not read, and a reader that went away."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import threading

import pytest
from rich.console import Console

from reid_tui.console import MOST, Unhurried, console_on, say_at_once, settle


def fill(descriptor: int) -> None:
    """It takes no byte more."""
    os.set_blocking(descriptor, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(descriptor, b"x")
    os.set_blocking(descriptor, True)


def test_it_holds_up_nobody_and_shows_what_waited_when_it_is_read() -> None:
    master, slave = pty.openpty()
    fill(slave)
    with open(slave, "w", closefd=False) as stream:
        console = console_on(stream)
        assert console.is_terminal
        for number in range(3 * MOST):
            console.print(f"line {number}")
        say_at_once(console, "dropped\n")
        settle(console, 0.01)
        shown = b""
        settled = threading.Event()

        def read() -> None:
            nonlocal shown
            while select.select([master], [], [], 0.2)[0] or not settled.is_set():
                shown += os.read(master, 65536)

        reader = threading.Thread(target=read)
        reader.start()
        settle(console, 30)  # else its thread would go on writing to a number that another file has by then
        settled.set()
        reader.join(30)
        assert not reader.is_alive()
        assert b"x" in shown
        assert b"line 5" in shown
        assert b"dropped" not in shown
    os.close(master)
    os.close(slave)


def test_all_is_written_in_order() -> None:
    master, slave = pty.openpty()
    with open(slave, "w", closefd=False) as stream:
        console = console_on(stream)
        assert isinstance(console.file, Unhurried)
        console.print("one")
        say_at_once(console, "two\n")
        settle(console, 30)
        shown = b""
        while len(shown) < len("one\r\ntwo\r\n"):
            shown += os.read(master, 100)
        assert shown.split() == [b"one", b"two"]
        os.close(master)
        console.print("nobody is there")
        settle(console, 30)
    os.close(slave)


def test_a_reader_that_is_gone_is_no_error() -> None:
    reading, writing = os.pipe()
    stream = open(writing, "w", buffering=1, closefd=False)  # noqa: SIM115
    console = console_on(stream)
    assert not isinstance(console.file, Unhurried)
    say_at_once(console, "heard")
    assert os.read(reading, 10) == b"heard"
    os.close(reading)
    say_at_once(console, "not heard")
    with pytest.raises(BrokenPipeError):
        console.print("the caller decides")
    with contextlib.suppress(BrokenPipeError):
        stream.close()
    os.close(writing)


def test_a_pipe_that_is_full_is_not_waited_for() -> None:
    reading, writing = os.pipe()
    fill(writing)
    with open(writing, "w", closefd=False) as stream:
        say_at_once(Console(file=stream), "not said")
    os.close(reading)
    os.close(writing)

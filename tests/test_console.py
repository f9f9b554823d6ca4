"""A terminal that is not read, a reader that went away, and a file that is no terminal whatever is wished for."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import select
import threading
from collections.abc import Iterator
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from reid_tui.console import MOST, Patient, Unhurried, console_on, print_line, say_at_once, settle

WISHES = ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM", "TERM")
LONG = "margin 1.00 → 1.05 in " + "/a/long/path" * 20 + " at step 1,234  loss 0.0969"


@pytest.fixture(autouse=True)
def no_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WISHES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stream:
        yield stream
    os.close(master)


@pytest.mark.parametrize("wish", [{}, {"FORCE_COLOR": "1"}, {"TTY_COMPATIBLE": "1"}, {"TTY_INTERACTIVE": "1"}])
def test_a_wish_for_colour_makes_no_terminal_of_a_file(wish: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in wish.items():
        monkeypatch.setenv(name, value)
    file = io.StringIO()
    console = console_on(file)
    assert not console.is_terminal
    assert not console.animates
    assert (console.color_system is not None) == bool({"FORCE_COLOR", "TTY_COMPATIBLE"} & set(wish))
    print_line(console, LONG)
    console.print(LONG)
    assert file.getvalue() == f"{LONG}\n" * 2
    with console.status("looking"):
        pass
    assert file.getvalue() == f"{LONG}\n" * 2


@pytest.mark.parametrize(
    ("wish", "animates", "colored"),
    [
        ({}, True, True),
        ({"FORCE_COLOR": ""}, True, False),
        ({"NO_COLOR": "1"}, True, True),  # rich: emphasis without colours
        ({"TERM": "dumb"}, False, False),
        ({"TTY_COMPATIBLE": "0"}, False, False),
        ({"TTY_INTERACTIVE": "0"}, False, True),
    ],
)
def test_what_moves_on_a_terminal(
    wish: dict[str, str], animates: bool, colored: bool, terminal: TextIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in wish.items():
        monkeypatch.setenv(name, value)
    console = console_on(terminal)
    assert console.is_terminal
    assert (console.animates, console.color_system is not None) == (animates, colored)


@given(st.lists(st.sampled_from(["0.0969", "1,234", "→", "rank-1", "日本", "x" * 30]), max_size=12), st.integers(1, 50))
def test_a_narrow_terminal_gets_every_word_whole(words: list[str], width: int) -> None:
    file = io.StringIO()
    console = Patient(file=file, width=width, force_terminal=True, color_system=None)
    print_line(console, "  ".join(words), "step 7  ")
    lines = file.getvalue().splitlines()
    assert " ".join(lines).split() == ["step", "7", *words]
    assert all(line.startswith(" " * len("step 7  ")) for line in lines[1:])
    for line in lines:
        assert Console().measure(line).maximum <= width or len(line[8:].split()) <= 1


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
        console = console_on(stream, waits=False)
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
        console = console_on(stream, waits=False)
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
    console = console_on(stream, waits=False)
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

"""Consoles whose reader may go away or stop reading: neither ends or holds up whoever talks.

What is a terminal says the stream itself; FORCE_COLOR and its like are a wish for colour, and make none of a file.
"""

from __future__ import annotations

import contextlib
import io
import os
import queue
import select
import threading
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from reid_tui.files import write_all

if TYPE_CHECKING:
    from typing import TextIO

WIDEST: Final = 10_000
"""Columns where there is no terminal, so that nothing is folded there."""
MOST: Final = 64
"""Writes that may wait for a terminal that is not read."""


class Patient(Console):
    """A console whose reader may go away without ending the process."""

    @property
    def animates(self) -> bool:
        """Whether something can move on it."""
        return self.is_terminal and self.is_interactive and not self.is_dumb_terminal

    def on_broken_pipe(self) -> None:
        """Let the caller decide."""
        raise  # the error that is being handled


class Unhurried(io.TextIOBase):
    """A terminal, written to by a thread of its own. Of what it does not take, whole writes are dropped."""

    def __init__(self, terminal: TextIO) -> None:
        """Take a stream with nothing left to flush."""
        self._descriptor = terminal.fileno()
        self._encoding = terminal.encoding
        self._waiting: queue.SimpleQueue[bytes | threading.Event] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="reid-tui-terminal", daemon=True).start()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Of the terminal."""
        return self._encoding

    def fileno(self) -> int:
        """The terminal's own."""
        return self._descriptor

    def isatty(self) -> bool:
        """It is one."""
        return True

    def writable(self) -> bool:
        """At any time."""
        return True

    def write(self, text: str, /) -> int:
        """Leave a text; never waits, safe from a signal handler."""
        if self._waiting.qsize() < MOST:
            self._waiting.put(text.encode(self._encoding, errors="replace"))
        return len(text)

    def settle(self, seconds: float) -> None:
        """Wait until all is written, at most so long."""
        written = threading.Event()
        self._waiting.put(written)
        written.wait(seconds)

    def _work(self) -> None:
        while True:
            item = self._waiting.get()
            if isinstance(item, threading.Event):
                item.set()
            else:
                with contextlib.suppress(OSError):  # it went away
                    write_all(self._descriptor, item)


def console_on(stream: TextIO, *, waits: bool = True) -> Patient:
    """A console with colour as rich decides, and a terminal's ways on a terminal only.

    Args:
        stream: what is written to.
        waits: False drops what a terminal that is not read does not take, and asks for `settle` at the end.
    """
    terminal = stream.isatty()
    return Patient(
        file=Unhurried(stream) if terminal and not waits else stream,  # type: ignore[arg-type]
        color_system=Console(file=stream).color_system,  # type: ignore[arg-type]
        force_terminal=terminal,
        force_interactive=None if terminal and os.environ.get("TTY_COMPATIBLE") != "0" else False,
        width=None if terminal else WIDEST,
        highlight=False,
    )


def print_line(console: Console, text: str, head: str = "", style: str = "", head_style: str = "") -> None:
    """Print a line. A terminal too narrow for it gets several, broken at spaces only: no number, no path is cut in two.

    Args:
        console: to print on.
        text: safe to print.
        head: stands before it; further lines begin below its end.
        style: of the text.
        head_style: of the head.
    """
    lines = [Text(text)]
    if console.is_terminal:
        lines = list(Text(text, overflow="ignore").wrap(console, max(console.width - len(head), 1)))
    for line in lines:
        line.rstrip()
    body = Text("\n" + " " * len(head)).join(lines)
    body.stylize(style)
    console.print(Text.assemble((head, head_style), body), soft_wrap=True)


def settle(console: Console, seconds: float) -> None:
    """Give a terminal so long to take the rest."""
    if isinstance(console.file, Unhurried):
        console.file.settle(seconds)


def say_at_once(console: Console, text: str) -> None:
    """Write a text, whatever else is being written there; from a signal handler, so it neither waits nor raises."""
    if isinstance(console.file, Unhurried):
        console.file.write(text)
        return
    with contextlib.suppress(OSError, ValueError):
        descriptor = console.file.fileno()
        if select.select([], [descriptor], [], 0)[1]:
            os.write(descriptor, text.encode())

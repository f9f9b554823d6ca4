"""Consoles whose reader may go away or stop reading: neither ends or holds up whoever talks."""

from __future__ import annotations

import contextlib
import io
import os
import queue
import select
import threading
from typing import TYPE_CHECKING, Final

from rich.console import Console

from reid_tui.files import write_all

if TYPE_CHECKING:
    from typing import TextIO

MOST: Final = 64
"""Writes that may wait for a terminal that is not read."""


class Patient(Console):
    """A console whose reader may go away without ending the process."""

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


def console_on(stream: TextIO) -> Patient:
    """A console that is as patient as its stream needs."""
    return Patient(file=Unhurried(stream) if stream.isatty() else stream, highlight=False)  # type: ignore[arg-type]


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

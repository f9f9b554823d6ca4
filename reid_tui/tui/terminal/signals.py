"""Signals while a screen is up, and in the moment in which it closes: none is lost, whoever has the main thread."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import signal
from typing import TYPE_CHECKING, Final

from reid_tui.signals import SAVING, STOPPING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

TAKEN: Final = (*STOPPING, *SAVING)


class Signals:
    """Hands each signal to the event loop; what the loop could not take any more waits to be taken by `missed`.

    Asyncio's own handlers would end with the loop and give the signals back to the kernel, which ends the process.
    """

    def __init__(self, take: Callable[[str], None]) -> None:
        """Call `take` in the loop with the name of each signal."""
        self._take = take
        self._waiting: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context = contextvars.Context()

    def watch(self) -> None:
        """Take the signals from now on; inside the running loop, in the main thread."""
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()  # which app is active, as Textual asks: a signal's own does not say
        for number in TAKEN:
            signal.signal(number, self._came)
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # Textual's own handler would stop the training with the screen

    def missed(self) -> list[str]:
        """The names of those that came too late for the loop, once."""
        missed, self._waiting = self._waiting, []
        return missed

    def _came(self, number: int, _frame: FrameType | None) -> None:
        self._waiting.append(signal.Signals(number).name)
        with contextlib.suppress(RuntimeError):  # the loop is closed
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._deliver, context=self._context)

    def _deliver(self) -> None:
        for name in self.missed():
            self._take(name)

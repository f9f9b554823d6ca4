"""A terminal that is not read: Textual's writer holds a few frames and then blocks the event loop with the next.

So nothing is drawn while frames wait, and once they are gone one repaint shows everything as it is by then. A line that
is merely slow gets fewer frames in the same way. What Textual writes past all drawing, such as another pointer for a
dialog, may wait without limit: it is little, and the event loop must hear a signal.
"""

from __future__ import annotations

from contextlib import ExitStack
from queue import Queue
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from textual.app import App

MOST: Final = 6
"""Writes that may wait. A frame is up to three of them, and the writer's own limit is 30."""


class Backlog:
    """Asked at every tick whether to draw; holds back Textual's own repaints too, such as a cursor's blinking."""

    def __init__(self, app: App[None]) -> None:
        self._app = app
        self._hold = ExitStack()
        self._holding = False

    def check(self) -> bool:
        """Whether to wait in this tick, because the terminal has not taken what was drawn before."""
        writes = _queue(self._app._driver)
        if writes is not None:
            writes.maxsize = 0
        waiting = waiting_writes(self._app._driver)
        if self._holding and not waiting:
            self._holding = False
            self._hold.close()
            self._app.screen.refresh()
        elif not self._holding and waiting > MOST:
            self._holding = True
            self._hold.enter_context(self._app.batch_update())
        return self._holding


def waiting_writes(driver: object) -> int:
    """How many writes the terminal has not taken yet; 0 where this version of Textual does not tell."""
    writes = _queue(driver)
    return 0 if writes is None else writes.qsize()


def _queue(driver: object) -> Queue[str | None] | None:
    found = getattr(getattr(driver, "_writer_thread", None), "_queue", None)
    return found if isinstance(found, Queue) else None

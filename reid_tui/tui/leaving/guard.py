"""Ends the process where a terminal that nobody reads holds up what should be done at once."""

from __future__ import annotations

import logging
import os
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_WAIT: Final = 5.0
"""Seconds that the terminal gets to take the screen's last bytes, and what is said after it."""


class Guard:
    """Its thread begins with it: one that begins when memory has run out may be waited for without end."""

    def __init__(self) -> None:
        self._watched: SimpleQueue[tuple[threading.Event, Callable[[], int]]] = SimpleQueue()
        threading.Thread(target=self._watch, daemon=True).start()

    def end_unless(self, done: threading.Event, code: Callable[[], int]) -> None:
        """End with a code if something is not done in time."""
        self._watched.put((done, code))

    def _watch(self) -> None:
        while True:
            done, code = self._watched.get()
            if not done.wait(_WAIT):
                logging.shutdown()
                os._exit(code())

"""Refusals on their way out: of equal ones within a second one is told, with how many they were.

A key that is held down is refused thirty times a second. The first is told at once, those after it together.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from reid_tui.training.events import CommandRefused, Listener

WINDOW_S: Final = 1.0
Kind = tuple[str, str, str]


class Refusals:
    """Those of one trainer. Equal is what has the same command, reason and origin."""

    def __init__(self, listener: Listener, clock: Callable[[], float] = time.monotonic) -> None:
        """Tell a listener, by a clock of steady seconds."""
        self._listener = listener
        self._clock = clock
        self._waiting: dict[Kind, CommandRefused] = {}
        self._told: dict[Kind, float] = {}

    def take(self, event: CommandRefused) -> None:
        """Keep it until `tell`."""
        kind = (event.command, event.reason, event.origin)
        before = self._waiting.pop(kind, None)
        self._waiting[kind] = replace(event, count=event.count + (before.count if before else 0))

    def due_in(self) -> float | None:
        """Seconds until something that waits may be told, None where nothing waits."""
        now = self._clock()
        return min((max(0.0, self._last(kind) + WINDOW_S - now) for kind in self._waiting), default=None)

    def tell(self, *, all_of_them: bool = False) -> None:
        """Tell what has waited long enough, or all."""
        now = self._clock()
        for kind in [kind for kind in self._waiting if all_of_them or now - self._last(kind) >= WINDOW_S]:
            self._listener(self._waiting.pop(kind))
            self._told[kind] = now
        self._told = {kind: at for kind, at in self._told.items() if now - at < WINDOW_S}

    def _last(self, kind: Kind) -> float:
        return self._told.get(kind, float("-inf"))

"""How often a panel may be drawn: at most once an interval, and never for more than a small share of the time."""

from __future__ import annotations

from typing import Final

SHARE: Final = 0.015
"""Of one core, for one panel."""
LONGEST: Final = 3.0
"""Seconds; a slow machine still gets a picture now and then."""


class Pace:
    """A due time that moves on by what the last drawing cost. The clock is the caller's."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._due = 0.0

    def due(self, now: float) -> bool:
        """Whether it may be drawn at `now`, in seconds."""
        return now >= self._due

    def drawn(self, now: float, cost: float) -> None:
        """It was drawn at `now` and took `cost` seconds of the processor."""
        self._due = now + max(self._interval, min(cost / SHARE, LONGEST))

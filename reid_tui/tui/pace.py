"""How often a panel may be drawn: at most once an interval, and never for more than a small share of the time."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

SHARE: Final = 0.015
"""Of one core, for one panel."""
LONGEST: Final = 3.0
"""Seconds; a slow machine still gets a picture now and then."""


class Rhythm(NamedTuple):
    """How often things are drawn, but for what must be seen at once."""

    numbers: float
    """Seconds between two drawings of header, numbers or log."""
    charts: float
    """Seconds between two drawings of a chart, which costs far more bytes."""
    widgets: int
    """Drawn in one tick."""


def rhythm(fps: int) -> Rhythm:
    """What `fps` ticks a second leave for each widget. Numbers move once a second at the least, charts every two.

    Intervals end a little before a tick, so that a tick that comes early still counts.
    """
    numbers, charts = min(max(3.8 / fps, 0.25), 0.95), min(max(9.5 / fps, 0.5), 1.9)
    wanted = 2 / numbers + 3 / charts
    return Rhythm(numbers, charts, math.ceil(wanted / fps))


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

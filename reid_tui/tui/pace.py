"""How often a panel may be drawn: at most once an interval, and never for more than a small share of the time."""

from __future__ import annotations

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
    maps: float
    """Seconds between two drawings of the map or the distances, which change all over."""


def rhythm(fps: int) -> Rhythm:
    """What is drawn every second of `fps` ticks a second, every fourth and every eighth.

    Numbers move once a second at the least. Intervals end a little before a tick, so that a tick that comes early still
    counts.
    """
    numbers = min(max(1.9 / fps, 0.25), 0.95)
    return Rhythm(numbers, 2 * numbers, 4 * numbers)


class Pace:
    """A due time that moves on by what the last drawing cost. The clock is the caller's.

    What has the same interval is due at the same moments: a repaint costs far less than the waking up for it, and
    Textual makes one repaint of all that is drawn in one tick.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._due = 0.0

    def due(self, now: float) -> bool:
        """Whether it may be drawn at `now`, in seconds."""
        return now >= self._due

    def drawn(self, now: float, cost: float, slower: float = 1.0) -> None:
        """It was drawn at `now` and took `cost` seconds of the processor; `slower` stretches the interval."""
        interval = self._interval * slower
        self._due = max((now // interval + 1) * interval, now + min(cost / SHARE, LONGEST))

"""Time spent training, pauses left out, and the pace of the last steps."""

from __future__ import annotations

import time
from collections import deque
from typing import Final

RATE_STEPS: Final = 50
"""Pairs per second is a mean over so many steps."""


class Stopwatch:
    """Runs from `start` until `stop`, as often as needed. Monotonic: clock changes do not reach it."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._since: float | None = None
        self._steps: deque[tuple[float, int]] = deque(maxlen=RATE_STEPS)

    @property
    def seconds(self) -> float:
        """Trained so far; set it to go on from an earlier part of the run."""
        running = 0.0 if self._since is None else time.perf_counter() - self._since
        return self._seconds + running

    @seconds.setter
    def seconds(self, value: float) -> None:
        self._seconds = value
        self._since = None if self._since is None else time.perf_counter()

    def start(self) -> None:
        """Go on; without effect while running."""
        if self._since is None:
            self._since = time.perf_counter()

    def stop(self) -> None:
        """Pause; without effect while stopped."""
        self._seconds = self.seconds
        self._since = None

    def count_step(self, seconds: float, pairs: int) -> None:
        """Take a step's duration into the pace."""
        self._steps.append((seconds, pairs))

    @property
    def pairs_per_s(self) -> float:
        """Over the last steps alone, whatever lay between them; 0 before the first."""
        seconds = sum(item[0] for item in self._steps)
        return sum(item[1] for item in self._steps) / seconds if seconds > 0 else 0.0

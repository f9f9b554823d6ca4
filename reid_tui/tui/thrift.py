"""What the screen costs, and how much less often it is drawn where that is too much.

Training computes on the same cores.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from reid_tui.view.numbers import NumberRow

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY: Final = 5.0
"""Seconds over which the cost is counted."""
LIMIT: Final = 0.025
"""Of one core, for the screen's thread; more slows it down."""
SLOWEST: Final = 4.0
"""Times that an interval is stretched at most, once for the machine and once for the line."""


class Thrift:
    """Asked once a tick. The clocks are the caller's; that of the processor counts the seconds of its own thread."""

    def __init__(self, written: Callable[[], int], cpu: Callable[[], float] = time.thread_time) -> None:
        """Count nothing yet.

        Args:
            written: bytes that the terminal has taken so far.
            cpu: seconds that the processor has spent on the screen.
        """
        self._written, self._cpu = written, cpu
        self._began: tuple[float, float, int] | None = None
        self._behind = self._asked = False
        self._for_machine = self._for_line = 1.0
        self._cost = ""

    @property
    def slower(self) -> float:
        """How many times an interval is stretched."""
        return max(self._for_machine, self._for_line)

    @property
    def rows(self) -> tuple[NumberRow, ...]:
        """For the numbers panel; none before the first count."""
        if not self._cost:
            return ()
        rows = (NumberRow("screen", self._cost),)
        if self.slower < 1.05:
            return rows
        why = "slow line" if self._for_line >= self._for_machine else "slow machine"
        return (*rows, NumberRow("slowed", f"{self.slower:.1f}x, {why}"))

    def tick(self, now: float, *, behind: bool, asked: bool) -> None:
        """Count, and after `EVERY` seconds decide anew.

        Args:
            now: seconds.
            behind: the terminal has not taken what was written.
            asked: a key or a command is being answered, which may cost what it needs.
        """
        if self._began is None:
            self._began = now, self._cpu(), self._written()
        self._behind, self._asked = self._behind or behind, self._asked or asked
        began, cpu, written = self._began
        if (seconds := now - began) < EVERY:
            return
        self._began = now, self._cpu(), self._written()
        share = (self._began[1] - cpu) / seconds
        self._cost = f"{100 * share:.1f} %  {(self._began[2] - written) / seconds / 1000:.1f} kB/s"
        if not self._asked:
            self._for_machine = _within(self._for_machine * share / LIMIT)
        self._for_line = _within(self._for_line * (2.0 if self._behind else 0.5))
        self._behind = self._asked = False


def _within(slower: float) -> float:
    return min(max(slower, 1.0), SLOWEST)

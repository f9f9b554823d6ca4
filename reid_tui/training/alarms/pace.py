"""The rule over the pace: throughput that has fallen to half."""

from __future__ import annotations

from statistics import median
from typing import Final

from reid_tui.training.alarms.block import Block
from reid_tui.training.alarms.rule import OVER, Finding, News, Span

APART_S: Final = 1.0
"""Seconds of training between two looks."""
KNOWN: Final = 30
"""Looks whose median is trusted."""
IN_A_ROW: Final = 10
"""Looks that a slow pace must last."""
MOST: Final = 1024
"""Looks that are kept; every second one goes when there are more."""
_SLOW, _WELL = 0.5, 0.75


class Slow:
    """Pairs a second are less than half of what they were for most of the run."""

    alarm = "slow"
    remedy = "see what else uses the processor (reid-tui doctor)"

    def __init__(self, _span: Span) -> None:
        self._paces: list[float] = []
        self._looked_s = float("-inf")
        self._slow: list[int] = []
        """Steps of the looks in a row that were slow."""

    def take(self, news: News, *, raised: bool) -> Finding | None:
        """Look at blocks, once a second. What is slow does not count as what is usual."""
        if not isinstance(news, Block) or not news.pairs_per_s > 0 or news.wall_s < self._looked_s + APART_S:
            return None
        self._looked_s = news.wall_s
        usual = median(self._paces) if len(self._paces) >= KNOWN else 0.0
        if news.pairs_per_s >= (_WELL if raised else _SLOW) * usual:
            self._slow.clear()
            self._paces.append(news.pairs_per_s)
            if len(self._paces) > MOST:
                del self._paces[1::2]
            return OVER
        self._slow = [*self._slow, news.step][:IN_A_ROW]
        if raised or len(self._slow) < IN_A_ROW:
            return None
        return Finding(True, self._slow[0], f"{news.pairs_per_s:,.0f} pairs/s, usually {usual:,.0f}")

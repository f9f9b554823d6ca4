"""Rules over what an embedding looks like and is worth: overfitting, its length, one identity that swallows others."""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from reid_tui.training.alarms.block import Block
from reid_tui.training.alarms.rule import OVER, Finding, News, Span
from reid_tui.training.events import DistancesReady, Evaluated
from reid_tui.training.splits import BY_WORTH

if TYPE_CHECKING:
    from reid_tui.evaluation.hub import Hub

WIDENINGS: Final = 3
_WIDER: Final = 0.02
"""By which the gap in mAP must have grown in all."""
EARLY: Final = 5
"""Snapshots whose median length is the measure."""
_LONGER, _SHORTER = 10.0, 5.0
"""Times the early length where an explosion begins, and below which it is over."""
_OUTRIGHT: Final = 100.0
"""Margins that no embedding needs."""
_MANY, _FEWER = 0.25, 0.2
"""Share of the other identities' images that have the hub nearest."""
_ERRORS: Final = 0.5


class _Gap(NamedTuple):
    step: int
    gap: float
    """mAP of the seen identities above that of the unseen ones."""
    unseen: float


class Overfitting:
    """Seen and unseen identities part: the gap widens while the unseen ones gain nothing."""

    alarm = "overfitting"
    remedy = "go back to the best checkpoint (b), or start anew with --augment or --weight-decay"

    def __init__(self, _span: Span) -> None:
        self._seen: Evaluated | None = None
        self._gaps: deque[_Gap] = deque(maxlen=WIDENINGS + 1)
        self._begun: _Gap | None = None

    def take(self, news: News, *, raised: bool) -> Finding | None:
        """Look at scores: of one evaluation the seen ones come first."""
        if not isinstance(news, Evaluated):
            return None
        if news.split == "seen":
            self._seen = news
        seen = self._seen
        if news.split != "unseen" or seen is None or seen.step != news.step or math.isnan(seen.map - news.map):
            return None
        self._gaps.append(_Gap(news.step, seen.map - news.map, news.map))
        return self._still(self._gaps[-1]) if raised else self._widens()

    def _widens(self) -> Finding | None:
        gaps = list(self._gaps)
        first, last = gaps[0], gaps[-1]
        wider = all(one.gap < later.gap for one, later in pairwise(gaps))
        if len(gaps) <= WIDENINGS or not wider or last.gap - first.gap < _WIDER or last.unseen > first.unseen:
            return None
        self._begun = first
        words = f"seen identities are {last.gap:.3f} mAP above unseen ones, {last.gap - first.gap:.3f} more than before"
        return Finding(True, first.step, words)

    def _still(self, now: _Gap) -> Finding | None:
        begun = self._begun
        return OVER if begun is None or now.gap <= begun.gap or now.unseen > begun.unseen else None


class Norm:
    """Embeddings grow longer and longer: distances lose their scale."""

    alarm = "norm"
    remedy = "lower the learning rate (r) and go back (b), or start anew with --normalize or --weight-decay"

    def __init__(self, span: Span) -> None:
        self._margin = math.nan if span.start.config.why_no_margin else span.start.margin
        self._early: list[float] = []
        self._before = math.inf

    def take(self, news: News, *, raised: bool) -> Finding | None:
        """Look at the lengths that come with histograms."""
        if isinstance(news, Block) and not math.isnan(self._margin):
            self._margin = news.margin
        if not isinstance(news, DistancesReady) or math.isnan(news.norm):
            return None
        grows, self._before = news.norm > self._before, news.norm
        if raised:
            return OVER if not self._exploded(news.norm, _SHORTER) else None
        holds = grows and self._exploded(news.norm, _LONGER)
        if not holds and len(self._early) < EARLY:
            self._early.append(news.norm)
        return Finding(True, news.step, f"embeddings are {news.norm:.3g} long{self._measure()}") if holds else None

    def _exploded(self, norm: float, times: float) -> bool:
        """Against what it was and the margin; against the margin alone before much is known."""
        if norm >= _OUTRIGHT * times / _LONGER * self._margin:
            return True
        early = len(self._early) == EARLY and norm >= times * median(self._early)
        return early and not norm < times * self._margin

    def _measure(self) -> str:
        return f", {median(self._early):.3g} at the beginning" if self._early else ""


class OneSwallows:
    """One identity is the nearest to images of all others."""

    alarm = "hub"
    remedy = "look at its images, take harder pairs (--miner hard) or more dimensions (--embedding-dim)"

    def __init__(self, span: Span) -> None:
        self._names = span.start.dataset.identity_names

    def take(self, news: News, *, raised: bool) -> Finding | None:
        """Look at scores of the split that counts."""
        if not isinstance(news, Evaluated) or news.split not in BY_WORTH[:2]:
            return None
        hub = news.hub
        if hub is None or hub.share < (_FEWER if raised else _MANY) or hub.errors < _ERRORS:
            return OVER
        return Finding(True, news.step, f"{self._name(hub)} is nearest to {hub.share:.0%} of the others' images")

    def _name(self, hub: Hub) -> str:
        known = 0 <= hub.identity < len(self._names)
        return self._names[hub.identity] if known else f"identity {hub.identity}"

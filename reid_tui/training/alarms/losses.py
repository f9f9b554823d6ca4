"""Rules over losses: collapse, nothing left to learn, a plateau."""

from __future__ import annotations

import math
from collections import deque
from itertools import islice
from statistics import fmean
from typing import TYPE_CHECKING, Final

from reid_tui.training.alarms.block import Block
from reid_tui.training.alarms.rule import OVER, Finding, News, Span
from reid_tui.training.events import DistancesReady, Evaluated
from reid_tui.training.splits import chooses

if TYPE_CHECKING:
    from collections.abc import Iterable

NEAR: Final = 0.05
"""In margins: pairs that are this near are not told apart."""
_ALL, _MOST = 0.99, 0.9
"""Share of the pairs that are near where a collapse begins, and below which it is over."""
_PLATEAU, _OFF_PLATEAU = 0.03, 0.06
"""How far the loss may lie from that of equal embeddings where a collapse begins, and where it still lasts."""
_NOTHING, _SOMETHING = 0.01, 0.02
"""Share of the different pairs inside the margin."""
_COLLAPSED: Final = 0.1
"""As near to the loss of equal embeddings, whose same pairs cost nothing, nothing inside the margin is no success."""
_FLAT, _FALLS = 0.005, 0.01
"""By which share the loss falls from one half of the window to the other."""
_END: Final = 0.9
"""Share of the run after which a plateau is its end."""


class _Window:
    """The newest blocks that were trained with one margin."""

    def __init__(self, blocks: int) -> None:
        self._blocks: deque[Block] = deque(maxlen=blocks)

    def add(self, block: Block) -> bool:
        """Take a block, unless none of its losses was finite; whether the window is full."""
        if math.isnan(block.loss):
            return False
        if self._blocks and self._blocks[-1].margin != block.margin:
            self._blocks.clear()
        self._blocks.append(block)
        return len(self._blocks) == self._blocks.maxlen

    @property
    def first(self) -> int:
        return self._blocks[0].first

    @property
    def loss(self) -> float:
        return fmean(block.loss for block in self._blocks)

    @property
    def inside(self) -> float:
        return fmean(block.inside for block in self._blocks)

    def first_below(self, inside: float) -> int:
        """Where the first block begins that has less inside the margin."""
        return next((block.first for block in self._blocks if block.inside < inside), self.first)

    @property
    def halves(self) -> tuple[float, float]:
        """Mean loss of the earlier half, and of the later one."""
        middle = len(self._blocks) // 2
        return _loss(islice(self._blocks, middle)), _loss(islice(self._blocks, middle, None))


def _loss(blocks: Iterable[Block]) -> float:
    return fmean(block.loss for block in blocks)


def share_within(event: DistancesReady, distance: float, *, same: bool = True) -> float:
    """Share of the pairs no farther apart, of all of them or of the different ones; linear inside a bin."""
    counts = [a + b for a, b in zip(event.same, event.different, strict=True)] if same else list(event.different)
    found = 0.0
    for low, high, count in zip(event.edges[:-1], event.edges[1:], counts, strict=True):
        found += count * min(max((distance - low) / (high - low), 0.0), 1.0)
    return found / sum(counts) if sum(counts) else math.nan


class Collapse:
    """All embeddings become equal: the loss lies where that leaves it, or the distances are gone."""

    alarm = "collapse"
    remedy = "lower the learning rate (r) and go back (b)"

    def __init__(self, span: Span) -> None:
        self._config = span.start.config
        self._margin = span.start.margin
        self._window = _Window(span.short)
        self._near = 0.0
        self._near_since: int | None = None
        self._near_twice = False
        self._apart = False
        """Whether the newest picture shows clearly different distances."""
        self._on_plateau: int | None = None

    def take(self, news: News, *, raised: bool) -> Finding | None:
        """Look at blocks and histograms."""
        match news:
            case Block():
                self._margin = news.margin
                self._look_at_loss(news, _OFF_PLATEAU if raised else _PLATEAU)
            case DistancesReady():
                self._look_at_distances(news)
            case _:
                return None
        return self._finding(raised=raised)

    def _look_at_loss(self, block: Block, tolerance: float) -> None:
        """The contrastive loss of equal embeddings: each different pair costs the margin's square, and half are."""
        if self._config.loss != "contrastive" or not self._window.add(block):
            self._on_plateau = None
            return
        equal = self._margin**2 / 2
        on_it = abs(self._window.loss / equal - 1) <= tolerance
        self._on_plateau = (self._on_plateau or self._window.first) if on_it else None

    def _look_at_distances(self, event: DistancesReady) -> None:
        scale = 1.0 if self._config.why_no_margin else self._margin
        self._near = share_within(event, NEAR * scale)
        self._apart = share_within(event, scale / 4) < 0.5
        if self._near < _ALL:
            self._near_since, self._near_twice = None, False
        else:
            self._near_twice = self._near_since is not None
            self._near_since = self._near_since or event.step

    def _finding(self, *, raised: bool) -> Finding | None:
        if self._on_plateau is not None and not self._apart:
            words = f"the loss {self._window.loss:.3g} is that of equal embeddings, half the margin squared"
            return Finding(True, self._on_plateau, words)
        if self._near_twice and self._near_since is not None:
            return Finding(True, self._near_since, f"{self._near:.0%} of all pairs are hardly apart any more")
        return None if raised and self._near >= _MOST else OVER


class NothingLeft:
    """Hardly a different pair is inside the margin: only same pairs are still pulled together."""

    alarm = "nothing_left"
    remedy = "raise the margin (+) or take harder pairs (--miner hard)"

    def __init__(self, span: Span) -> None:
        self._contrastive = span.start.config.loss == "contrastive"
        self._window = _Window(span.short)

    def take(self, news: News, *, raised: bool) -> Finding | None:
        """Look at blocks. Equal embeddings cost the same pairs nothing, and are no success."""
        if not isinstance(news, Block) or math.isnan(news.inside) or not self._window.add(news):
            return None
        inside = self._window.inside
        collapsed = self._contrastive and abs(2 * self._window.loss / news.margin**2 - 1) <= _COLLAPSED
        if inside >= (_SOMETHING if raised else _NOTHING) or collapsed:
            return OVER
        return Finding(
            True, self._window.first_below(_NOTHING), f"only {inside:.1%} of the different pairs are inside the margin"
        )


class Plateau:
    """The loss does not fall any more, and no evaluation is the best one so far."""

    alarm = "plateau"
    remedy = "lower the learning rate (r), turn the margin (+, -), or stop here (X)"

    def __init__(self, span: Span) -> None:
        self._last = _END * span.start.total_steps
        self._window = _Window(span.long)
        self._patience = span.short
        self._flat: list[int] = []
        """Where the window began, of each block in a row after which it was flat."""
        self._best: dict[str, tuple[float, int]] = {}
        """By split, the highest mAP and its step."""

    def take(self, news: News, *, raised: bool) -> Finding | None:
        """Look at blocks and scores."""
        match news:
            case Evaluated():
                return OVER if self._is_best(news) and raised else None
            case Block() if self._window.add(news):
                return self._look(news, raised=raised)
            case _:
                return None

    def _look(self, block: Block, *, raised: bool) -> Finding | None:
        before, after = self._window.halves
        falls = 1 - after / before if before > 0 else 0.0
        best = self._best.get(chooses(self._best), (math.nan, 0))[1] if self._best else 0
        if not falls < (_FALLS if raised else _FLAT) or best >= self._window.first:
            self._flat.clear()
            return OVER
        self._flat = [*self._flat, self._window.first][: self._patience]
        if raised or len(self._flat) < self._patience or block.step > self._last:
            return None
        words = f"the loss {after:.3g} has not fallen for {block.step - self._flat[0]:,} steps"
        return Finding(True, self._flat[0], words)

    def _is_best(self, event: Evaluated) -> bool:
        if not event.map > self._best.get(event.split, (-math.inf, 0))[0]:
            return False
        self._best[event.split] = event.map, event.step
        return event.split == chooses(self._best)

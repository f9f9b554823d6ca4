"""What the screen knows of a run, and what follows from it. `fold` is the only way in which it changes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np

from reid_tui.training.events import Failed, Finished, Lost, Stopped
from reid_tui.training.splits import chooses, main_split
from reid_tui.view.history import History
from reid_tui.view.text import fixed
from reid_tui.view.trails import Trails

if TYPE_CHECKING:
    from reid_tui.training.events import (
        AlarmRaised,
        CheckpointSaved,
        DistancesReady,
        Diverged,
        EmbeddingsReady,
        Evaluated,
        PairExplained,
        Phase,
        PictureEmbedded,
        RunStarted,
    )
    from reid_tui.view.history import Mark
    from reid_tui.view.wording import LogLine

Badge = Literal[
    "LOADING", "TRAINING", "PAUSED", "EVALUATING", "SAVING", "DONE", "DIVERGED", "FAILED", "STOPPED", "CRASHED"
]
_BADGES: Final[dict[Phase, Badge]] = {
    "importing": "LOADING",
    "loading": "LOADING",
    "training": "TRAINING",
    "evaluating": "EVALUATING",
    "saving": "SAVING",
}


class WayBack(NamedTuple):
    """A checkpoint that can be gone back to, and what it is."""

    step: int
    words: str


@dataclass(frozen=True, slots=True, eq=False)
class RunState:
    """A run as far as events have told. Every text in it is safe to print. Numbers are NaN until known."""

    phase: Phase = "importing"
    detail: str = ""
    """What the trainer is doing, as a sentence."""
    done: int = 0
    total: int = 0
    """How much of that is done, of how much; 0 where that is not known."""
    paused: bool = False
    diverged: Diverged | None = None
    ended: Failed | Stopped | Finished | Lost | None = None
    started: RunStarted | None = None
    step: int = 0
    epoch: int = 0
    """From 1; 0 before the first step."""
    loss: float = math.nan
    """Of the newest step whose loss was finite."""
    margin: float = math.nan
    """NaN too where the loss has none."""
    lr: float = math.nan
    scored_margin: float = math.nan
    """At the newest evaluation; NaN where none is left."""
    scored_lr: float = math.nan
    """The same."""
    rate: float = math.nan
    """The learning rate of the newest step, its schedule counted."""
    teaching: float = math.nan
    """Share of its pairs that still cost something; NaN too where all always do."""
    pairs_seen: int = 0
    pairs_per_s: float = math.nan
    wall_s: float = 0.0
    """Seconds trained, pauses left out."""
    skipped: int = 0
    history: History = field(default_factory=History)
    embeddings: EmbeddingsReady | None = None
    """The newest snapshot of the map that carries its arrays, else the newest one."""
    trails: Trails = field(default_factory=Trails)
    """What earlier snapshots showed."""
    gallery: EmbeddingsReady | None = None
    """The newest one of a whole evaluation, with its embeddings."""
    train_gallery: EmbeddingsReady | None = None
    """The newest one of training images, with its embeddings."""
    distances: DistancesReady | None = None
    suspects: frozenset[tuple[str, int]] = frozenset()
    """Split and row of the images that somebody suspects of a wrong label."""
    left_out: frozenset[int] = frozenset()
    """Rows of the training images that no epoch to come forms pairs with."""
    picture: PictureEmbedded | None = None
    """The newest one that somebody asked about."""
    explained: PairExplained | None = None
    """The newest answer to which parts of a pair decide."""
    checkpoints: tuple[CheckpointSaved, ...] = ()
    """The good ones, oldest first. A run keeps the newest of them, the best by mAP and those that were asked for."""
    alarms: tuple[AlarmRaised, ...] = ()
    """Those that stand, the newest last."""
    log: tuple[LogLine, ...] = ()
    """The newest lines, at most `fold.MAX_LOG`, oldest first."""
    log_count: int = 0
    """Lines ever logged, so that a widget can tell which of `log` are new to it."""

    @property
    def badge(self) -> Badge:
        """The one word for the header."""
        match self.ended:
            case Finished():
                return "DONE"
            case Stopped():
                return "STOPPED"
            case Failed():
                return "FAILED"
            case Lost():
                return "DIVERGED" if self.diverged else "CRASHED"
        if self.phase != "training":
            return _BADGES[self.phase]
        return "DIVERGED" if self.diverged else "PAUSED" if self.paused else "TRAINING"

    @property
    def why_no_margin(self) -> str:
        """Why the margin does nothing in this run, as a clause; empty where it does something or that is not known."""
        return self.started.config.why_no_margin if self.started else ""

    @property
    def total_steps(self) -> int:
        """Planned optimiser steps, 0 before the run started."""
        return self.started.total_steps if self.started else 0

    @property
    def progress(self) -> float:
        """Share of the planned steps that is done, in 0..1."""
        return min(self.step / self.total_steps, 1.0) if self.total_steps else 0.0

    @property
    def eta_s(self) -> float:
        """Seconds of training left at the present rate, NaN while that is not known."""
        if self.ended or not self.step or not self.pairs_seen or not self.pairs_per_s > 0:
            return math.nan
        left = max(self.total_steps - self.step, 0) * (self.pairs_seen / self.step) / self.pairs_per_s
        return left if math.isfinite(left) else math.nan

    @property
    def epoch_text(self) -> str:
        """Such as `2/5`; empty before the run started."""
        return f"{self.epoch}/{self.started.epochs}" if self.started else ""

    @property
    def identity_names(self) -> tuple[str, ...]:
        """Of the test images, in the order of their labels."""
        return self.started.dataset.identity_names if self.started else ()

    @property
    def classes(self) -> tuple[int, ...]:
        """Labels of the identities that the map shows, or before it shows any of those that are named; rising."""
        shown = self.embeddings.identities if self.embeddings else None
        return tuple(range(len(self.identity_names))) if shown is None else tuple(np.unique(shown).tolist())

    @property
    def split(self) -> str:
        """The split whose scores count most among those evaluated."""
        return main_split(item.split for item in self.history.evaluations)

    @property
    def scores(self) -> Evaluated | None:
        """The newest scores of `split`."""
        return self.scores_of(self.split)

    @property
    def threshold(self) -> float:
        """Pairs no farther apart are the same: fitted at the newest evaluation; of older logs that of the distances."""
        fitted = self.scores.fitted if self.scores else None
        if fitted is not None:
            return fitted.threshold
        return self.distances.threshold if self.distances else math.nan

    def scores_of(self, split: str) -> Evaluated | None:
        """The newest scores of a split."""
        return next((item for item in reversed(self.history.evaluations) if item.split == split), None)

    def scores_before(self, newest: Evaluated) -> Evaluated | None:
        """The scores of its split before the newest, on as many images: of others the difference tells no change."""
        items = [e for e in self.history.evaluations if e.split == newest.split and e.images == newest.images]
        return items[-2] if len(items) > 1 else None

    @property
    def best(self) -> Evaluated | None:
        """The evaluation with the highest mAP, of the split that chooses the best checkpoint."""
        return max(self._choosing, key=lambda item: item.map, default=None)

    @property
    def _choosing(self) -> list[Evaluated]:
        split = chooses(item.split for item in self.history.evaluations)
        return [item for item in self.history.evaluations if item.split == split and math.isfinite(item.map)]

    @property
    def ways_back(self) -> tuple[WayBack, ...]:
        """Where the run may go back to: the newest good checkpoint, the best one by mAP, else the beginning."""
        earlier = [saved.step for saved in self.checkpoints if saved.step < self.step]
        if not earlier:
            return (WayBack(0, "the beginning"),) if self.step else ()
        scores = {item.step: item.map for item in self._choosing}
        best = max((step for step in reversed(earlier) if step in scores), key=lambda step: scores[step], default=None)
        ways = [WayBack(earlier[-1], "the newest good checkpoint")]
        if best is not None and best != earlier[-1]:
            ways.append(WayBack(best, f"the best one, mAP {fixed(scores[best], 3)}"))
        return tuple(ways)

    @property
    def margin_changes(self) -> tuple[Mark, ...]:
        """Every change of the margin, oldest first."""
        return tuple(mark for mark in self.history.marks if mark.kind == "margin")

"""What the screen knows of a run: one frozen `RunState`, made from events by `fold` and by nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, assert_never

from reid_tui.training.events import (
    AnyEvent,
    CheckpointSaved,
    CommandRefused,
    DistancesReady,
    Diverged,
    EmbeddingsReady,
    EpochEnded,
    Evaluated,
    Failed,
    Finished,
    LrChanged,
    MarginChanged,
    Paused,
    Phase,
    PhaseChanged,
    Progress,
    Resumed,
    RunStarted,
    Stopped,
    Warned,
)
from reid_tui.view.history import EpochMean, History, Mark
from reid_tui.view.wording import LogLine, cleaned, log_line

Badge = Literal[
    "LOADING", "TRAINING", "PAUSED", "EVALUATING", "SAVING", "DONE", "DIVERGED", "FAILED", "STOPPED"
]
MAX_LOG: Final = 1000
_BADGES: Final[dict[Phase, Badge]] = {
    "importing": "LOADING",
    "loading": "LOADING",
    "training": "TRAINING",
    "evaluating": "EVALUATING",
    "saving": "SAVING",
}
_SPLITS_BY_WORTH: Final = ("unseen", "test", "seen")


@dataclass(frozen=True, slots=True, eq=False)
class RunState:
    """A run as far as events have told. Every text in it is safe to print. Numbers are NaN until known."""

    phase: Phase = "importing"
    detail: str = ""
    """What the trainer is doing, as a sentence."""
    paused: bool = False
    diverged: Diverged | None = None
    ended: Failed | Stopped | Finished | None = None
    started: RunStarted | None = None
    step: int = 0
    epoch: int = 0
    """From 1; 0 before the first step."""
    loss: float = math.nan
    """Of the newest step whose loss was finite."""
    margin: float = math.nan
    lr: float = math.nan
    pairs_seen: int = 0
    pairs_per_s: float = math.nan
    wall_s: float = 0.0
    """Seconds trained, pauses left out."""
    skipped: int = 0
    history: History = field(default_factory=History)
    embeddings: EmbeddingsReady | None = None
    """The newest snapshot that carries its arrays, else the newest one."""
    distances: DistancesReady | None = None
    checkpoint: CheckpointSaved | None = None
    log: tuple[LogLine, ...] = ()
    """The newest `MAX_LOG` lines, oldest first."""
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
        if self.phase != "training":
            return _BADGES[self.phase]
        return "DIVERGED" if self.diverged else "PAUSED" if self.paused else "TRAINING"

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
        return max(self.total_steps - self.step, 0) * (self.pairs_seen / self.step) / self.pairs_per_s

    @property
    def epoch_text(self) -> str:
        """Such as `2/5`; empty before the run started."""
        return f"{self.epoch}/{self.started.epochs}" if self.started else ""

    @property
    def identity_names(self) -> tuple[str, ...]:
        """Of the test images, in the order of their labels."""
        return self.started.dataset.identity_names if self.started else ()

    @property
    def split(self) -> str:
        """The split whose scores count most among those evaluated: unseen, test, seen, or else the newest."""
        splits = {item.split for item in self.history.evaluations}
        named = [split for split in _SPLITS_BY_WORTH if split in splits]
        return named[0] if named else self.history.evaluations[-1].split if splits else "test"

    @property
    def scores(self) -> Evaluated | None:
        """The newest scores of `split`."""
        return self._scored(1)

    @property
    def scores_before(self) -> Evaluated | None:
        """The scores of `split` before the newest, to tell the change."""
        return self._scored(2)

    @property
    def best(self) -> Evaluated | None:
        """The evaluation of `split` with the highest mAP."""
        items = [item for item in self.history.evaluations if item.split == self.split and math.isfinite(item.map)]
        return max(items, key=lambda item: item.map, default=None)

    @property
    def margin_changes(self) -> tuple[Mark, ...]:
        """Every change of the margin, oldest first."""
        return tuple(mark for mark in self.history.marks if mark.kind == "margin")

    def _scored(self, nth_from_end: int) -> Evaluated | None:
        items = [item for item in self.history.evaluations if item.split == self.split]
        return items[-nth_from_end] if len(items) >= nth_from_end else None


def fold(state: RunState, events: Iterable[AnyEvent]) -> RunState:
    """The state after these events; `state` itself stays as it was.

    A resumed run first replays its old events and then tells `RunStarted` with a step above 0: what lay beyond that step
    is forgotten, because those steps are taken again.

    Args:
        state: what was known.
        events: a whole batch in the order in which they happened.
    """
    losses: list[Progress] = []
    lines: list[LogLine] = []
    for event in events:
        if type(event) is Progress:
            losses.append(event)
            continue
        state, losses = _with_progress(state, losses), []
        state = _folded(state, event)
        if (line := log_line(event)) is not None:
            lines.append(line)
    state = _with_progress(state, losses)
    if lines:
        state = replace(state, log=(*state.log, *lines)[-MAX_LOG:], log_count=state.log_count + len(lines))
    return state


def _with_progress(state: RunState, steps: Sequence[Progress]) -> RunState:
    if not steps:
        return state
    last = steps[-1]
    finite = next((event.loss for event in reversed(steps) if math.isfinite(event.loss)), state.loss)
    return replace(
        state,
        # A step was taken, so no evaluation or save is under way. A single step leaves a pause a pause.
        phase="training",
        detail="" if state.phase != "training" else state.detail,
        step=last.step,
        epoch=last.epoch,
        loss=finite,
        margin=last.margin,
        lr=last.lr,
        pairs_seen=last.pairs_seen,
        pairs_per_s=last.pairs_per_s,
        wall_s=last.wall_s,
        skipped=last.skipped,
        history=state.history.with_losses([event.step for event in steps], [event.loss for event in steps]),
    )


def _folded(state: RunState, event: AnyEvent) -> RunState:
    history = state.history
    change: dict[str, Any]
    match event:
        case PhaseChanged():
            change = {"phase": event.phase, "detail": cleaned(event).detail}
        case RunStarted():
            return _with_start(state, cleaned(event))
        case EpochEnded():
            change = {"history": history.with_epoch(EpochMean(event.epoch, event.step, event.loss))}
        case Evaluated():
            change = {"history": history.with_evaluation(cleaned(event))}
        case EmbeddingsReady():
            lost = event.points is None and state.embeddings is not None and state.embeddings.points is not None
            change = {} if lost else {"embeddings": event}
        case DistancesReady():
            change = {"distances": event}
        case Paused():
            change = {"paused": True, "phase": "training"}
        case Resumed():
            change = {"paused": False, "diverged": None, "phase": "training"}
        case MarginChanged():
            mark = Mark(event.step, "margin", event.old, event.new)
            change = {"margin": event.new, "history": history.with_mark(mark)}
        case LrChanged():
            change = {"lr": event.new, "history": history.with_mark(Mark(event.step, "lr", event.old, event.new))}
        case CheckpointSaved():
            change = {"checkpoint": cleaned(event)}
        case Diverged():
            change = {"diverged": cleaned(event), "paused": True, "phase": "training"}
        case Failed() | Stopped() | Finished():
            change = {"ended": cleaned(event), "step": max(state.step, event.step)}
        case CommandRefused() | Warned() | Progress():
            change = {}
        case _:
            assert_never(event)
    return replace(state, **change) if change else state


def _with_start(state: RunState, event: RunStarted) -> RunState:
    """A start at step 0 is a new run; a later one continues what was replayed."""

    def kept(item: Any) -> Any:
        return item if item is not None and item.step <= event.step else None

    before = state if event.step else RunState(log=state.log, log_count=state.log_count)
    history = before.history.cut(event.step)
    return replace(
        before,
        phase="training",
        detail="",
        paused=False,
        diverged=None,
        ended=None,
        started=event,
        step=event.step,
        epoch=min(event.step // max(event.steps_per_epoch, 1) + 1, event.epochs),
        loss=float(history.losses[-1]) if history.length else math.nan,
        margin=event.margin,
        lr=event.lr,
        history=history,
        embeddings=kept(before.embeddings),
        distances=kept(before.distances),
        checkpoint=kept(before.checkpoint),
        pairs_per_s=math.nan,
    )

"""How events become what the screen knows: `fold`, a pure function from one `RunState` to the next."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar, assert_never

from reid_tui.training.events import (
    AlarmOver,
    AlarmRaised,
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
    ImageLeftOut,
    Lost,
    LrChanged,
    MarginChanged,
    Output,
    PairExplained,
    Paused,
    PhaseChanged,
    PictureEmbedded,
    Progress,
    Resumed,
    Rewound,
    RunStarted,
    Stopped,
    SuspectMarked,
    Warned,
)
from reid_tui.training.splits import TRAIN
from reid_tui.view.history import EpochMean, Mark
from reid_tui.view.run_state import RunState
from reid_tui.view.wording import LogLine, cleaned, log_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_LOG: Final = 1000
MAX_CHECKPOINTS: Final = 1000
_Kind = TypeVar("_Kind", EmbeddingsReady, DistancesReady)


def fold(state: RunState, events: Iterable[AnyEvent]) -> RunState:
    """The state after these events; `state` itself stays as it was.

    A resumed run first replays its old events and then tells `RunStarted` with a step above 0: what lay beyond that
    step is forgotten, because those steps are taken again.

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
        before, losses = _with_progress(state, losses), []
        state = _folded(before, event)
        if (line := log_line(event)) is not None and not _goes_on(event, before):
            lines.append(line)
    state = _with_progress(state, losses)
    if lines:
        state = replace(state, log=(*state.log, *lines)[-MAX_LOG:], log_count=state.log_count + len(lines))
    return state


def _goes_on(event: AnyEvent, before: RunState) -> bool:
    """Whether it tells of more done of the very thing that was being done."""
    if not isinstance(event, PhaseChanged) or not event.total:
        return False
    return (event.phase, cleaned(event).detail) == (before.phase, before.detail)


def _with_progress(state: RunState, steps: Sequence[Progress]) -> RunState:
    if not steps:
        return state
    last = steps[-1]
    told = [one for event in steps for one in event.of_steps()]
    numbers, losses = [step for step, _ in told], [loss for _, loss in told]
    finite = next((loss for loss in reversed(losses) if math.isfinite(loss)), state.loss)
    return replace(
        state,
        # A step was taken, so no evaluation or save is under way. A single step leaves a pause a pause.
        phase="training",
        detail="" if state.phase != "training" else state.detail,
        step=last.step,
        epoch=last.epoch,
        loss=finite,
        margin=_by_margin(state, last.margin),
        lr=last.lr,
        rate=last.rate,
        teaching=_by_margin(state, last.teaching),
        pairs_seen=last.pairs_seen,
        pairs_per_s=last.pairs_per_s,
        wall_s=last.wall_s,
        skipped=last.skipped,
        history=state.history.with_losses(numbers, losses),
    )


def _folded(state: RunState, event: AnyEvent) -> RunState:
    history = state.history
    change: dict[str, Any]
    match event:
        case PhaseChanged():
            change = {
                "phase": event.phase,
                "detail": cleaned(event).detail,
                "done": event.done,
                "total": event.total,
            }
        case RunStarted():
            return _with_start(state, cleaned(event))
        case EpochEnded():
            change = {"history": history.with_epoch(EpochMean(event.epoch, event.step, event.loss))}
        case Evaluated():
            change = {
                "history": history.with_evaluation(cleaned(event)),
                "scored_margin": state.margin,
                "scored_lr": state.lr,
            }
        case EmbeddingsReady():
            change = _with_snapshot(state, event)
        case DistancesReady():
            change = {"distances": event}
        case Paused():
            change = {"paused": True, "phase": "training", "step": event.step}
        case Resumed():
            change = {"paused": False, "diverged": None, "phase": "training"}
        case MarginChanged() if not state.why_no_margin:
            mark = Mark(event.step, "margin", event.old, event.new, event.on_the_way)
            change = {"margin": event.new, "history": history.with_mark(mark)}
        case LrChanged():
            change = {"lr": event.new, "history": history.with_mark(Mark(event.step, "lr", event.old, event.new))}
        case SuspectMarked():
            image = {(event.split, event.row)}
            change = {"suspects": state.suspects | image if event.marked else state.suspects - image}
        case ImageLeftOut():
            change = {"left_out": state.left_out | {event.row} if event.out else state.left_out - {event.row}}
        case PairExplained():
            change = {"explained": event}
        case PictureEmbedded():
            change = {"picture": cleaned(event)}
        case CheckpointSaved():
            return replace(state, checkpoints=_with_checkpoint(state.checkpoints, cleaned(event)))
        case AlarmRaised() | AlarmOver():
            others = tuple(item for item in state.alarms if item.alarm != event.alarm)
            change = {"alarms": (*others, cleaned(event)) if isinstance(event, AlarmRaised) else others}
        case Diverged():
            change = {"diverged": cleaned(event), "paused": True, "phase": "training", "step": event.step}
        case Finished():
            change = {"ended": cleaned(event), "step": event.step, "wall_s": event.wall_s}
        case Failed() | Stopped() | Lost():
            change = {"ended": cleaned(event), "step": max(state.step, event.step)}
        case Rewound():
            return _rewound(state, event)
        case CommandRefused() | Warned() | Output() | Progress() | MarginChanged():
            change = {}
        case _:
            assert_never(event)
    return replace(state, **change) if change else state


def _with_start(state: RunState, event: RunStarted) -> RunState:
    """A start at step 0 is a new run; a later one continues what was replayed."""
    before = state if event.step else RunState(log=state.log, log_count=state.log_count)
    begun = replace(before, detail="", done=0, total=0, paused=False, ended=None, started=event, pairs_per_s=math.nan)
    return _back_at(begun, event)


def _rewound(state: RunState, event: Rewound) -> RunState:
    """Older logs do not say what the checkpoint brings back; a start follows there, which does."""
    if not math.isfinite(event.margin):
        return state
    back = _back_at(state, event)
    return replace(back, pairs_seen=event.pairs_seen, skipped=event.skipped, wall_s=event.wall_s)


def _back_at(state: RunState, event: RunStarted | Rewound) -> RunState:
    """Where a checkpoint left off; what came after it is forgotten, because those steps are taken again."""
    history = state.history.cut(event.step, margin=event.margin, lr=event.lr)
    scores_kept = len(history.evaluations) == len(state.history.evaluations)
    start = state.started
    return replace(
        state,
        phase="training",
        diverged=None,
        alarms=(),
        step=event.step,
        epoch=min(event.step // max(start.steps_per_epoch, 1) + 1, start.epochs) if start else 0,
        loss=float(history.losses[-1]) if history.length else math.nan,
        margin=_by_margin(state, event.margin),
        lr=event.lr,
        left_out=frozenset(event.left_out),
        scored_margin=state.scored_margin if scores_kept else math.nan,
        scored_lr=state.scored_lr if scores_kept else math.nan,
        history=history,
        embeddings=_until(state.embeddings, event.step),
        trails=state.trails.until(event.step),
        gallery=_until(state.gallery, event.step),
        train_gallery=_until(state.train_gallery, event.step),
        distances=_until(state.distances, event.step),
        checkpoints=tuple(saved for saved in state.checkpoints if saved.step <= event.step),
    )


def _with_snapshot(state: RunState, event: EmbeddingsReady) -> dict[str, Any]:
    """Those that are full are galleries too; training images are on no map."""
    whole = event.embeddings is not None
    if event.split == TRAIN:
        return {"train_gallery": event} if whole else {}
    lost = event.points is None and state.embeddings is not None and state.embeddings.points is not None
    return ({} if lost else {"embeddings": event, "trails": state.trails.after(event)}) | (
        {"gallery": event} if whole else {}
    )


def _by_margin(state: RunState, value: float) -> float:
    """A margin, or what only a margin gives a meaning; NaN where it does nothing."""
    return math.nan if state.why_no_margin else value


def _with_checkpoint(known: tuple[CheckpointSaved, ...], event: CheckpointSaved) -> tuple[CheckpointSaved, ...]:
    """Of one step the last counts; what a divergence left is none to go on from."""
    if not event.good or event.reason == "diverged":
        return known
    return (*(saved for saved in known if saved.step < event.step), event)[-MAX_CHECKPOINTS:]


def _until(event: _Kind | None, step: int) -> _Kind | None:
    return event if event is not None and event.step <= step else None

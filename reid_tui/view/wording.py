"""What each event reads like in the log panel and in plain output."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from reid_tui.text import printable
from reid_tui.training.events import (
    AnyEvent,
    CheckpointSaved,
    CommandRefused,
    Diverged,
    EpochEnded,
    Evaluated,
    Failed,
    Finished,
    ImageLeftOut,
    Lost,
    LrChanged,
    MarginChanged,
    Output,
    Paused,
    PhaseChanged,
    Resumed,
    Rewound,
    RunStarted,
    Stopped,
    SuspectMarked,
    Warned,
)
from reid_tui.view.text import D_PRIME, amount, count, duration, fixed, plain

if TYPE_CHECKING:
    from reid_tui.config import RunConfig

LogKind = Literal[
    "phase",
    "run",
    "epoch",
    "scores",
    "margin",
    "lr",
    "image",
    "saved",
    "refused",
    "warning",
    "paused",
    "resumed",
    "error",
    "end",
    "output",
]
LONGEST = 1000
"""Characters of a message from data, files or libraries that are shown."""
_Kind = TypeVar("_Kind", bound=AnyEvent)


@dataclasses.dataclass(frozen=True, slots=True)
class LogLine:
    """Something that happened. `text` is one line and safe to print."""

    step: int
    kind: LogKind
    text: str
    time: float
    """Unix seconds."""


def log_line(event: AnyEvent) -> LogLine | None:
    """The event as a line for the log, None for what would fill it at every step."""
    worded = _worded(event)
    if worded is None:
        return None
    kind, text = worded
    if event.origin and event.origin not in text:
        text = f"{text} · {event.origin}"
    return LogLine(event.step, kind, printable(text, LONGEST), event.time)


def cleaned(event: _Kind) -> _Kind:
    """The event with every text in it safe to print."""
    changed: dict[str, Any] = {}
    for item in dataclasses.fields(event):
        value = getattr(event, item.name)
        if isinstance(value, str) and (safe := printable(value, LONGEST)) != value:
            changed[item.name] = safe
    if isinstance(event, RunStarted):
        facts = event.dataset
        changed["dataset"] = dataclasses.replace(
            facts,
            name=printable(facts.name),
            source=printable(facts.source, LONGEST),
            choice=printable(facts.choice),
            identity_names=tuple(printable(name) for name in facts.identity_names),
        )
    return dataclasses.replace(event, **changed) if changed else event


def precision_chosen(config: RunConfig) -> str:
    """Which precision was taken of those that were timed, and why; empty where none was timed."""
    if not config.precision_why:
        return ""
    faster = f", {plain(config.precision_gain)} times as fast as fp32" if config.precision_gain > 1 else ""
    return f"{config.precision} chosen{faster}: {config.precision_why}"


def device_text(started: RunStarted) -> str:
    """What is trained on, and by how many processes where there are several."""
    return f"{started.processes} x {started.device}" if started.processes > 1 else started.device


def precision_short(started: RunStarted) -> str:
    """The precision and what it gains, for a line without room."""
    gain = started.config.precision_gain
    return f"{started.precision} {plain(gain, 2)}x" if gain > 1 else started.precision


def last_words(event: AnyEvent | None) -> str:
    """The line with which a command ends where an end needs one, else nothing; safe to print."""
    match event:
        case Failed(message=words) | Finished(note=words):
            return printable(words, LONGEST)
        case _:
            return ""


def scores_text(event: Evaluated) -> str:
    """The scores in the order in which the panel shows them, and what they are of."""
    return (
        f"{event.split}: rank-1 {fixed(event.rank1, 3)}  mAP {fixed(event.map, 3)}  AUC {fixed(event.auc, 3)}"
        f"  EER {fixed(event.eer, 3)}  {D_PRIME} {fixed(event.d_prime, 2)}"
        f"{f'  threshold {fixed(event.fitted.threshold, 3)}' if event.fitted else ''}  on {scored_on(event)}"
    )


def scored_on(event: Evaluated) -> str:
    """On how many images and by which protocol, as far as the log tells."""
    lost = event.queries_without_match
    told = 0 < event.queries + lost < event.images
    images = f"{count(event.queries + lost)} queries in {count(event.gallery)}" if told else count(event.images)
    without = f"{count(lost)} queries without a match" if lost else ""
    return ", ".join(part for part in (f"{images} images", event.protocol, without) if part)


def _worded(event: AnyEvent) -> tuple[LogKind, str] | None:
    match event:
        case PhaseChanged():
            # Evaluations and saves tell of themselves when they are done.
            return ("phase", event.detail or event.phase) if event.phase in ("importing", "loading") else None
        case RunStarted():
            data, chosen = event.dataset, (precision_chosen(event.config), event.config.compile_why)
            return "run", (
                f"{'resumed' if event.step else 'started'} {event.run}: {data.name} ({data.source}), "
                f"{count(event.parameters)} parameters on {device_text(event)} in {event.precision}, "
                f"{count(event.total_steps)} steps{''.join(f'; {why}' for why in chosen if why)}"
            )
        case EpochEnded():
            return (
                "epoch",
                f"epoch {event.epoch} done, mean loss {fixed(event.loss, 4)}, {duration(event.wall_s)} trained",
            )
        case Evaluated():
            return "scores", scores_text(event)
        case MarginChanged():
            return "margin", f"margin {amount(event.old)} → {amount(event.new)}"
        case LrChanged():
            return "lr", f"learning rate {plain(event.old)} → {plain(event.new)}"
        case SuspectMarked():
            who = f"{event.split} image {count(event.row)} ({event.path or event.identity})"
            return "image", f"{who} {'may have' if event.marked else 'is not suspected any more of'} a wrong label"
        case ImageLeftOut():
            what = "is left out of pairs" if event.out else "is in pairs again"
            return "image", f"training image {count(event.row)} {what} from epoch {event.epoch} on"
        case CheckpointSaved():
            ruined = "" if event.good else "; its weights are ruined, no resume takes it"
            return "saved", f"saved {event.path} in {fixed(event.seconds, 2)} s ({event.reason}){ruined}"
        case Rewound():
            until = event.from_step
            one = event.step + 1 == until
            again = f"step {until} is taken again" if one else f"steps {event.step + 1} to {until} are taken again"
            return "run", f"went back to the checkpoint at step {event.step}: {again}"
        case CommandRefused():
            times = f" ({count(event.count)} times)" if event.count > 1 else ""
            return "refused", f"{event.command.replace('_', ' ')} refused{times}: {event.reason}"
        case Warned():
            return "warning", event.message
        case Paused():
            return "paused", "paused"
        case Resumed():
            return "resumed", "resumed"
        case Diverged():
            last = f"; last good checkpoint {event.checkpoint}" if event.checkpoint else ""
            return "error", f"diverged: {event.reason}{last}"
        case Failed():
            return "error", f"failed: {event.message}"
        case Lost():
            return "error", event.message
        case Output():
            return "output", event.text
        case Stopped():
            asked = "" if event.reason == "asked" else f" by {event.reason}"
            return "end", f"stopped{asked}{', saved' if event.saved else ', not saved'}"
        case Finished(note=note) if note:
            return "end", note
        case Finished():
            loss = f", last epoch's mean loss {fixed(event.loss, 4)}" if math.isfinite(event.loss) else ""
            return "end", f"finished after {count(event.steps)} steps in {duration(event.wall_s)}{loss}"
        case _:
            return None

"""What stands in the scrollback when a run is over: for `reid-tui train` and after the dashboard has closed."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING, Final

from rich.text import Text

from reid_tui.console import print_line
from reid_tui.text import printable
from reid_tui.training.events import Evaluated, Failed, Finished, Lost, Stopped
from reid_tui.training.splits import VALIDATION
from reid_tui.view.text import D_PRIME, amount, count, duration, fixed, plain
from reid_tui.view.wording import LONGEST, device_text, precision_short, scored_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from reid_tui.evaluation.operating import Fitted
    from reid_tui.view.history import Mark
    from reid_tui.view.run_state import RunState

_SHOWN_CHANGES: Final = 8
_COPIED: Final = ("ended", "checkpoint", "run", "to go on")
"""Rows with paths and commands: where they are too long the terminal breaks them, and copying them gives them whole."""

_RETRIEVAL: Final = (
    ("rank-1", "rank1"),
    ("rank-5", "rank5"),
    ("rank-10", "rank10"),
    ("mAP", "map"),
    ("mINP", "minp"),
)
_ALWAYS: Final = ("rank1", "map")
"""Older logs do not have the others."""


def summary_rows(state: RunState, run_dir: str = "", resume_command: str = "") -> list[tuple[str, str]]:
    """The rows of the closing table.

    Args:
        state: after the last event.
        run_dir: where the run lies; empty takes the run's name.
        resume_command: shown where the run can go on; empty takes `reid-tui train --resume` and where it lies.

    Returns:
        (label, text), each safe to print; rows of which nothing is known are left out.
    """
    rows = [("ended", _how_it_ended(state)), ("steps", _steps(state))]
    if state.started:
        start, data = state.started, state.started.dataset
        rows.append(("data", f"{data.name}, {count(data.train_images)} images ({data.source})"))
        computed = f"{device_text(start)}, {precision_short(start)}"
        rows.append(("model", f"{start.model}, {count(start.parameters)} parameters, {computed}"))
    rows.append(("loss", _loss(state)))
    for scores in _newest_per_split(state):
        rows += _score_rows(scores)
    rows.append(("best mAP", _best(state)))
    rows.append(("margin", _changes(state.margin_changes, state.margin, amount)))
    turned = tuple(mark for mark in state.history.marks if mark.kind == "lr")
    rows.append(("learning rate", _changes(turned, state.lr, plain) if turned else ""))
    rows.append(("skipped steps", count(state.skipped) if state.skipped else ""))
    rows.append(("checkpoint", checkpoint := _checkpoint(state)))
    rows.append(("run", printable(run_dir or (state.started.run if state.started else ""), LONGEST)))
    if state.started and checkpoint and not isinstance(state.ended, Finished):
        command = resume_command or f"reid-tui train --resume {shlex.quote(run_dir or state.started.run)}"
        rows.append(("to go on", printable(command, LONGEST)))
    return [(label, text) for label, text in rows if text]


def print_summary(state: RunState, console: Console, run_dir: str = "") -> None:
    """Print the closing table."""
    rows = summary_rows(state, run_dir)
    width = max((len(label) for label, _ in rows), default=0)
    for label, value in rows:
        head = f"{label:<{width}}  "
        if label in _COPIED:
            console.print(Text.assemble((head, "bold"), value), soft_wrap=True)
        else:
            print_line(console, value, head, head_style="bold")


def _how_it_ended(state: RunState) -> str:
    match state.ended:
        case Finished(reason=reason):
            return "all epochs done" if reason == "epochs" else "all steps done"
        case Failed(message=message):
            return f"failed: {message}"
        case Lost(message=message):
            return message
        case Stopped(reason=reason, saved=saved):
            first = f"diverged ({state.diverged.reason}), then stopped" if state.diverged else "stopped"
            by = "" if reason == "asked" else f" by {reason}"
            return f"{first}{by}, {'saved' if saved else 'not saved'}"
    return f"diverged: {state.diverged.reason}" if state.diverged else "not finished"


def _steps(state: RunState) -> str:
    if not state.started:
        return ""
    planned = f" of {count(state.total_steps)}" if state.total_steps != state.step else ""
    trained = f", {duration(state.wall_s)} trained" if state.wall_s > 0 else ""
    return f"{count(state.step)}{planned} (epoch {state.epoch_text}){trained}"


def _checkpoint(state: RunState) -> str:
    """The newest good one; a resumed run that diverged before it saved knows it from the divergence alone."""
    if state.checkpoints:
        newest = state.checkpoints[-1]
        return f"{newest.path} (step {count(newest.step)})"
    return state.diverged.checkpoint if state.diverged else ""


def _loss(state: RunState) -> str:
    means = state.history.epochs
    if not means:
        return f"{fixed(state.loss, 4)} at the last step" if math.isfinite(state.loss) else ""
    newest = " → ".join(fixed(mean.loss, 4) for mean in means[-_SHOWN_CHANGES:])
    return f"{'… → ' if len(means) > _SHOWN_CHANGES else ''}{newest} (epoch means)"


def _newest_per_split(state: RunState) -> list[Evaluated]:
    """The main one first; the validation reports nothing."""
    newest = {item.split: item for item in state.history.evaluations if item.split != VALIDATION}
    return sorted(newest.values(), key=lambda item: item.split != state.split)


def _score_rows(scores: Evaluated) -> list[tuple[str, str]]:
    found = [
        f"{label} {_with_interval(scores, field)}"
        for label, field in _RETRIEVAL
        if field in _ALWAYS or math.isfinite(getattr(scores, field))
    ]
    where = f"({scores.split}, {scored_on(scores)}, step {count(scores.step)})"
    rates = [f"{fixed(tar, 3)} at {plain(far)}" for far, tar in scores.tar_at_far if math.isfinite(tar)]
    where_equal = "" if scores.fitted else f" at threshold {fixed(scores.threshold, 3)}"
    told = [
        f"AUC {_with_interval(scores, 'auc')}",
        f"EER {_with_interval(scores, 'eer')}{where_equal}",
        f"{D_PRIME} {fixed(scores.d_prime, 2)}",
        *([f"TAR at FAR {', '.join(rates)}"] if rates else []),
    ]
    threshold = [("threshold", _threshold(scores.fitted))] if scores.fitted else []
    return [("retrieval", "  ".join([*found, where])), ("verification", "  ".join(told)), *threshold]


def _threshold(fitted: Fitted) -> str:
    """That of the equal error with both rates, and whose they are; then those for the rates that were asked for."""
    equal, *others = fitted.points
    people = f"{count(fitted.reported.identities)} identities"
    whose = (
        f"each half of {people} judged by what the other fitted" if fitted.apart else f"of the {people} that fitted it"
    )
    rates = f"FAR {_percent(equal.far, equal.far_interval)}, FRR {_percent(equal.frr, equal.frr_interval)}"
    by_rate = [f"{fixed(point.threshold, 3)} for FAR {plain(point.asked)}" for point in others if point.asked]
    return f"{fixed(equal.threshold, 3)}: {rates}, {whose}{'; ' * bool(by_rate)}{', '.join(by_rate)}"


def _percent(rate: float, interval: tuple[float, float]) -> str:
    """Such as 3.7 % (1.8 to 6.4), with its 95 % interval."""
    low, high = (plain(100 * end, 2) for end in interval)
    return f"{plain(100 * rate, 2)} % ({low} to {high})"


def _with_interval(scores: Evaluated, field: str) -> str:
    """Such as 0.912 (0.88 to 0.94), with a 95 % interval where one was estimated."""
    text = fixed(getattr(scores, field), 3)
    low, high = dict(scores.intervals).get(field, (math.nan, math.nan))
    return f"{text} ({fixed(low, 2)} to {fixed(high, 2)})" if math.isfinite(low + high) else text


def _best(state: RunState) -> str:
    """Of the split that chooses; where that reports too, only if it has become worse since."""
    best = state.best
    newest = best and state.scores_of(best.split)
    if best is None or newest is None:
        return ""
    text = f"{fixed(best.map, 3)} at step {count(best.step)}, {count(best.images)} images"
    if best.split == VALIDATION:
        return f"{text} of the validation, which chooses the best checkpoint"
    return text if best.map > newest.map else ""


def _changes(marks: tuple[Mark, ...], value: float, show: Callable[[float], str]) -> str:
    """1.00 → 1.10 at step 340 → 1.20 at step 400; of a straight line only where it ends, or has come to."""
    if not marks:
        return show(value) if math.isfinite(value) else ""
    told = [mark for mark in marks if not mark.ramp or mark is marks[-1]]
    shown = told[-_SHOWN_CHANGES:]
    first = show(marks[0].old) if len(shown) == len(told) else "…"
    return " → ".join([first, *(f"{show(mark.new)} at step {count(mark.step)}" for mark in shown)])

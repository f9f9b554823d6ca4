"""The margin as a function of the epoch: how a person writes it, and from which step on it has which value.

`1.0 until 2, to 2.0 until 5, 1.5` holds 1 for two epochs, goes in a straight line to 2 by the end of the fifth, and
holds 1.5 from there on.
"""

from __future__ import annotations

import itertools
import math
import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from reid_tui.config.choices import WITHOUT_MARGIN
from reid_tui.config.limits import LIMITS, Limit
from reid_tui.errors import UsageError

if TYPE_CHECKING:
    from reid_tui.config.options import RunConfig, RunOptions

MOST_PARTS: Final = 20
MOST_STAIRS: Final = 100
"""Changes in which a straight line is taken."""
NEVER: Final = 2**53
LABEL: Final = "--margin-schedule"
_PART: Final = re.compile(r"(?P<ramp>to\s+)?(?P<margin>[^\s]+)(?:\s+until\s+(?P<until>[^\s]+))?")
_EPOCHS: Final = Limit(0, 100_000, above=True)


class Part(NamedTuple):
    """One piece of a schedule."""

    margin: float
    until: float
    """Epochs done at its end; infinite for none."""
    ramp: bool
    """Whether the margin is only reached at its end, in a straight line."""

    def __str__(self) -> str:
        until = f" until {_plain(self.until)}" if math.isfinite(self.until) else ""
        return f"{'to ' if self.ramp else ''}{_plain(self.margin)}{until}"


def _plain(value: float) -> str:
    return repr(value).removesuffix(".0")


def margin_parts(text: str, label: str = LABEL) -> tuple[Part, ...]:
    """Read a schedule of the margin.

    Raises:
        UsageError: it is none, ends do not rise, or a number is out of its limits.
    """
    parts = [_part(piece.strip(), text, label) for piece in text.split(",")]
    if len(parts) > MOST_PARTS:
        raise UsageError(f"{label} must have at most {MOST_PARTS} parts, not {len(parts)}")
    for part in parts[:-1]:
        if not math.isfinite(part.until):
            raise UsageError(f"{label}: '{part}' is not the last part, so it must say until when: '{part} until 2'")
    for part, after in itertools.pairwise(parts):
        if after.until <= part.until:
            raise UsageError(f"{label}: each part must end later than the one before, '{after}' follows '{part}'")
    if parts[-1].ramp and not math.isfinite(parts[-1].until):
        raise UsageError(f"{label}: '{parts[-1]}' must say when it is there: '{parts[-1]} until 5'")
    return tuple(parts)


def _part(piece: str, text: str, label: str) -> Part:
    found = _PART.fullmatch(piece)
    if found is None:
        raise UsageError(
            f"{label} must be parts such as '1.0 until 2' or 'to 2.0 until 5' with commas between, "
            f"ends in epochs, not {text!r}"
        )
    until = math.inf if found["until"] is None else _EPOCHS.read(found["until"], f"{label}: 'until'")
    return Part(LIMITS["margin"].read(found["margin"], f"{label}: the margin"), until, found["ramp"] is not None)


def parse_margin_schedule(text: str, label: str = LABEL) -> str:
    """Accept a schedule of the margin.

    Returns:
        Its one spelling.

    Raises:
        UsageError: as `margin_parts`.
    """
    return ", ".join(map(str, margin_parts(text, label)))


def first_margin(options: RunOptions, default: float) -> float:
    """With which margin a run begins.

    Raises:
        UsageError: `--margin` says another one than the schedule.
    """
    first = margin_parts(options.margin_schedule)[0] if options.margin_schedule else None
    if first is None or first.ramp:
        return options.margin or default
    if options.margin not in (None, first.margin):
        raise UsageError(
            f"--margin {options.margin:g} contradicts {LABEL}, which begins with {first.margin:g}; leave it out"
        )
    return first.margin


def check_margin_schedule(config: RunConfig) -> None:
    """Refuse a schedule that the run's loss or embeddings leave without effect.

    Raises:
        UsageError: they do.
    """
    if config.margin_schedule is None:
        return
    if why := WITHOUT_MARGIN.get(config.loss):
        raise UsageError(f"{LABEL} does nothing with --loss {config.loss}: {why}; leave it out")
    highest = max(part.margin for part in margin_parts(config.margin_schedule))
    if highest > config.margin_limit.high:
        raise UsageError(
            f"{LABEL} must not go beyond {config.margin_limit.high:g} with --normalize, as it does with {highest:g}: "
            "embeddings of length 1 are never farther apart"
        )


class Change(NamedTuple):
    """The margin from the step on that follows so many."""

    step: int
    margin: float
    ramp: tuple[float, ...] = ()
    """Where the straight line begins and ends that it is part of."""


@dataclass(frozen=True, slots=True)
class MarginPlan:
    """What a schedule means in steps."""

    start: float
    changes: tuple[Change, ...] = ()
    """By rising step."""

    def before(self, done: int) -> Change:
        """The newest change for the step that follows so many."""
        place = bisect_right(self.changes, done, key=lambda change: change.step)
        return self.changes[place - 1] if place else Change(0, self.start)

    def next_after(self, done: int) -> int:
        """The step of the first change after so many steps."""
        place = bisect_right(self.changes, done, key=lambda change: change.step)
        return self.changes[place].step if place < len(self.changes) else NEVER


@lru_cache(8)
def margin_plan(schedule: str | None, start: float, per_epoch: int) -> MarginPlan:
    """The steps of a schedule's changes.

    A straight line is taken in even stairs, at most `MOST_STAIRS`: each holds the value that the line has where the
    stair begins.

    Args:
        schedule: as `parse_margin_schedule` gives it; None for none.
        start: the margin before the first step.
        per_epoch: steps.

    Raises:
        UsageError: as `margin_parts`.
    """
    changes: list[Change] = []
    at, now = 0, start
    for part in margin_parts(schedule) if schedule else ():
        end = round(part.until * per_epoch) if math.isfinite(part.until) else at
        if part.ramp:
            stairs = max(1, min(MOST_STAIRS, end - at))
            for stair in range(1, stairs + 1):
                value = part.margin if stair == stairs else round(now + (part.margin - now) * stair / stairs, 9)
                changes.append(Change(at + stair * (end - at) // stairs, value, (now, part.margin)))
        elif part.margin != now:
            changes.append(Change(at, part.margin))
        at, now = end, part.margin
    return MarginPlan(start, tuple(changes))

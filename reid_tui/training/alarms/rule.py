"""What an alarm's rule is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from reid_tui.training.alarms.block import Block
from reid_tui.training.events import DistancesReady, Evaluated

if TYPE_CHECKING:
    from reid_tui.training.events import RunStarted

News = Block | DistancesReady | Evaluated


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether the alarm holds, by what was told last."""

    holds: bool
    since: int = 0
    """The step at which it began."""
    message: str = ""
    """What is seen."""


OVER = Finding(holds=False)


@dataclass(frozen=True, slots=True)
class Span:
    """The windows of a run, in blocks."""

    start: RunStarted
    short: int
    """A twentieth of the run, at least 50 steps."""
    long: int
    """A fifth of the run, at least 250 steps."""


class Rule(Protocol):
    """Decides one alarm."""

    alarm: str
    remedy: str
    """What a person may do."""

    def take(self, news: News, *, raised: bool) -> Finding | None:
        """Look at what was told.

        Args:
            news: the newest.
            raised: whether the alarm stands; it ends only where things are clearly better than where it begins.

        Returns:
            None where that tells nothing new of it.
        """
        ...

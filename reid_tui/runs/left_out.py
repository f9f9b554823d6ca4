"""Training images that were left out of a run's pairs, as its log tells it. Loads without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reid_tui.training.events import ImageLeftOut, Rewound, RunStarted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reid_tui.training.events import AnyEvent


class LeftOutChanges:
    """Takes a log's events in their order. What a resume or a person took back does not count."""

    def __init__(self) -> None:
        self.changes: list[ImageLeftOut] = []

    def take(self, event: AnyEvent) -> None:
        """Take the next event."""
        match event:
            case ImageLeftOut():
                self.changes.append(event)
            case RunStarted() | Rewound():
                self.end(event.step, event.left_out)

    def end(self, step: int, left_out: Iterable[int]) -> None:
        """Leave out what came after a checkpoint, at its very step too, where that does not hold it.

        Args:
            step: of the checkpoint.
            left_out: what it leaves out of the epochs to come.
        """
        self.changes = [event for event in self.changes if event.step <= step]
        while self.changes and self.changes[-1].step == step and _left(self.changes) != frozenset(left_out):
            self.changes.pop()


def _left(changes: Iterable[ImageLeftOut]) -> frozenset[int]:
    last = {event.row: event.out for event in changes}
    return frozenset(row for row, out in last.items() if out)

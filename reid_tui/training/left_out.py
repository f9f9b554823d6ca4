"""Which training images no pair is drawn from, epoch by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from reid_tui.training.manifest import TrainingState

MOST: Final = 20_000
"""Images: a manifest holds them twice."""


class LeftOut:
    """A change acts from the next epoch on: the pairs of one that has begun stay as they are."""

    def __init__(self, per_epoch: int) -> None:
        """Leave nothing out; steps are counted by so many an epoch."""
        self._per_epoch = per_epoch
        self._now: frozenset[int] = frozenset()
        self._then: frozenset[int] = frozenset()
        self._from = 0
        """Epoch, from 0, from which `_then` holds."""

    def of(self, epoch: int) -> frozenset[int]:
        """Places of the images that an epoch, from 0, goes without."""
        return self._then if epoch >= self._from else self._now

    @property
    def last(self) -> frozenset[int]:
        """Of all epochs to come."""
        return self._then

    def change(self, row: int, step: int, *, out: bool) -> int:
        """After so many steps; returns the first epoch, from 0, that it acts in."""
        epoch = self.next_epoch(step)
        self._now, self._from = self.of(step // self._per_epoch), epoch
        self._then = self._then | {row} if out else self._then - {row}
        return epoch

    def next_epoch(self, step: int) -> int:
        """The first one, from 0, of which no step is done."""
        return -(-step // self._per_epoch)

    def state(self, step: int) -> dict[str, tuple[int, ...]]:
        """For a checkpoint."""
        epoch = step // self._per_epoch
        return {"left_out": tuple(sorted(self.of(epoch))), "left_out_next": tuple(sorted(self._then))}

    def restore(self, state: TrainingState) -> None:
        """As a checkpoint has it."""
        self._now, self._then = frozenset(state.left_out), frozenset(state.left_out_next)
        self._from = state.step // self._per_epoch + 1

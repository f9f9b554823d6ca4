"""Steps taken together: what rules look at instead of each step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from reid_tui.training.events import Progress

SMALLEST: Final = 10
"""Steps of a block."""
BLOCKS: Final = 400
"""At most so many in a run."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some steps in a row."""

    first: int
    """The first of them; steps count from 1."""
    step: int
    """The last one."""
    loss: float
    """Mean of those that are finite."""
    inside: float
    """Mean share of the different pairs inside the margin; NaN where there is none."""
    margin: float
    pairs_per_s: float
    wall_s: float


class Blocks:
    """Gathers progress into blocks."""

    def __init__(self, step: int, total_steps: int) -> None:
        """Of a run that has done so many steps of so many."""
        self.length = max(SMALLEST, total_steps // BLOCKS)
        self._begin(step)

    def of(self, share: float, total_steps: int, least: int) -> int:
        """How many blocks make such a share of a run, and at least so many."""
        return max(least, math.ceil(share * total_steps / self.length))

    def add(self, event: Progress) -> Block | None:
        """Take what was told of one or more steps; the block that they complete."""
        for loss in event.losses or (event.loss,):
            if math.isfinite(loss):
                self._loss += loss
                self._losses += 1
        if math.isfinite(event.inside):
            self._inside += event.inside
            self._insides += 1
        if event.step - self._done < self.length:
            return None
        block = Block(
            first=self._done + 1,
            step=event.step,
            loss=self._loss / self._losses if self._losses else math.nan,
            inside=self._inside / self._insides if self._insides else math.nan,
            margin=event.margin,
            pairs_per_s=event.pairs_per_s,
            wall_s=event.wall_s,
        )
        self._begin(event.step)
        return block

    def _begin(self, step: int) -> None:
        self._done = step
        self._loss = self._inside = 0.0
        self._losses = self._insides = 0

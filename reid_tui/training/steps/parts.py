"""What a step reads and changes, and what it says of itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from reid_tui.learning.networks import layout_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor, nn
    from torch.nn import Parameter
    from torch.optim import Optimizer

    from reid_tui.config import RunConfig
    from reid_tui.data.dataset import IntArray
    from reid_tui.data.pairs import EpochPairs
    from reid_tui.learning.averages import WeightAverage
    from reid_tui.learning.objectives import Objective
    from reid_tui.training.placed import PlacedImages
    from reid_tui.training.together.group import Group


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step did. `applied` is False where loss or gradient were not finite: the weights are as they were."""

    loss: float
    applied: bool
    teaching: float = math.nan
    """Share of the pairs, or triplets, that still cost something."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """All that a step works with. The learner owns it."""

    config: RunConfig
    device: torch.device
    images: PlacedImages
    identities_N: IntArray
    """Of the images, or of these and their turns."""
    network: nn.Module
    objective: Objective | None
    """None where drawn pairs, or all pairs alike, are the loss."""
    parameters: list[Parameter]
    """Of both."""
    optimizer: Optimizer
    average: WeightAverage | None
    margin: Tensor
    """() float32 on the device."""
    group: Group | None = None
    """The processes that share each step; None where there is one."""

    @property
    def layout(self) -> torch.memory_format:
        """In which order images lie, as the weights do."""
        return layout_on(self.device, self.config.precision)


class Steps(Protocol):
    """Takes steps, in whatever way the device, the precision and the settings ask for."""

    @property
    def at_once(self) -> int:
        """Most steps that one call should take, so that nobody waits long for it."""
        ...

    def loss(self, pairs: EpochPairs, step: int) -> Tensor:
        """() float32, what a batch costs, with its graph. Changes no weight."""
        ...

    def take(self, batches: Sequence[EpochPairs], step: int, rates: Sequence[float]) -> list[StepResult]:
        """Take one optimiser step on each batch, unless its loss or gradient is not finite.

        Args:
            batches: index pairs into the training images.
            step: of the run, from 0, that the first one is; decides what is drawn for it.
            rates: learning rate of each.
        """
        ...

    def restored(self) -> None:
        """The optimiser's state was replaced: its tensors are others."""
        ...

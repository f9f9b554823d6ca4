"""An exponential moving average of a network's weights, which is then what is evaluated, shown and used."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final

import torch

from reid_tui.errors import CheckpointError
from reid_tui.learning.weights import put_weights
from reid_tui.text import printable

if TYPE_CHECKING:
    from torch import Tensor, nn

PREFIX: Final = "average."
"""Of the average's tensors in a checkpoint."""


class WeightAverage:
    """A second network whose every number follows that of the first.

    Buffers too: the running statistics of a batch normalisation belong to the weights that made them, and those of the
    averaged weights lie near the average of theirs. What is no float, such as a count of batches, is copied.

    After a run's step `n` the old average keeps min(decay, (1 + n) / (10 + n)): without that a short run would be
    evaluated on a good part of its initial weights. It depends on the step alone, so there is no count to save.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        """Start from a network as it is.

        Args:
            network: to follow.
            decay: share that the old average keeps in a step, from 0 (the network itself) to below 1.
        """
        self.network = copy.deepcopy(network).requires_grad_(requires_grad=False).eval()
        self._decay = decay
        mine, followed = self.network.state_dict(), network.state_dict()
        names = [name for name, value in mine.items() if value.is_floating_point()]
        self._averages, self._values = [mine[name] for name in names], [followed[name] for name in names]
        self._copies = [(mine[name], followed[name]) for name in mine.keys() - set(names)]

    def share(self, step: int) -> float:
        """What the network's weights count in the average after an optimiser step.

        Args:
            step: steps of the run so far, from 1.
        """
        return 1 - min(self._decay, (1 + step) / (10 + step))

    @torch.no_grad()
    def update(self, share: float | Tensor) -> None:
        """Follow the network after an optimiser step.

        Args:
            share: as `share` gives it; as a () tensor it may still be under way to the device.
        """
        weights = [share] * len(self._averages) if isinstance(share, torch.Tensor) else share
        torch._foreach_lerp_(self._averages, self._values, weights)
        for copied, value in self._copies:
            copied.copy_(value)

    def tensors(self) -> dict[str, Tensor]:
        """The average by name, on the CPU and contiguous, for a checkpoint."""
        return {PREFIX + name: value.cpu().contiguous() for name, value in self.network.state_dict().items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take over what `tensors` gave, among others. Nothing is changed when something does not fit.

        Raises:
            CheckpointError: there is no average, or it is of another network.
        """
        given = {name.removeprefix(PREFIX): value for name, value in tensors.items() if name.startswith(PREFIX)}
        if not given:
            raise CheckpointError("the checkpoint holds no average of the weights; resume without --average-weights")
        mine = self.network.state_dict()
        for name in sorted(mine.keys() | given.keys()):
            here, there = (
                f"{tuple(those[name].shape)} {those[name].dtype}" if name in those else "no such tensor"
                for those in (mine, given)
            )
            if here != there:
                raise CheckpointError(
                    f"the checkpoint's average is of another network: {printable(name)} is {there} there and {here} "
                    "here; resume with the run's own --model, --embedding-dim and --data"
                )
        put_weights(self.network, given)

"""What a batch costs: the network, then the loss. Both halves in one forward pass: the branches share their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import pdist

from reid_tui.learning.distances import pair_distance
from reid_tui.learning.losses import LOSSES
from reid_tui.learning.objectives import Cost

if TYPE_CHECKING:
    from torch import Tensor

    from reid_tui.training.steps.batches import Batch
    from reid_tui.training.steps.parts import Parts


class Costs:
    """From a batch to its cost, in the run's precision; call it, and differentiate, inside `computing_in` of that."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._network = parts.network
        self._autocast = parts.config.precision == "bf16"

    def of(self, batch: Batch, step: int) -> Cost:
        """What a batch costs, with its graph.

        Args:
            batch: on the device.
            step: of the run; decides what a miner draws.
        """
        return self.of_points(self.points(batch), batch, step)

    def of_all(self, cost: Cost) -> Cost:
        """What the whole batch costs, of which `of` may have seen a part; asked for after the gradient."""
        return cost

    def points(self, batch: Batch) -> Tensor:
        """(N, D) float32, where the network puts the images."""
        with torch.autocast(self._parts.device.type, torch.bfloat16, enabled=self._autocast):
            points_ND: Tensor = self._network(batch.images_NCHW)
        return points_ND.to(torch.promote_types(points_ND.dtype, torch.float32))

    def of_points(self, points_ND: Tensor, batch: Batch, step: int) -> Cost:
        """What a batch costs whose images are there, in float32."""
        parts = self._parts
        if parts.objective is not None:
            return Cost(*parts.objective(points_ND, batch.labels_N, batch.index_N, parts.margin, step))
        loss = LOSSES[parts.config.loss]
        if parts.config.pairs == "random":
            distance_P = pair_distance(*points_ND.chunk(2))
            return Cost(loss.of_drawn(distance_P, batch.same_P, parts.margin), self._teaching(distance_P, batch.same_P))
        row, column = torch.triu_indices(len(points_ND), len(points_ND), 1, device=parts.device)  # the order of pdist
        same_P, distance_P = batch.labels_N[row] == batch.labels_N[column], pdist(points_ND)
        return Cost(loss.of_all(distance_P, same_P, parts.margin), self._teaching(distance_P, same_P))

    @torch.no_grad()
    def _teaching(self, distance_P: Tensor, same_P: Tensor) -> Tensor:
        """() share of the pairs that still cost something."""
        return torch.where(same_P, distance_P > 0, distance_P < self._parts.margin).float().mean()

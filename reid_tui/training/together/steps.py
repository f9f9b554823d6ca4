"""A step that several processes take together: the one that a single process would take.

Each embeds its part of the batch. Where pairs are drawn, a process has both images of its pairs, and what they cost
is added up. Else all embeddings come together on every process, and each computes the whole loss, whatever it is: so
every pair of the whole batch counts, and no loss knows of it.

Legend: P drawn pairs of the whole batch, N images, D dimensions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.distributed as dist
from torch.nn.functional import pad
from torch.nn.parallel import DistributedDataParallel

from reid_tui.errors import LostProcessError
from reid_tui.learning.objectives import Cost
from reid_tui.training.steps.batches import Batches
from reid_tui.training.steps.costs import Costs
from reid_tui.training.steps.eager import EagerSteps
from reid_tui.training.together.group import Task, Work
from reid_tui.training.together.norms import normalise_together
from reid_tui.training.together.summing import in_common

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from reid_tui.data.dataset import IntArray
    from reid_tui.data.pairs import EpochPairs
    from reid_tui.training.steps.batches import Batch
    from reid_tui.training.steps.parts import Parts, StepResult
    from reid_tui.training.together.group import Group


class _SharedCosts(Costs):
    """As `Costs`, from a part of the images; the gradients come together as they become known."""

    def __init__(self, parts: Parts, group: Group) -> None:
        super().__init__(parts)
        self._group = group
        normalise_together(parts.network, group.process_group)
        gpus = [parts.device] if parts.device.type == "cuda" else None
        self._network = DistributedDataParallel(
            parts.network,
            device_ids=gpus,
            process_group=group.process_group,
            gradient_as_bucket_view=True,
        )


class WholeCosts(_SharedCosts):
    """Of all images, on every process."""

    def points(self, batch: Batch) -> Tensor:
        """(N, D) float32, of all processes.

        Each process's loss is the whole one, so a gradient comes back as many times too large as there are processes,
        of which `DistributedDataParallel` then takes the mean.
        """
        images = len(batch.labels_N)
        mine = self._group.part(images)
        own_ND = super().points(batch)
        return in_common(pad(own_ND, (0, 0, mine.start, images - mine.stop)), self._group.process_group)


class PairCosts(_SharedCosts):
    """Of drawn pairs, each on one process: their costs are a mean, so nobody needs the others' embeddings."""

    _sum: tuple[Tensor, dist.Work]
    """What the newest batch costs, on its way."""

    def of(self, batch: Batch, step: int) -> Cost:
        """As `Costs`, of the own pairs, by their weight in the mean over processes, which is that of the gradients."""
        pairs, processes = len(batch.same_P), self._group.rank.world_size
        mine = self._group.part(pairs)
        cost = super().of(batch._replace(same_P=batch.same_P[mine]), step)
        share = (mine.stop - mine.start) / pairs
        numbers = torch.stack([part.detach().float() for part in cost])
        numbers = numbers * share if share else torch.zeros_like(numbers)  # the mean of nothing is no number
        coming = dist.all_reduce(numbers, group=self._group.process_group, async_op=True)
        assert coming is not None, "asked for without waiting"
        self._sum = numbers, coming
        return cost._replace(loss=cost.loss * (share * processes))

    def of_all(self, _: Cost) -> Cost:
        """As `Costs`: it has come while the gradient was computed."""
        numbers, coming = self._sum
        coming.wait()
        return Cost(*numbers.unbind())


class TogetherSteps(EagerSteps):
    """Takes steps with other processes."""

    def __init__(self, parts: Parts) -> None:
        if parts.group is None:
            raise ValueError("one process takes steps alone")
        self._group = parts.group
        if parts.config.pairs == "random":
            super().__init__(parts, PairCosts(parts, parts.group), Batches(parts, self._both_of_pairs))
        else:
            super().__init__(parts, WholeCosts(parts, parts.group), Batches(parts, parts.group.part))

    def _both_of_pairs(self, images: int) -> IntArray:
        """Rows of this process's pairs: first images, then second ones."""
        first = np.arange(images // 2)[self._group.part(images // 2)]
        return np.concatenate([first, images // 2 + first])

    def loss(self, pairs: EpochPairs, step: int) -> Tensor:
        """As `Steps`; by this process alone, of a network in evaluation mode."""
        return Costs(self._parts).of(Batches(self._parts).of(pairs, step), step).loss

    def take(self, batches: Sequence[EpochPairs], step: int, rates: Sequence[float]) -> list[StepResult]:
        """As `Steps`.

        Raises:
            LostProcessError: somebody is gone, and the step was not taken.
        """
        results: list[StepResult] = []
        for number, (pairs, rate) in enumerate(zip(batches, rates, strict=True), step):
            before = [statistic.clone() for statistic in self._statistics]
            try:
                with self._group.doing(Task(Work.STEP, number, self._parts.margin.item(), rate)):
                    results += super().take([pairs], number, [rate])
            except LostProcessError:
                for statistic, value in zip(self._statistics, before, strict=True):
                    statistic.copy_(value)
                raise
        return results

"""A step operation by operation, as the tutorial takes it: the one that all others are held against."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import torch

from reid_tui.training.steps.batches import Batches
from reid_tui.training.steps.costs import Costs
from reid_tui.training.steps.parts import StepResult
from reid_tui.training.steps.precision import computing_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from reid_tui.data.pairs import EpochPairs
    from reid_tui.training.steps.parts import Parts


FORESEEN: Final = 8
"""Steps at once where images do not lie on the device."""


class EagerSteps:
    """Takes steps on any device. Waits for it once a step: for the loss and the gradient's norm."""

    def __init__(self, parts: Parts, costs: Costs, batches: Batches | None = None) -> None:
        self._parts = parts
        self._batches = batches or Batches(parts)
        self._costs = costs
        self._statistics = list(parts.network.buffers())
        self._before = [buffer.clone() for buffer in self._statistics]

    @property
    def at_once(self) -> int:
        """As `Steps`: only where images come from afar is something gained by knowing what follows."""
        return FORESEEN if self._batches.foreseeing else 1

    def loss(self, pairs: EpochPairs, step: int) -> Tensor:
        """As `Steps`. Not compiled: it is seldom asked for, and without a gradient."""
        with computing_in(self._parts.config.precision):
            return Costs(self._parts).of(self._batches.of(pairs, step), step).loss

    def take(self, batches: Sequence[EpochPairs], step: int, rates: Sequence[float]) -> list[StepResult]:
        """As `Steps`."""
        results = []
        for number, (pairs, rate, following) in enumerate(zip(batches, rates, [*batches[1:], None], strict=True), step):
            for group in self._parts.optimizer.param_groups:
                group["lr"] = rate
            with computing_in(self._parts.config.precision):
                results.append(self._take(pairs, number, following))
        return results

    def restored(self) -> None:
        """As `Steps`: nothing is kept."""

    def _take(self, pairs: EpochPairs, step: int, following: EpochPairs | None) -> StepResult:
        optimizer, average = self._parts.optimizer, self._parts.average
        for parameter in self._parts.parameters:  # `zero_grad` does the same in ten times the time
            parameter.grad = None
        if self._statistics:
            torch._foreach_copy_(self._before, self._statistics)
        cost = self._costs.of(self._batches.of(pairs, step), step)
        if following is not None:
            self._batches.bring(following)
        cost.loss.backward()  # type: ignore[no-untyped-call]
        gradients = [parameter.grad for parameter in self._parts.parameters if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        numbers = [number.detach().float() for number in (*self._costs.of_all(cost), norm)]
        value, teaching, length = torch.stack(numbers).tolist()
        if not (math.isfinite(value) and math.isfinite(length)):
            if self._statistics:
                torch._foreach_copy_(self._statistics, self._before)
            return StepResult(value, applied=False, teaching=teaching)
        optimizer.step()
        if average is not None:
            average.update(average.share(step + 1))
        return StepResult(value, applied=True, teaching=teaching)

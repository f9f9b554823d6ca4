"""Sums over all processes that can be differentiated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist

if TYPE_CHECKING:
    from torch import Tensor
    from torch.distributed import ProcessGroup


def _total(values: Tensor, group: ProcessGroup) -> Tensor:
    """Of what all processes have; without a gradient."""
    total = values.contiguous().clone()
    dist.all_reduce(total, group=group)
    return total


class _Summed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, group: ProcessGroup) -> Tensor:  # noqa: ANN401
        ctx.group = group
        return _total(values, group)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        return _total(gradients[0], ctx.group), None


def summed(values: Tensor, group: ProcessGroup) -> Tensor:
    """The sum of what all processes have; its gradient is that of what they all make of it, added up."""
    total: Tensor = _Summed.apply(values, group)
    return total


class _Common(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, group: ProcessGroup) -> Tensor:  # noqa: ANN401
        ctx.processes = group.size()
        return _total(values, group)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        return gradients[0] * ctx.processes, None


def in_common(values: Tensor, group: ProcessGroup) -> Tensor:
    """As `summed`, where all processes make the same of the sum: so its gradient is known without asking them."""
    total: Tensor = _Common.apply(values, group)
    return total

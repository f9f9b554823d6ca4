"""Batch normalisation by the statistics of the whole batch, of which each process has a part.

As `torch.nn.SyncBatchNorm`, which computes on GPUs alone.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from reid_tui.training.together.summing import summed

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.distributed import ProcessGroup


def normalise_together(network: nn.Module, group: ProcessGroup) -> None:
    """Have all its batch normalisations in training mode take the statistics of all processes' images."""
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.forward = functools.partial(_normalised, module, group)  # type: ignore[method-assign]


def _normalised(module: _BatchNorm, group: ProcessGroup, values: Tensor) -> Tensor:
    """As the module itself, with the mean and variance over all processes; differentiable through both."""
    if not module.training:
        return type(module).forward(module, values)
    wide = values.to(torch.promote_types(values.dtype, torch.float32))
    dims, shape = [0, *range(2, values.dim())], [1, -1, *[1] * (values.dim() - 2)]
    here = wide.new_full((1,), values.numel() / values.shape[1])
    sums = summed(torch.cat([wide.sum(dims), here]), group)
    mean_C, count = sums[:-1] / sums[-1], sums[-1]
    centred = wide - mean_C.view(shape)
    variance_C = summed(centred.square().sum(dims), group) / count
    _remember(module, mean_C.detach(), variance_C.detach() * count.detach() / (count.detach() - 1).clamp(min=1))
    result = centred * (variance_C + module.eps).rsqrt().view(shape)
    for parameter, of in ((module.weight, torch.mul), (module.bias, torch.add)):
        result = result if parameter is None else of(result, parameter.view(shape))
    return result.to(values.dtype)


@torch.no_grad()
def _remember(module: _BatchNorm, mean_C: Tensor, variance_C: Tensor) -> None:
    """Let the running statistics follow."""
    if module.running_mean is None or module.running_var is None or module.num_batches_tracked is None:
        return
    module.num_batches_tracked.add_(1)
    share = 1 / int(module.num_batches_tracked) if module.momentum is None else module.momentum
    module.running_mean.lerp_(mean_C.to(module.running_mean.dtype), share)
    module.running_var.lerp_(variance_C.to(module.running_var.dtype), share)

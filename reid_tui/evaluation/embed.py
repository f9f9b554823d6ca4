"""Images through a network, without a trace: no gradients, no changed modes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; every module gets the mode back that it had, also after an error."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def embed(model: nn.Module, images_NCHW: Tensor, *, batch: int = 256, prepare: Callable[[Tensor], Tensor]) -> Tensor:
    """Embeddings of all images, in their order; the model computes in evaluation mode.

    Args:
        model: maps a prepared batch to (n, D).
        images_NCHW: (N, C, H, W) uint8, on any device; or whatever stands for N images, such as their places.
        batch: images in one forward, >= 1.
        prepare: turns a part of them into what the model takes; it may move it to another device.

    Returns:
        (N, D) float32, where the model put it.
    """
    whole: Tensor | None = None
    done = 0
    with evaluating(model):
        for part in torch.split(images_NCHW, batch):
            found = model(prepare(part)).float()
            if whole is None:  # not gathered in a list: of a million images there is room for their embeddings once
                whole = found.new_empty(len(images_NCHW), *found.shape[1:])
            whole[done : done + len(found)] = found
            done += len(found)
    assert whole is not None
    return whole

"""Embedding networks by name. A Siamese pair is one network applied to both images.

Legend: N images, C channels, H x W pixels, D embedding dimensions.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import torch
from torch import Tensor, nn

from reid_tui.config import MODELS
from reid_tui.errors import UsageError

KERNEL: Final = 5
POOL: Final = 2
SMALLEST_SIDE: Final = 16


def _after_convolutions(side: int) -> int:
    """Side length that is left after both convolutions and poolings."""
    for _ in range(2):
        side = (side - KERNEL + 1) // POOL
    return side


def tutorial_network(channels: int, height: int, width: int, embedding_dim: int) -> nn.Sequential:
    """conv5x5(32)-pool-conv5x5(64)-pool-fc256-fc, with ReLU between; 315,010 parameters for 28x28 grey, D = 2.

    Pooling comes before the ReLU: the maximum of the rectified values is the rectified maximum, and a quarter of the
    values has to be rectified.

    Args:
        channels: 1 or 3.
        height: of the images, at least 16.
        width: of the images, at least 16.
        embedding_dim: D.

    Returns:
        A module from (N, C, H, W) float in 0..1 to (N, D) float, unbounded and not normalised.

    Raises:
        UsageError: the images are too small.
    """
    if min(height, width) < SMALLEST_SIDE:
        raise UsageError(f"images of {height}x{width} are too small for this network: at least 16x16 is needed")
    flat = 64 * _after_convolutions(height) * _after_convolutions(width)
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(channels, 32, KERNEL),
            pool1=nn.MaxPool2d(POOL),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(32, 64, KERNEL),
            pool2=nn.MaxPool2d(POOL),
            relu2=nn.ReLU(),
            flatten=nn.Flatten(),
            fc1=nn.Linear(flat, 256),
            relu3=nn.ReLU(),
            fc2=nn.Linear(256, embedding_dim),
        )
    )


def build_network(model: str, channels: int, height: int, width: int, embedding_dim: int, seed: int) -> nn.Module:
    """Build a network with weights drawn from `seed`; the process-wide generator is left as it was.

    Weights lie in channels-last order, in which the CPU convolves small images almost twice as fast.

    Raises:
        UsageError: unknown model, or images it cannot take.
    """
    if model not in MODELS:
        raise UsageError(f"--model must be one of {', '.join(MODELS)}, not {model!r}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = tutorial_network(channels, height, width, embedding_dim)
    return network.to(memory_format=torch.channels_last)


def to_input(images_NCHW: Tensor) -> Tensor:
    """Images as the networks take them.

    Args:
        images_NCHW: uint8.

    Returns:
        float32 in 0..1, channels-last.
    """
    return images_NCHW.to(torch.float32, memory_format=torch.channels_last).div_(255.0)


def parameter_count(network: nn.Module) -> int:
    """Trainable scalars."""
    return sum(parameter.numel() for parameter in network.parameters())

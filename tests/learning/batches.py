"""Batches to try objectives on."""

from __future__ import annotations

import torch
from torch import Tensor

from reid_tui import config

COMBINATIONS = [(loss, miner) for loss in config.LOSSES for miner in config.miners_of(loss)]


def points(count: int, dim: int, seed: int = 0, scale: float = 0.4) -> Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale


def batch(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """24 images: of a large identity, of small ones, of two single ones, and with some that come twice."""
    labels_N = torch.tensor([0] * 7 + [1] * 4 + [2] * 4 + [3] * 4 + [4] * 3 + [5, 6])
    images_N = torch.arange(24)
    for again, first in ((3, 0), (8, 7), (16, 15)):
        images_N[again] = first
    points_ND = points(24, 5, seed)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(seed))
    points_ND[[3, 8, 16]] = points_ND[[0, 7, 15]]
    return points_ND[order], labels_N[order], images_N[order]

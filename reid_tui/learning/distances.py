"""Distances between embeddings, with gradients that stay finite where points coincide.

Legend: P pairs, D dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor


def root(squared: Tensor) -> Tensor:
    """Square root of non-negative values whose gradient at 0 is 0 instead of infinite."""
    positive = squared > 0
    return torch.where(positive, torch.where(positive, squared, 1.0).sqrt(), 0.0)


def pair_distance(first_PD: Tensor, second_PD: Tensor) -> Tensor:
    """Euclidean distance of each pair.

    Args:
        first_PD: (P, D) float.
        second_PD: (P, D) float.

    Returns:
        (P,) float, >= 0. Its gradient is 0 where both points coincide.
    """
    return root((first_PD - second_PD).square().sum(dim=1))

"""Losses on pairs, by name. The margin comes in with every call: it belongs to the trainer, not to the loss.

Legend: P pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import torch
from torch import Tensor

PairLoss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From distances (P,), whether each pair shows one identity (P,), and the margin () to a loss ()."""


def contrastive_terms(distance_P: Tensor, margin: Tensor) -> tuple[Tensor, Tensor]:
    """What each pair costs as a pair of one identity, and as a pair of two.

    Args:
        distance_P: (P,) float, >= 0.
        margin: () float, > 0.

    Returns:
        Two (P,) floats: D^2, and max(0, margin - D)^2.
    """
    return distance_P.square(), (margin - distance_P).clamp(min=0).square()


def contrastive_loss(distance_P: Tensor, same_P: Tensor, margin: Tensor) -> Tensor:
    """Mean contrastive loss over a batch of pairs.

    Args:
        distance_P: (P,) float, Euclidean, >= 0.
        same_P: (P,) bool, True where both images show one identity.
        margin: () float, in units of `distance_P`, > 0. Negative pairs farther apart cost nothing.

    Returns:
        () float, dimensionless. With P == 0 a zero that still back-propagates.

    Source:
        Hadsell, Chopra, LeCun (2006), eq. 4, without the factor 1/2; their Y = 1 means "different", ours "same".
    """
    same_cost_P, different_cost_P = contrastive_terms(distance_P, margin)
    return torch.where(same_P, same_cost_P, different_cost_P).sum() / max(1, len(distance_P))


def balanced_contrastive_loss(distance_P: Tensor, same_P: Tensor, margin: Tensor) -> Tensor:
    """Contrastive loss in which same and different pairs weigh alike, however many there are of each.

    For all pairs of a batch, where pairs of two identities outnumber pairs of one by far.

    Args:
        distance_P: (P,) float, Euclidean, >= 0.
        same_P: (P,) bool.
        margin: () float, > 0.

    Returns:
        () float: half the mean cost of same pairs plus half the mean cost of different pairs; a kind that does not
        occur counts 0. Equals `contrastive_loss` where both kinds are equally many.
    """
    same_cost_P, different_cost_P = contrastive_terms(distance_P, margin)
    same_weight_P = same_P.to(distance_P.dtype)
    different_weight_P = 1 - same_weight_P
    same_mean = (same_cost_P * same_weight_P).sum() / same_weight_P.sum().clamp(min=1)
    different_mean = (different_cost_P * different_weight_P).sum() / different_weight_P.sum().clamp(min=1)
    return (same_mean + different_mean) / 2


class Loss(NamedTuple):
    """One loss, for each way in which pairs come."""

    of_drawn: PairLoss
    """Over pairs that were drawn, as many of one identity as of two."""
    of_all: PairLoss
    """Over all pairs among a batch's images, nearly all of two."""


LOSSES: Final[dict[str, Loss]] = {"contrastive": Loss(contrastive_loss, balanced_contrastive_loss)}
"""By the names of `config.LOSSES`."""

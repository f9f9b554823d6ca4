"""Losses on pairs, triplets and similarities. The margin comes in with every call: it belongs to the trainer.

Legend: P pairs or triplets, N images of a batch, D dimensions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize, softplus

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
    return half_means(same_cost_P, same_P, different_cost_P, ~same_P)


def half_means(same_cost: Tensor, same: Tensor, different_cost: Tensor, different: Tensor) -> Tensor:
    """Half the mean cost of same pairs plus half the mean cost of different pairs.

    Args:
        same_cost: of each pair as one of one identity.
        same: bool, alike in shape, which of these count.
        different_cost: of each pair as one of two identities, in any other shape.
        different: bool, which of these count.

    Returns:
        () float. A kind of which no pair counts is 0, and back-propagates.
    """
    return (_mean_where(same_cost, same) + _mean_where(different_cost, different)) / 2


def triplet_loss(violation_P: Tensor, formed_P: Tensor) -> Tensor:
    """Mean cost of those triplets that still cost something.

    Args:
        violation_P: float, how much farther the image of the anchor's identity is than the other one, plus the margin.
        formed_P: bool, which of them are triplets.

    Source:
        Schroff, Kalenichenko, Philbin (2015), with the distance itself as in Hermans, Beyer, Leibe (2017).
    """
    return _mean_where(violation_P.clamp(min=0), formed_P & ~(violation_P <= 0))


def soft_triplet_loss(violation_P: Tensor, formed_P: Tensor) -> Tensor:
    """Mean over triplets of log(1 + e^v), which rewards also those that are in order for being so by more.

    Args:
        violation_P: float, how much farther the image of the anchor's identity is than the other one.
        formed_P: bool, which of them are triplets.

    Source:
        Hermans, Beyer, Leibe (2017), section 2, soft margin.
    """
    return _mean_where(softplus(violation_P), formed_P)


def similarities(points_ND: Tensor) -> Tensor:
    """(N, N) cosines of the angles between points seen from the origin."""
    directions_ND = normalize(points_ND)
    return directions_ND @ directions_ND.T


def multi_similarity_loss(
    similarity_NN: Tensor, same_NN: Tensor, different_NN: Tensor, alpha: float = 2, beta: float = 50, base: float = 0.5
) -> Tensor:
    """Mean over anchors of what their same and their different pairs cost, the worst of each most.

    Args:
        similarity_NN: (N, N) float, cosines.
        same_NN: (N, N) bool, pairs of one identity.
        different_NN: (N, N) bool, pairs of two.
        alpha: steepness for same pairs.
        beta: steepness for different pairs.
        base: similarity that parts same from different pairs.

    Source:
        Wang, Han, Huang, Dong, Scott (2019), eq. 15.
    """
    same_N = _softplus_of_sum(alpha * (base - similarity_NN), same_NN) / alpha
    different_N = _softplus_of_sum(beta * (similarity_NN - base), different_NN) / beta
    return (same_N + different_N).sum() / max(1, len(similarity_NN))


def ntxent_loss(similarity_NN: Tensor, same_NN: Tensor, different_NN: Tensor, temperature: float = 0.07) -> Tensor:
    """Mean over same pairs of the cross-entropy of finding the same image among the anchor's different ones.

    Args:
        similarity_NN: (N, N) float, cosines.
        same_NN: (N, N) bool, pairs of one identity.
        different_NN: (N, N) bool, pairs of two.
        temperature: in units of similarity.

    Source:
        Sohn (2016); Chen, Kornblith, Norouzi, Hinton (2020), eq. 1.
    """
    logits_NN = similarity_NN / temperature
    rest_N = logits_NN.masked_fill(~different_NN, -torch.inf).logsumexp(dim=1, keepdim=True)
    formed_NN = same_NN & different_NN.any(dim=1, keepdim=True)
    return _mean_where(softplus(rest_N - logits_NN), formed_NN)


def _mean_where(cost: Tensor, counts: Tensor) -> Tensor:
    """Mean of the costs that count, 0 where none does; a cost that is no number is not lost where it does not count."""
    weight = counts.to(cost.dtype)
    return (cost * weight).sum() / weight.sum().clamp(min=1)


def _softplus_of_sum(exponent_NN: Tensor, counts_NN: Tensor) -> Tensor:
    """(N,) log(1 + sum of e^x over those of a row that count)."""
    counted_NN = exponent_NN.masked_fill(~counts_NN, -torch.inf)
    return torch.cat([counted_NN, torch.zeros_like(counted_NN[:, :1])], dim=1).logsumexp(dim=1)


class Loss(NamedTuple):
    """One loss, for each way in which pairs come."""

    of_drawn: PairLoss
    """Over pairs that were drawn, as many of one identity as of two."""
    of_all: PairLoss
    """Over all pairs among a batch's images, nearly all of two."""


LOSSES: Final[dict[str, Loss]] = {"contrastive": Loss(contrastive_loss, balanced_contrastive_loss)}
"""Those of `config.LOSSES` that pairs alone decide."""

"""Which pairs and triplets of a batch are taken. Knows distances, no losses; what it chooses has no gradient.

Legend: N images of a batch, W choices of an anchor, D dimensions. Row a of a matrix belongs to anchor a.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

import torch
from torch import Tensor

_NEAREST: Final = 0.5
"""Distances below are drawn as this one, or noise would be all that is drawn; Wu et al. (2017), section 4.2."""
_FARTHEST: Final = 1.4
"""Distances above are drawn as this one: two points of a sphere are hardly ever farther apart."""


class Candidates(NamedTuple):
    """Among what a miner may choose."""

    distance_NN: Tensor
    """(N, N) float without gradient."""
    same_NN: Tensor
    """(N, N) bool, pairs of two images of one identity."""
    different_NN: Tensor
    """(N, N) bool, pairs of two identities."""
    edge_NN: Tensor
    """(N, N) float: from where on a different image costs an anchor (row) and a same image (column) nothing."""
    dim: int
    """D."""
    seed: int
    """Of what is drawn, another one for each step."""


class Chosen(NamedTuple):
    """For each anchor, W times an image of its identity and one of another, as columns of the batch."""

    same_NW: Tensor
    """(N, W) int64."""
    different_NW: Tensor
    """(N, W) int64."""
    is_same_NW: Tensor
    """(N, W) bool: there is such an image, and it was chosen."""
    is_different_NW: Tensor
    """(N, W) bool."""


def relations(labels_N: Tensor, images_N: Tensor) -> tuple[Tensor, Tensor]:
    """Which pairs show one identity, without those of an image with itself, and which show two.

    Args:
        labels_N: (N,) int64.
        images_N: (N,) int64; rows of equal value are the same image.

    Returns:
        Two (N, N) bool.
    """
    alike_NN = labels_N[:, None] == labels_N
    return alike_NN & (images_N[:, None] != images_N), ~alike_NN


def hardest(candidates: Candidates) -> Chosen:
    """The farthest image of the anchor's identity and the nearest of another one; W = 1."""
    distance_NN, same_NN, different_NN, *_ = candidates
    return Chosen(
        torch.where(same_NN, distance_NN, -1.0).argmax(dim=1, keepdim=True),
        torch.where(different_NN, distance_NN, torch.inf).argmin(dim=1, keepdim=True),
        same_NN.any(dim=1, keepdim=True),
        different_NN.any(dim=1, keepdim=True),
    )


def semihard(candidates: Candidates) -> Chosen:
    """Every same image, each with the nearest different one that is farther than it but still costs something.

    Where there is none such, with the nearest of all.

    Source:
        Schroff, Kalenichenko, Philbin (2015), section 3.2.
    """
    distance_NN, _, different_NN, edge_NN, *_ = candidates
    sorted_NN, order_NN = torch.where(different_NN, distance_NN, torch.inf).sort(dim=1)
    farther_NN = torch.searchsorted(sorted_NN, distance_NN, right=True).clamp(max=len(distance_NN) - 1)
    still_costs_NN = sorted_NN.gather(1, farther_NN) < edge_NN
    return _for_every_same(candidates, torch.where(still_costs_NN, order_NN.gather(1, farther_NN), order_NN[:, :1]))


def distance_weighted(candidates: Candidates) -> Chosen:
    """Every same image, each with a different one drawn so that all distances are drawn equally often.

    The weight of an image is one over the density of its distance between points strewn over the unit sphere, in units
    in which the mean square of distances is that of such points, so that it serves points off the sphere as well. Those
    that cost the anchor nothing are not drawn while there are others.

    Source:
        Wu, Manmatha, Smola, Kraehenbuehl (2017), eq. 5 and section 4.2.
    """
    distance_NN, same_NN, different_NN, edge_NN, dim, seed = candidates
    edge_N = torch.where(same_NN, edge_NN, -torch.inf).amax(dim=1, keepdim=True)
    costing_NN = different_NN & (distance_NN < edge_N)
    drawn_NN = torch.where(costing_NN.any(dim=1, keepdim=True), costing_NN, different_NN)
    mean_square = (distance_NN.square() * different_NN).sum() / different_NN.sum().clamp(min=1)
    units = math.sqrt(2) / mean_square.sqrt().clamp(min=torch.finfo(distance_NN.dtype).tiny)
    scaled_NN = (distance_NN * units).clamp(_NEAREST, _FARTHEST)
    density_NN = (dim - 2) * scaled_NN.log() + (dim - 3) / 2 * (1 - scaled_NN.square() / 4).log()
    rarity_NN = torch.where(drawn_NN, -density_NN, -torch.inf)
    weight_NN = (rarity_NN - rarity_NN.amax(dim=1, keepdim=True)).exp() * drawn_NN
    column_NN = _drawn_columns(weight_NN, seed)
    nearest_N = torch.where(different_NN, distance_NN, torch.inf).argmin(dim=1, keepdim=True)
    return _for_every_same(candidates, torch.where(drawn_NN.gather(1, column_NN), column_NN, nearest_N))


Miner = Callable[[Candidates], Chosen]

MINERS: Final[dict[str, Miner]] = {
    "hard": hardest,
    "semihard": semihard,
    "distance": distance_weighted,
}
"""Those of `config.MINERS` that choose single images for each anchor."""


def _for_every_same(candidates: Candidates, different_NW: Tensor) -> Chosen:
    """Every same image of an anchor with the different one that was chosen for it; W = N."""
    _, same_NN, different_NN, *_ = candidates
    columns_N = torch.arange(len(same_NN), device=same_NN.device)
    both_NN = same_NN & different_NN.any(dim=1, keepdim=True)
    return Chosen(columns_N.expand_as(same_NN), different_NW, same_NN, both_NN)


def _drawn_columns(weight_NN: Tensor, seed: int) -> Tensor:
    """(N, N) columns, N of them drawn for each row by its weights; any one where rounding leads past the last."""
    generator = torch.Generator(weight_NN.device).manual_seed(seed)
    total_NN = weight_NN.cumsum(dim=1)
    drawn_NN = torch.rand(weight_NN.shape, generator=generator, device=weight_NN.device, dtype=weight_NN.dtype)
    columns_NN = torch.searchsorted(total_NN, drawn_NN * total_NN[:, -1:], right=True)
    return columns_NN.clamp(max=len(weight_NN) - 1)

"""What a batch costs: one interface for all losses and miners. The margin belongs to the trainer.

Legend: N images of a batch, P pairs, D dimensions.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pdist

from reid_tui.config import WITHOUT_MARGIN, check_objective
from reid_tui.learning.losses import (
    contrastive_terms,
    half_means,
    multi_similarity_loss,
    ntxent_loss,
    similarities,
    soft_triplet_loss,
    triplet_loss,
)
from reid_tui.learning.metric_learning import FOREIGN, ForeignLoss, Pairs
from reid_tui.learning.miners import MINERS, Candidates, Chosen, Miner, relations

if TYPE_CHECKING:
    from collections.abc import Callable


class Cost(NamedTuple):
    """What a batch costs."""

    loss: Tensor
    """() float, with its graph."""
    teaching: Tensor
    """() float, 0 to 1: which share of the pairs, or triplets, that were formed still costs something. NaN where all
    always do, since the loss has no margin in distance."""


class Batch(NamedTuple):
    """The images of a step, as the network places them."""

    points_ND: Tensor
    """(N, D) float."""
    labels_N: Tensor
    """(N,) int64, identities."""
    images_N: Tensor
    """(N,) int64; rows of equal value are the same image."""
    margin: Tensor
    """() float."""
    seed: int
    """Of what is drawn in this step."""


def alike_in_every_step(loss: str, miner: str) -> bool:
    """Whether the same operations follow from any batch: nothing is drawn, nothing depends on values or on the step."""
    return loss not in FOREIGN and miner != "distance"


class Objective(nn.Module):
    """A loss with its miner, and with its weights where it has some."""

    def __init__(self, loss: str, cost: Callable[[Batch], Cost], seed: int, weights: nn.Module | None = None) -> None:
        """Of a loss's name, what computes it, the run's seed, and what holds weights of the loss's own."""
        super().__init__()
        self.weights = weights
        self.why_not: str | None = WITHOUT_MARGIN.get(loss)
        """Why the margin does nothing, as a clause; None where it does something."""
        self._cost = cost
        self._seed = seed

    @property
    def steered_by_margin(self) -> bool:
        """Whether the margin does something."""
        return self.why_not is None

    def forward(self, points_ND: Tensor, labels_N: Tensor, images_N: Tensor, margin: Tensor, step: int = 0) -> Cost:
        """What a batch costs.

        Args:
            points_ND: (N, D) float32.
            labels_N: (N,) int64, 0 up to the number of identities.
            images_N: (N,) int64; rows of equal value are the same image, which is never a pair of its own.
            margin: () float, in units of distance, > 0.
            step: of the run; decides, with its seed, what a miner draws.
        """
        if len(points_ND) < 2:  # the gradient of `pdist` of a single point ends the process
            cost = Cost((points_ND * 0).sum(), torch.zeros_like(margin))
        else:
            cost = self._cost(Batch(points_ND, labels_N, images_N, margin, (self._seed << 31) + step))
        return cost if self.steered_by_margin else cost._replace(teaching=torch.full_like(margin, torch.nan))


def build_objective(loss: str, miner: str, *, classes: int, dim: int, seed: int) -> Objective:
    """Build what a run minimises. Weights are drawn from `seed`; the process-wide generator is left as it was.

    Args:
        loss: one of `config.LOSSES`.
        miner: one that goes with it.
        classes: identities in training.
        dim: D.
        seed: of the run, below 2**32.

    Raises:
        UsageError: they do not go together.
    """
    check_objective(loss, miner, "batch")
    if loss in FOREIGN:
        foreign = ForeignLoss(loss, classes, dim, seed)
        cost = functools.partial(_of_foreign, foreign, MINERS.get(miner))
        return Objective(loss, cost, seed, foreign.module)
    if loss in OF_SIMILARITY:
        return Objective(loss, functools.partial(_of_similarity, OF_SIMILARITY[loss]), seed)
    if miner in MINERS:
        return Objective(loss, functools.partial(OF_CHOSEN[loss], MINERS[miner]), seed)
    return Objective(loss, functools.partial(_contrastive_of_all, miner == "margin"), seed)


OF_SIMILARITY: Final[dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]]] = {
    "multi-similarity": multi_similarity_loss,
    "ntxent": ntxent_loss,
}
"""Losses over the similarities of all pairs, all of which always cost something."""


def _share(costing: Tensor, formed: Tensor) -> Tensor:
    """() which share of what was formed costs something; 0 where nothing was."""
    return costing.sum() / formed.sum().clamp(min=1)


def _distances(points_ND: Tensor) -> Tensor:
    """(N, N) Euclidean distances, exact also between near points, with gradient 0 where they coincide."""
    return torch.cdist(points_ND, points_ND, compute_mode="donot_use_mm_for_euclid_dist")


def _contrastive_of_all(only_inside: bool, batch: Batch) -> Cost:
    """All pairs, or of the different ones only those inside the margin."""
    images = len(batch.labels_N)
    row, column = torch.triu_indices(images, images, 1, device=batch.labels_N.device)
    distance_P = pdist(batch.points_ND)
    same_P, different_P = (
        pairs_NN.flatten().index_select(0, row * images + column)
        for pairs_NN in relations(batch.labels_N, batch.images_N)
    )
    same_cost_P, different_cost_P = contrastive_terms(distance_P, batch.margin)
    beyond_P = distance_P >= batch.margin
    taken_P = different_P & ~beyond_P if only_inside else different_P
    loss = half_means(same_cost_P, same_P, different_cost_P, taken_P)
    costing_P = (same_P & (distance_P > 0)) | (different_P & ~beyond_P)
    return Cost(loss, _share(costing_P, same_P | different_P))


def _choose(miner: Miner, batch: Batch, distance_NN: Tensor, *, beyond_same: bool = False) -> Chosen:
    """What a miner chooses, where the margin counts from 0 or from the distance of the same image on."""
    fixed_NN = distance_NN.detach()
    edge_NN = fixed_NN + batch.margin if beyond_same else batch.margin.expand_as(fixed_NN)
    related = relations(batch.labels_N, batch.images_N)
    return miner(Candidates(fixed_NN, *related, edge_NN, batch.points_ND.shape[1], batch.seed))


def _contrastive_of_chosen(miner: Miner, batch: Batch) -> Cost:
    distance_NN = _distances(batch.points_ND)
    same_NW, different_NW, is_same_NW, is_different_NW = _choose(miner, batch, distance_NN)
    same_cost_NW, _ = contrastive_terms(distance_NN.gather(1, same_NW), batch.margin)
    _, different_cost_NW = contrastive_terms(distance_NN.gather(1, different_NW), batch.margin)
    loss = half_means(same_cost_NW, is_same_NW, different_cost_NW, is_different_NW)
    chosen = torch.cat([is_same_NW, is_different_NW])
    return Cost(loss, _share(chosen & (torch.cat([same_cost_NW, different_cost_NW]) > 0), chosen))


def _triplets_of_chosen(soft: bool, miner: Miner, batch: Batch) -> Cost:
    distance_NN = _distances(batch.points_ND)
    same_NW, different_NW, is_same_NW, is_different_NW = _choose(miner, batch, distance_NN, beyond_same=True)
    formed_NW = is_same_NW & is_different_NW
    farther_NW = distance_NN.gather(1, same_NW) - distance_NN.gather(1, different_NW)
    if soft:
        return Cost(soft_triplet_loss(farther_NW, formed_NW), torch.ones_like(batch.margin))
    violation_NW = farther_NW + batch.margin
    return Cost(triplet_loss(violation_NW, formed_NW), _share(formed_NW & (violation_NW > 0), formed_NW))


OF_CHOSEN: Final[dict[str, Callable[[Miner, Batch], Cost]]] = {
    "contrastive": _contrastive_of_chosen,
    "triplet": functools.partial(_triplets_of_chosen, False),
    "soft-triplet": functools.partial(_triplets_of_chosen, True),
}
"""Losses over what a miner chooses for each anchor."""


def _of_similarity(loss: Callable[[Tensor, Tensor, Tensor], Tensor], batch: Batch) -> Cost:
    same_NN, different_NN = relations(batch.labels_N, batch.images_N)
    return Cost(loss(similarities(batch.points_ND), same_NN, different_NN), torch.ones_like(batch.margin))


def _of_foreign(foreign: ForeignLoss, miner: Miner | None, batch: Batch) -> Cost:
    pairs = None if foreign.has_classes else _indices(miner, batch)
    return Cost(*foreign.cost(batch.points_ND, batch.labels_N, pairs, batch.margin))


def _indices(miner: Miner | None, batch: Batch) -> Pairs:
    """All pairs, or the triplets that a miner chooses."""
    if miner is None:
        same_NN, different_NN = relations(batch.labels_N, batch.images_N)
        return (*same_NN.nonzero(as_tuple=True), *different_NN.nonzero(as_tuple=True))
    same_NW, different_NW, is_same_NW, is_different_NW = _choose(miner, batch, _distances(batch.points_ND.detach()))
    anchor_P, choice_P = (is_same_NW & is_different_NW).nonzero(as_tuple=True)
    return anchor_P, same_NW[anchor_P, choice_P], different_NW[anchor_P, choice_P]

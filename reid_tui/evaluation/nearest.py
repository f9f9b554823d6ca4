"""The nearest images of others in a large gallery, of which matrix products leave few to be measured.

Legend: N images, D embedding dimensions, Q queries, G images of a block of the gallery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid_tui.evaluation import products
from reid_tui.evaluation.products import Asking, Block, workers

if TYPE_CHECKING:
    from collections.abc import Callable

    from reid_tui.evaluation.labels import Labels

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]
_INFINITY: Final = np.float32(np.inf)


class Nearest(NamedTuple):
    """One image for each query."""

    distance_Q: FloatArray
    """Infinite where there is none."""
    place_Q: IntArray
    """Among the N images; any where there is none."""

    def take(self, query_P: IntArray, distance_P: FloatArray, place_P: IntArray) -> None:
        """Keep what is nearer, of two at one distance the one that was there, else the first."""
        order_P = np.lexsort((place_P, distance_P, query_P))
        query_P, first_P = np.unique(query_P[order_P], return_index=True)
        best_P = order_P[first_P]
        nearer_P = distance_P[best_P] < self.distance_Q[query_P]
        self.distance_Q[query_P[nearer_P]] = distance_P[best_P[nearer_P]]
        self.place_Q[query_P[nearer_P]] = place_P[best_P[nearer_P]]


def nobody_near(queries: int) -> Nearest:
    """To be filled."""
    return Nearest(np.full(queries, np.inf, np.float32), np.zeros(queries, np.int64))


def nearest_others(
    embeddings_ND: Tensor,
    labels: Labels,
    queries: IntArray,
    belongs: Callable[[IntArray, IntArray], list[NDArray[np.bool_]]],
    go_on: Callable[[], None] = lambda: None,
) -> list[Nearest]:
    """The nearest image of the gallery that shows another identity than the query, on the CPU.

    Args:
        embeddings_ND: (N, D) float32, within `products.FARTHEST`.
        labels: of the same images.
        queries: places of the images that ask.
        belongs: for queries and gallery images, places both, (Q, G) which of these count; a search for each array.
        go_on: called before each part of the work; what it raises ends it.
    """
    gallery = labels.gallery
    centre_D = embeddings_ND.mean(dim=0)
    groups = [
        _Group(queries[at : at + products.GROUP], embeddings_ND, labels, belongs, centre_D)
        for at in range(0, len(queries), products.GROUP)
    ]
    with workers() as pool:
        for at in range(0, len(gallery), products.BLOCK):
            go_on()
            places_G = gallery[at : at + products.BLOCK]
            block = Block.of(embeddings_ND[torch.from_numpy(places_G)], centre_D)
            for _ in pool.map(lambda group, block=block, places_G=places_G: group.look(block, places_G), groups):
                go_on()
    searches = zip(*(group.found for group in groups), strict=True)
    return [Nearest(*map(np.concatenate, zip(*parts, strict=True))) for parts in searches]


class _Group:
    """Some queries, and what lies nearest to them so far."""

    def __init__(
        self,
        queries: IntArray,
        embeddings_ND: Tensor,
        labels: Labels,
        belongs: Callable[[IntArray, IntArray], list[NDArray[np.bool_]]],
        centre_D: Tensor,
    ) -> None:
        self._queries, self._identities_N, self._belongs = queries, labels.identities_N, belongs
        self._asking = Asking.of(embeddings_ND[torch.from_numpy(queries)], centre_D)
        self.found = [nobody_near(len(queries)) for _ in belongs(queries[:1], queries[:1])]

    def look(self, block: Block, places_G: IntArray) -> None:
        """Take what is nearer in a block."""
        product_QG = block.products(self._asking)
        own_QG = self._identities_N[self._queries, None] == self._identities_N[places_G]
        product_QG[own_QG] = np.inf
        for found, counts_QG in zip(self.found, self._belongs(self._queries, places_G), strict=True):
            part_QG = np.where(counts_QG, product_QG, _INFINITY)
            near_P = np.flatnonzero(part_QG <= self._limit(block, part_QG, found)[:, None])
            query_P, other_P = np.divmod(near_P, len(places_G))
            if len(near_P) > products.OPEN_SHARE * part_QG.size:
                distance_P = block.all_measured(self._asking)[query_P, other_P]
            else:
                distance_P = block.measured(self._asking, query_P, other_P)
            found.take(query_P, distance_P, places_G[other_P])

    def _limit(self, block: Block, part_QG: FloatArray, found: Nearest) -> FloatArray:
        """(Q,) a product above it is of an image that is not the nearest."""
        slack_Q = block.slack(self._asking)
        least_Q = part_QG.min(axis=1).astype(np.float64)
        best_Q = found.distance_Q.astype(np.float64) ** 2 - self._asking.length_Q**2
        limit_Q = (np.minimum(best_Q, least_Q + slack_Q) + slack_Q).astype(np.float32)
        return np.where(np.isfinite(least_Q), np.nextafter(limit_Q, _INFINITY), -_INFINITY)

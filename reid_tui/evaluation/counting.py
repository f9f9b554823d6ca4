"""The ranks of few matches in a large gallery, without sorting it: how many images lie no farther away than each match.

Matrix products say of nearly all images on which side of a match they lie. Only those for which their rounding leaves
that open are measured as `ranking` measures all: the ranks are the same to the last one.

Legend: D embedding dimensions, Q queries of a group, G images of a block of the gallery, P pairs of a query and an
image of its identity, H hits, K the most hits of one query of a group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid_tui.evaluation import products
from reid_tui.evaluation.products import Asking, Block, are_hits, few_own, own_pairs, own_runs, pair_distances, workers
from reid_tui.evaluation.ranking import Hits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reid_tui.evaluation.labels import Labels

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]

SMALLEST_GALLERY: Final = 4096
MOST_PER_QUERY: Final = 32
"""Images of a query's identity, on average, up to which counting is faster than sorting."""
PAIRS: Final = 2**20
"""At once."""
QUERIES: Final = 8192
"""At once: they share one pass over the gallery."""


def counting_pays(embeddings_ND: Tensor, labels: Labels, queries: IntArray) -> bool:
    """Whether `counted_hits` is faster than a sort, and can be exact."""
    return few_own(embeddings_ND, labels, queries, SMALLEST_GALLERY, MOST_PER_QUERY)


def counted_hits(
    embeddings_ND: Tensor, labels: Labels, queries: IntArray, go_on: Callable[[], None] = lambda: None
) -> Iterator[Hits]:
    """The same as `ranking.ranked_hits` gives, on the CPU.

    Args:
        embeddings_ND: (N, D) float32, within `products.FARTHEST`.
        labels: of the same images.
        queries: places of the images that ask; each has a match.
        go_on: called before each part of the work; what it raises ends it.

    Yields:
        The hits of many queries at a time.
    """
    start_Q, stop_Q, sorted_G = own_runs(labels, queries)
    pairs_Q = np.cumsum(stop_Q - start_Q)
    gallery = torch.from_numpy(labels.gallery)
    centre_D = embeddings_ND.mean(dim=0)
    first = 0
    with workers() as pool:
        while first < len(queries):
            before = pairs_Q[first - 1] if first else 0
            last = max(first + 1, min(first + QUERIES, int(np.searchsorted(pairs_Q, before + PAIRS, side="right"))))
            query_P, image_P = own_pairs(start_Q[first:last], stop_Q[first:last], sorted_G)
            matches = _Matches.of(embeddings_ND, labels, queries[first:last], query_P, image_P)
            groups = matches.groups(embeddings_ND[torch.from_numpy(queries[first:last])], centre_D)
            for places in torch.split(gallery, products.BLOCK):
                go_on()
                block = Block.of(embeddings_ND[places], centre_D)
                for _ in pool.map(lambda group, block=block: group.look(block), groups):
                    go_on()
            yield matches.hits(groups)
            first = last


class _Matches(NamedTuple):
    """Images of the queries' identities: all of them, and those that are to be found; nearest first."""

    start_Q: IntArray
    """Where the pairs of each query start."""
    key_P: IntArray
    """Query and distance in one number that sorts as they do."""
    query_H: IntArray
    distance_H: FloatArray

    @classmethod
    def of(
        cls, embeddings_ND: Tensor, labels: Labels, queries: IntArray, query_P: IntArray, image_P: IntArray
    ) -> _Matches:
        distance_P = pair_distances(embeddings_ND, queries[query_P], embeddings_ND, image_P)
        hit_P = are_hits(labels, queries[query_P], image_P)
        key_P = query_P << 32 | distance_P.view(np.uint32)
        order_P = np.argsort(key_P, kind="stable")
        key_P, order_H = key_P[order_P], order_P[hit_P[order_P]]
        start_Q = np.searchsorted(key_P, np.arange(len(queries)) << 32)
        return cls(start_Q, key_P, query_P[order_H], distance_P[order_H])

    def groups(self, queries_QD: Tensor, centre_D: Tensor) -> list[_Group]:
        """Queries with about as many hits each, side by side."""
        count_Q = np.bincount(self.query_H, minlength=len(queries_QD))
        first_Q = np.cumsum(count_Q) - count_Q
        order_Q = np.argsort(-count_Q, kind="stable")
        found = []
        for at in range(0, len(order_Q), products.GROUP):
            rows_Q = order_Q[at : at + products.GROUP]
            place_QK = first_Q[rows_Q, None] + np.arange(count_Q[rows_Q[0]])
            there_QK = place_QK < (first_Q + count_Q)[rows_Q, None]
            distance_QK = self.distance_H[np.where(there_QK, place_QK, 0)]
            asking = Asking.of(queries_QD[torch.from_numpy(rows_Q)], centre_D)
            found.append(_Group(asking, place_QK, there_QK, distance_QK, np.zeros(place_QK.shape, np.int64)))
        return found

    def hits(self, groups: list[_Group]) -> Hits:
        """Ranks, from how many images each group has counted."""
        near_H = np.zeros(len(self.query_H), dtype=np.int64)
        for group in groups:
            near_H[group.place_QK[group.there_QK]] = group.counts_QK[group.there_QK]
        key_H = self.query_H << 32 | self.distance_H.view(np.uint32)
        own_H = np.searchsorted(self.key_P, key_H, side="right") - self.start_Q[self.query_H]
        nth_H = np.arange(len(key_H)) - np.searchsorted(self.query_H, self.query_H) + 1
        return Hits(self.query_H, nth_H + near_H - own_H)


class _Group(NamedTuple):
    """Some queries, those with most hits first, and how much of the gallery lies no farther away than each hit."""

    asking: Asking
    place_QK: IntArray
    """Of each hit among all."""
    there_QK: NDArray[np.bool_]
    """False behind a query's last hit."""
    distance_QK: FloatArray
    counts_QK: IntArray

    def look(self, block: Block) -> None:
        """Add what a block holds."""
        counts_QK, open_K = np.zeros_like(self.counts_QK), []
        product_QG = block.products(self.asking)
        low_QK, high_QK = self._limits(block)
        room = products.OPEN_SHARE * product_QG.size
        for nth, asking in enumerate(self.there_QK.sum(axis=0).tolist()):
            near_QG = product_QG[:asking] <= high_QK[:asking, nth, None]
            counts_QK[:asking, nth] = near_QG.view(np.uint8).sum(axis=1, dtype=np.uint16)  # several times faster
            near_QG &= product_QG[:asking] >= low_QK[:asking, nth, None]
            open_K.append(np.flatnonzero(near_QG))
            room -= len(open_K[-1])
            if room < 0:
                distance_QG = block.all_measured(self.asking)
                nearer = [(distance_QG <= limit_Q[:, None]).sum(axis=1) for limit_Q in self.distance_QK.T]
                self.counts_QK[:] += np.stack(nearer, axis=1)
                return
        nth_P = np.repeat(np.arange(len(open_K)), [len(places) for places in open_K])
        query_P, other_P = np.divmod(np.concatenate(open_K), product_QG.shape[1])
        farther_P = block.measured(self.asking, query_P, other_P) > self.distance_QK[query_P, nth_P]
        np.subtract.at(counts_QK, (query_P[farther_P], nth_P[farther_P]), 1)
        self.counts_QK[:] += counts_QK

    def _limits(self, block: Block) -> tuple[FloatArray, FloatArray]:
        """(Q, K) a product below the one is no farther away than the hit, and one above the other is."""
        limit_QK = self.distance_QK.astype(np.float64) ** 2 - self.asking.length_Q[:, None] ** 2
        slack_Q1, infinity = block.slack(self.asking)[:, None], np.float32(np.inf)
        low_QK, high_QK = (limit_QK - slack_Q1).astype(np.float32), (limit_QK + slack_Q1).astype(np.float32)
        return np.nextafter(low_QK, -infinity), np.nextafter(high_QK, infinity)

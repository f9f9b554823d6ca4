"""The ranks of few matches in a large gallery, without sorting it: how many images lie no farther away than each match.

Matrix products say of nearly all images on which side of a match they lie. Only those for which their rounding leaves
that open are measured as `ranking` measures all: the ranks are the same to the last one.

Legend: N images, D embedding dimensions, Q queries of a group, G images of a block of the gallery, P pairs of a query
and an image of its identity, H hits, K the most hits of one query of a group.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid_tui.evaluation.ranking import Hits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reid_tui.evaluation.labels import Labels

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]

SMALLEST_GALLERY: Final = 4096
MOST_PER_QUERY: Final = 32
"""Images of a query's identity, on average, up to which counting is faster than sorting."""
FARTHEST: Final = 1e15
"""A coordinate beyond this may have no square in float32."""
PAIRS: Final = 2**20
"""At once."""
QUERIES: Final = 8192
"""At once: they share one pass over the gallery."""
GROUP: Final = 64
BLOCK: Final = 2048
"""With a group's distances to it, this stays in the processor's caches."""
MEASURED: Final = 8192
"""Pairs whose embeddings are gathered at once."""
OPEN_SHARE: Final = 0.25
"""Of a group's distances to a block; where more are left open, all of them are measured."""
_ROUNDING: Final = 2.0**-24
_SMALLEST: Final = 1e-37
"""Squares below it may be lost."""


def counting_pays(embeddings_ND: Tensor, labels: Labels, queries: IntArray) -> bool:
    """Whether `counted_hits` is faster than a sort, and can be exact."""
    gallery = labels.gallery
    if embeddings_ND.is_cuda or len(gallery) < SMALLEST_GALLERY or not len(queries):
        return False
    start_Q, stop_Q, _ = _own_runs(labels, queries)
    few = int((stop_Q - start_Q).sum()) <= MOST_PER_QUERY * len(queries)
    return few and all(abs(float(end)) < FARTHEST for end in torch.aminmax(embeddings_ND))


def counted_hits(
    embeddings_ND: Tensor, labels: Labels, queries: IntArray, go_on: Callable[[], None] = lambda: None
) -> Iterator[Hits]:
    """The same as `ranking.ranked_hits` gives, on the CPU.

    Args:
        embeddings_ND: (N, D) float32, within `FARTHEST`.
        labels: of the same images.
        queries: places of the images that ask; each has a match.
        go_on: called before each part of the work; what it raises ends it.

    Yields:
        The hits of many queries at a time.
    """
    start_Q, stop_Q, sorted_G = _own_runs(labels, queries)
    pairs_Q = np.cumsum(stop_Q - start_Q)
    gallery = labels.gallery
    centre_D = embeddings_ND.mean(dim=0)
    first = 0
    with ThreadPoolExecutor(torch.get_num_threads(), "reid-tui-counting") as pool:
        while first < len(queries):
            before = pairs_Q[first - 1] if first else 0
            last = max(first + 1, min(first + QUERIES, int(np.searchsorted(pairs_Q, before + PAIRS, side="right"))))
            rows_Q, part = queries[first:last], slice(first, last)
            query_P, image_P = _pairs(start_Q[part], stop_Q[part], sorted_G)
            matches = _Matches.of(embeddings_ND, labels, rows_Q, query_P, image_P)
            groups = matches.groups(embeddings_ND[torch.from_numpy(rows_Q)], centre_D)
            for at in range(0, len(gallery), BLOCK):
                go_on()
                block = _Block.of(embeddings_ND[torch.from_numpy(gallery[at : at + BLOCK])], centre_D)
                for _ in pool.map(block.count_for, groups):
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
        distance_P = np.concatenate(
            [
                _distances(embeddings_ND[torch.from_numpy(a)], embeddings_ND[torch.from_numpy(b)])
                for a, b in zip(_parts(queries[query_P]), _parts(image_P), strict=True)
            ]
        )
        hit_P = image_P != queries[query_P]
        if labels.cameras_N is not None:
            hit_P &= labels.cameras_N[image_P] != labels.cameras_N[queries[query_P]]
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
        for at in range(0, len(order_Q), GROUP):
            rows_Q = order_Q[at : at + GROUP]
            place_QK = first_Q[rows_Q, None] + np.arange(count_Q[rows_Q[0]])
            there_QK = place_QK < (first_Q + count_Q)[rows_Q, None]
            found.append(_Group.of(queries_QD[torch.from_numpy(rows_Q)], centre_D, self, place_QK, there_QK))
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

    queries_QD: Tensor
    factors_QD1: FloatArray
    """Their product with a block's is the squared distance, without the query's own square."""
    length_Q: NDArray[np.float64]
    """Of the centred embeddings."""
    place_QK: IntArray
    """Of each hit among all."""
    there_QK: NDArray[np.bool_]
    """False behind a query's last hit."""
    distance_QK: FloatArray
    counts_QK: IntArray

    @classmethod
    def of(
        cls, queries_QD: Tensor, centre_D: Tensor, matches: _Matches, place_QK: IntArray, there_QK: NDArray[np.bool_]
    ) -> _Group:
        centred_QD = (queries_QD - centre_D).numpy()
        factors_QD1 = np.concatenate((-2 * centred_QD, np.ones((len(centred_QD), 1), np.float32)), axis=1)
        distance_QK = matches.distance_H[np.where(there_QK, place_QK, 0)]
        counts_QK = np.zeros(place_QK.shape, dtype=np.int64)
        return cls(queries_QD, factors_QD1, _lengths(centred_QD), place_QK, there_QK, distance_QK, counts_QK)


class _Block(NamedTuple):
    """A part of the gallery."""

    others_GD: Tensor
    factors_GD1: FloatArray
    """Centred, and their squares."""
    radius: float
    """The largest length of a centred embedding."""

    @classmethod
    def of(cls, others_GD: Tensor, centre_D: Tensor) -> _Block:
        centred_GD = (others_GD - centre_D).numpy()
        length_G = _lengths(centred_GD)
        squares_G1 = (length_G**2).astype(np.float32)[:, None]
        return cls(others_GD, np.concatenate((centred_GD, squares_G1), axis=1), float(length_G.max(initial=0.0)))

    def count_for(self, group: _Group) -> None:
        """Add to a group's counts what lies in this block."""
        counts_QK, open_K = np.zeros_like(group.counts_QK), []
        part_QG = group.factors_QD1 @ self.factors_GD1.T
        low_QK, high_QK = self._limits(group)
        room = OPEN_SHARE * part_QG.size
        for nth, asking in enumerate(group.there_QK.sum(axis=0).tolist()):
            near_QG = part_QG[:asking] <= high_QK[:asking, nth, None]
            counts_QK[:asking, nth] = [np.count_nonzero(near_G) for near_G in near_QG]
            near_QG &= part_QG[:asking] >= low_QK[:asking, nth, None]
            open_K.append(np.flatnonzero(near_QG))
            room -= len(open_K[-1])
            if room < 0:
                group.counts_QK[:] += self._measured(group)
                return
        nth_P = np.repeat(np.arange(len(open_K)), [len(places) for places in open_K])
        query_P, other_P = np.divmod(np.concatenate(open_K), part_QG.shape[1])
        for q, k, g in zip(_parts(query_P), _parts(nth_P), _parts(other_P), strict=True):
            distance = _distances(group.queries_QD[torch.from_numpy(q)], self.others_GD[torch.from_numpy(g)])
            farther = distance > group.distance_QK[q, k]
            np.subtract.at(counts_QK, (q[farther], k[farther]), 1)
        group.counts_QK[:] += counts_QK

    def _limits(self, group: _Group) -> tuple[FloatArray, FloatArray]:
        """(Q, K) what is below the one is no farther away than the hit, and what is above the other is.

        The sum's own rounding is at most D + 1 units of (|q| + |g|)^2, that of both measured distances D + 4, that of
        centring 2; see Higham (2002), "Accuracy and stability of numerical algorithms", section 3.1.
        """
        dim = group.queries_QD.shape[1]
        slack_Q = (2 * dim + 16) * (_ROUNDING * (group.length_Q + self.radius) ** 2 + _SMALLEST)
        limit_QK = group.distance_QK.astype(np.float64) ** 2 - group.length_Q[:, None] ** 2
        low_QK, high_QK = (limit_QK + sign * slack_Q[:, None] for sign in (-1, 1))
        infinity = np.float32(np.inf)
        return np.nextafter(low_QK.astype(np.float32), -infinity), np.nextafter(high_QK.astype(np.float32), infinity)

    def _measured(self, group: _Group) -> IntArray:
        """(Q, K) the same where all distances are measured."""
        distance_QG = _direct(group.queries_QD, self.others_GD).numpy()
        nearer = [(distance_QG <= limit_Q[:, None]).sum(axis=1) for limit_Q in group.distance_QK.T]
        return np.stack(nearer, axis=1)


def _own_runs(labels: Labels, queries: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Where the images of each query's identity start and stop in the gallery sorted by identity, and that gallery."""
    gallery = labels.gallery
    sorted_G = gallery[np.argsort(labels.identities_N[gallery], kind="stable")]
    identity_G, identity_Q = labels.identities_N[sorted_G], labels.identities_N[queries]
    start_Q, stop_Q = (np.searchsorted(identity_G, identity_Q, side) for side in ("left", "right"))
    return start_Q, stop_Q, sorted_G


def _pairs(start_Q: IntArray, stop_Q: IntArray, sorted_G: IntArray) -> tuple[IntArray, IntArray]:
    """(P,) place among the queries, and the image."""
    count_Q = stop_Q - start_Q
    query_P = np.repeat(np.arange(len(count_Q)), count_Q)
    before_Q = np.cumsum(count_Q) - count_Q
    return query_P, sorted_G[np.arange(len(query_P)) + (start_Q - before_Q)[query_P]]


def _parts(places_P: IntArray) -> list[IntArray]:
    """At least one."""
    return [places_P[at : at + MEASURED] for at in range(0, max(len(places_P), 1), MEASURED)]


def _lengths(centred_ND: FloatArray) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = np.sqrt(np.einsum("nd,nd->n", centred_ND, centred_ND, dtype=np.float64))
    return lengths


def _direct(first_ND: Tensor, second_MD: Tensor) -> Tensor:
    """As `ranking` measures them: each depends on its two embeddings only."""
    return torch.cdist(first_ND, second_MD, compute_mode="donot_use_mm_for_euclid_dist")


def _distances(first_PD: Tensor, second_PD: Tensor) -> FloatArray:
    """(P,) of pairs."""
    return np.asarray(_direct(first_PD[:, None], second_PD[:, None])[:, 0, 0].numpy(), dtype=np.float32)

"""k-reciprocal re-ranking: images that have each other among their neighbours count as nearer.

All images that ask or can be found take part, queries as well as gallery, whatever their cameras; which of them then
leave a query's gallery is decided as in every ranking. Sets of neighbours are kept as sparse rows, and distances are
computed for some rows at a time: no matrix of all images with all others is ever there.

Legend: N images, M of them take part, D embedding dimensions, Q queries, G gallery, B rows at a time, K neighbours,
H half of these, S entries of a sparse matrix.

Source:
    Zhong, Zheng, Cao, Li (2017), "Re-ranking person re-identification with k-reciprocal encoding", sections 3.2 to 3.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid_tui.evaluation.retrieval import checked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reid_tui.evaluation.labels import Labels

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
K1: Final = 20
"""Neighbours that are asked whether it is mutual."""
K2: Final = 6
"""Images whose sets of neighbours are averaged."""
WEIGHT: Final = 0.3
"""Of the original distance; the rest is that of the sets."""
ROWS: Final = 128
BLOCK_BYTES: Final = 32 * 2**20
"""Of embeddings that are subtracted from others at a time."""


class _Rows(NamedTuple):
    """A sparse matrix, its entries in the order of the rows."""

    start: IntArray
    """Where each row's entries begin, and where the last one's end."""
    column_S: IntArray
    value_S: FloatArray

    @classmethod
    def of(cls, row_S: IntArray, column_S: IntArray, value_S: FloatArray, rows: int) -> _Rows:
        """Entries in any order, those of one place added up."""
        width = int(column_S.max(initial=0)) + 1
        place, of_S = np.unique(row_S * width + column_S, return_inverse=True)
        row, column = np.divmod(place, width)
        start: IntArray = np.searchsorted(row, np.arange(rows + 1)).astype(np.int64)
        value = np.asarray(np.bincount(of_S, value_S, len(place)), np.float64)
        return cls(start, column, value)

    @classmethod
    def joined(cls, parts: Sequence[_Rows]) -> _Rows:
        """The rows of all parts."""
        counts = np.concatenate([np.diff(part.start) for part in parts])
        start = np.concatenate(([0], np.cumsum(counts)))
        return cls(start, *(np.concatenate(column) for column in zip(*(part[1:] for part in parts), strict=True)))

    def entries(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        """The entries of some rows: which of `rows` each is of, and where it lies."""
        counts = self.start[rows + 1] - self.start[rows]
        of_S = np.repeat(np.arange(len(rows)), counts)
        first_S = np.repeat(self.start[rows] - (np.cumsum(counts) - counts), counts)
        return of_S, first_S + np.arange(len(of_S))


class Reranking:
    """Distances from queries to the gallery, 0..1: a threshold for distances of the embeddings means nothing here."""

    def __init__(
        self,
        embeddings_ND: Tensor,
        labels: Labels,
        *,
        k1: int = K1,
        k2: int = K2,
        weight: float = WEIGHT,
        go_on: Callable[[], None] = lambda: None,
    ) -> None:
        """Find out who is whose neighbour.

        Args:
            embeddings_ND: (N, D) floating point, finite in float32, on any device.
            labels: of the same N images, one of which can be found at least.
            k1: neighbours that are asked, >= 1.
            k2: images whose sets are averaged, >= 1.
            weight: of the original distance, 0..1.
            go_on: called every fraction of a second; what it raises ends the work.

        Raises:
            ValueError: shapes that do not fit, or embeddings that are not finite.
        """
        self._weight, self._go_on = weight, go_on
        taking_part = np.union1d(labels.queries, labels.gallery)
        self._place_N = np.full(len(labels), -1)
        self._place_N[taking_part] = np.arange(len(taking_part))
        points_ND = checked(embeddings_ND, labels)
        points_MD = points_ND[torch.from_numpy(taking_part).to(points_ND.device)].double()
        self._points_MD = points_MD.sub_(points_MD.mean(dim=0))
        self._squares_M = torch.linalg.vector_norm(self._points_MD, dim=1).square()
        rank_MK, self._farthest_M = self._nearest(max(k1 + 1, k2))
        sets = self._expanded(rank_MK[:, : k1 + 1], rank_MK[:, : round(k1 / 2) + 1])
        self._sets = self._averaged(sets, rank_MK[:, :k2])
        self._gallery = self._place_N[labels.gallery]
        of_S, at_S = self._sets.entries(self._gallery)
        columns = self._sets.column_S[at_S]
        self._turned = _Rows.of(columns, of_S, self._sets.value_S[at_S], len(taking_part))

    def __call__(self, rows_Q: Tensor, gallery_G: Tensor) -> Tensor:
        """(Q, G) float32, as `ranking.Distances`.

        Args:
            rows_Q: places of queries among the N images.
            gallery_G: those of the gallery, all of it.
        """
        assert len(gallery_G) == len(self._gallery)
        rows = self._place_N[rows_Q.cpu().numpy()]
        original_QG = (self._squared(rows) / self._farthest_M[rows, None])[:, self._gallery].cpu().numpy()
        mixed_QG = np.empty(original_QG.shape, np.float32)
        for row, original_G, mixed_G in zip(rows, original_QG, mixed_QG, strict=True):
            self._go_on()
            mixed_G[:] = self._weight * original_G + (1 - self._weight) * self._of_sets(row)
        return torch.from_numpy(mixed_QG).to(rows_Q.device)

    def _of_sets(self, row: int) -> FloatArray:
        """(G,) Jaccard distances of one image's set to those of the gallery."""
        mine = slice(self._sets.start[row], self._sets.start[row + 1])
        of_S, at_S = self._turned.entries(self._sets.column_S[mine])
        smaller_S = np.minimum(self._sets.value_S[mine][of_S], self._turned.value_S[at_S])
        common_G = np.bincount(self._turned.column_S[at_S], smaller_S, len(self._gallery))
        distance_G: FloatArray = 1 - common_G / (2 - common_G)
        return distance_G

    def _squared(self, rows: IntArray) -> Tensor:
        """(B, M) squared distances; float64 leaves too little error for float32 to see."""
        products_BM = self._points_MD[rows] @ self._points_MD.T
        return products_BM.mul_(-2).add_(self._squares_M).add_(self._squares_M[rows, None]).clamp_min_(0)

    def _parts(self) -> Iterator[IntArray]:
        """All places that take part, some at a time."""
        for at in range(0, len(self._points_MD), ROWS):
            self._go_on()
            yield np.arange(at, min(at + ROWS, len(self._points_MD)))

    def _nearest(self, count: int) -> tuple[IntArray, Tensor]:
        """(M, K) neighbours, each image itself first, at one distance by their place; (M,) the largest squared one."""
        images = len(self._points_MD)
        # Made at once: small results kept among large ones would keep the memory of these from being used again.
        rank_MK = np.empty((images, min(count, images)), dtype=np.int64)
        farthest_M = torch.empty_like(self._squares_M)
        places_M = torch.arange(images, device=farthest_M.device)
        for rows in self._parts():
            squared_BM = self._squared(rows)
            farthest_M[rows] = squared_BM.amax(dim=1)
            keys_BM = squared_BM.float().view(torch.int32).long()
            keys_BM[np.arange(len(rows)), rows] = -1
            keys_BM = keys_BM.bitwise_left_shift_(32).bitwise_or_(places_M)
            best_BK = keys_BM.topk(rank_MK.shape[1], largest=False).values
            rank_MK[rows] = (best_BK & 0xFFFFFFFF).cpu().numpy()
        return rank_MK, farthest_M.masked_fill(farthest_M == 0, 1)

    def _expanded(self, rank_MK: IntArray, rank_MH: IntArray) -> _Rows:
        """The mutual neighbours of each image, with those of the ones that share most of theirs; a row sums to 1."""
        mutual_MK, mutual_MH = self._mutual(rank_MK), self._mutual(rank_MH)
        sets = []
        for rows in self._parts():
            asked_BK, mutual_BK = rank_MK[rows], mutual_MK[rows]
            theirs_BKH, mutual_BKH = rank_MH[asked_BK], mutual_MH[asked_BK]
            own_BK = np.where(mutual_BK, asked_BK, -1)
            shared_BKH = (theirs_BKH[..., None] == own_BK[:, None, None]).any(axis=3) & mutual_BKH
            joins_BK = mutual_BK & (3 * shared_BKH.sum(axis=2) > 2 * mutual_BKH.sum(axis=2))
            joins_BKH = joins_BK[..., None] & mutual_BKH
            of_S = np.concatenate((mutual_BK.nonzero()[0], joins_BKH.nonzero()[0]))
            member_S = np.concatenate((asked_BK[mutual_BK], theirs_BKH[joins_BKH]))
            found = _Rows.of(of_S, member_S, np.ones(len(of_S)), len(rows))
            of_S = np.repeat(np.arange(len(rows)), np.diff(found.start))
            weight_S = self._weights(rows[of_S], found.column_S)
            sets.append(found._replace(value_S=weight_S / np.bincount(of_S, weight_S)[of_S]))
        return _Rows.joined(sets)

    def _mutual(self, rank_MK: IntArray) -> NDArray[np.bool_]:
        """(M, K) whether each image is among the neighbours of its neighbour too."""
        return np.concatenate([(rank_MK[rank_MK[rows]] == rows[:, None, None]).any(axis=2) for rows in self._parts()])

    def _weights(self, first_S: IntArray, second_S: IntArray) -> FloatArray:
        """(S,) of pairs of images: the larger, the nearer they are."""
        block = max(1, BLOCK_BYTES // (8 * max(1, self._points_MD.shape[1])))
        squared = [
            (self._points_MD[first_S[at : at + block]] - self._points_MD[second_S[at : at + block]]).square().sum(dim=1)
            for at in range(0, len(first_S), block)
        ]
        return torch.exp(-torch.cat(squared) / self._farthest_M[first_S]).cpu().numpy()

    def _averaged(self, sets: _Rows, rank_MK: IntArray) -> _Rows:
        """The mean of the sets of each image's nearest."""
        parts, count = [], rank_MK.shape[1]
        for rows in self._parts():
            of_S, at_S = sets.entries(rank_MK[rows].ravel())
            parts.append(_Rows.of(of_S // count, sets.column_S[at_S], sets.value_S[at_S] / count, len(rows)))
        return _Rows.joined(parts)

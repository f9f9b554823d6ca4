"""The pairs that an embedding finds hardest: of one identity and far apart, of two and close.

Legend: N images, D dimensions, P pairs. Blocks bound the memory, whatever N is. Numpy only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

    from reid_tui.training.events import FloatArray, IntArray

COUNT: Final = 40
"""Pairs of each kind that are told."""
POOL: Final = 4096
"""Of each kind that they are chosen from."""
BLOCK: Final = 512
"""Images on each side of a block: 2 MiB of distances."""
Doubles = NDArray[np.float64]


class Pairs(NamedTuple):
    """From the worst on; each image is in one of them, its worst."""

    first_P: IntArray
    """Places among the N images, each below its partner's."""
    second_P: IntArray
    distance_P: Doubles
    share_P: Doubles
    """Of what all pairs of the kind cost by the contrastive loss, 0..1; NaN where they cost nothing."""


class WorstPairs(NamedTuple):
    """Of both kinds."""

    same: Pairs
    """Farthest apart first."""
    different: Pairs
    """Closest first."""


def worst_pairs(
    embeddings_ND: FloatArray, identities_N: IntArray, cameras_N: IntArray | None, margin: float
) -> WorstPairs:
    """Look through all pairs.

    With cameras, two images of one identity are a pair only where they are of two cameras, unless no identity was
    seen by two.

    Args:
        embeddings_ND: (N, D) finite.
        identities_N: (N,)
        cameras_N: (N,) where they are known.
        margin: of the loss; not finite where it has none.
    """
    across = cameras_N if cameras_N is not None and _seen_by_two(identities_N, cameras_N) else None
    same = _Search(-1, np.square)
    different = _Search(1, lambda distance: np.square(np.maximum(0.0, margin - distance)))
    place_N = np.arange(len(identities_N))
    starts = range(0, len(identities_N), BLOCK)
    for rows, columns in ((slice(a, a + BLOCK), slice(b, b + BLOCK)) for a in starts for b in starts if b >= a):
        distance = _distances(embeddings_ND[rows], embeddings_ND[columns])
        later = place_N[columns] > place_N[rows, None]
        own = identities_N[rows, None] == identities_N[columns]
        apart = later if across is None else later & (across[rows, None] != across[columns])
        same.look(distance, own & apart, rows.start, columns.start)
        different.look(distance, later & ~own, rows.start, columns.start)
    return WorstPairs(same.found(embeddings_ND), different.found(embeddings_ND))


class _Search:
    """For the smallest of signed distances."""

    def __init__(self, sign: int, cost: Callable[[Doubles], Doubles]) -> None:
        self._sign, self._cost = sign, cost
        self._total = 0.0
        self._signed = np.zeros(0)
        self._first, self._second = np.zeros((2, 0), dtype=np.int64)

    def look(self, distance: Doubles, counts: NDArray[np.bool_], top: int, left: int) -> None:
        """At the pairs of a block that count."""
        self._total += float(self._cost(distance[counts]).sum())
        signed = self._sign * distance
        limit = self._signed.max() if len(self._signed) == POOL else np.inf
        row, column = np.nonzero(counts & (signed < limit))
        signed = np.concatenate([self._signed, signed[row, column]])
        first, second = np.append(self._first, row + top), np.append(self._second, column + left)
        best = np.argpartition(signed, POOL)[:POOL] if len(signed) > POOL else slice(None)
        self._signed, self._first, self._second = signed[best], first[best], second[best]

    def found(self, embeddings_ND: FloatArray) -> Pairs:
        """The worst, measured without the products' rounding."""
        apart = embeddings_ND[self._first].astype(np.float64) - embeddings_ND[self._second]
        distance = np.sqrt(np.square(apart).sum(axis=1))
        used: set[int] = set()
        chosen: list[int] = []
        for pair in np.lexsort((self._second, self._first, self._sign * distance)).tolist():
            images = {int(self._first[pair]), int(self._second[pair])}
            if not images & used and len(chosen) < COUNT:
                used |= images
                chosen.append(pair)
        cost = self._cost(distance[chosen])
        share = cost / self._total if self._total > 0 else np.full(len(chosen), np.nan)
        return Pairs(self._first[chosen], self._second[chosen], distance[chosen], share)


def _distances(one_ND: FloatArray, other_ND: FloatArray) -> Doubles:
    """Of all to all, in float64: the products' rounding is far below what float32 tells apart."""
    centre_D = one_ND[0].astype(np.float64)
    one, other = one_ND - centre_D, other_ND - centre_D
    squared = np.square(one).sum(axis=1)[:, None] + np.square(other).sum(axis=1) - 2 * (one @ other.T)
    distances: Doubles = np.sqrt(np.maximum(squared, 0.0, out=squared), out=squared)
    return distances


def _seen_by_two(identities_N: IntArray, cameras_N: IntArray) -> bool:
    """Whether any identity was seen by two cameras."""
    seen = np.unique(np.stack([identities_N, cameras_N]), axis=1)[0]
    return len(np.unique(seen)) < len(seen)

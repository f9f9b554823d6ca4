"""Which identities lie on each other: mean distances between them, and how many pairs a threshold takes for the same.

Numpy only. Legend: N images, C of them at a time, D embedding dimensions, K identities.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.int64]

MOST_IMAGES: Final = 4096
"""The first ones are compared: of a balanced sample any beginning is balanced."""
MOST_IN_TABLE: Final = 20
"""Identities; of more only the worst pairs are kept."""
WORST: Final = 10
_MOST_VALUES: Final = 2**20
"""Of the embeddings that are compared, so that memory and time stay bounded."""
_ROWS: Final = 64
"""Images whose distances to all others are held at once."""


class Overlap(NamedTuple):
    """Of two identities."""

    first: int
    second: int
    mean: float
    """Distance between an image of one and an image of the other."""
    closer: float
    """Share of such pairs no farther apart than the threshold, 0..1; NaN without one."""


@dataclass(frozen=True, slots=True, eq=False)
class Overlaps:
    """Of all identities of a snapshot."""

    identities: IntArray
    """(K,) rising."""
    images: int
    """That were compared."""
    worst: tuple[Overlap, ...]
    """Of two different identities, at most `WORST`, the worst first."""
    mean_KK: FloatArray | None = None
    """Mean distances, on the diagonal between two images of one identity; None for more than `MOST_IN_TABLE`."""
    closer_KK: FloatArray | None = None
    """Shares of pairs no farther apart than the threshold; NaN where there is no pair."""


def overlaps(embeddings_ND: NDArray[np.float32], identities_N: IntArray, threshold: float) -> Overlaps:
    """Compare every identity with every other one.

    Args:
        embeddings_ND: (N, D) finite.
        identities_N: (N,) >= 0.
        threshold: pairs no farther apart count as closer; NaN: the means decide alone.
    """
    most = min(MOST_IMAGES, max(_MOST_VALUES // embeddings_ND.shape[1], 2))
    some = np.argsort(identities_N[:most], kind="stable")
    kinds_K, kind_N, count_K = np.unique(identities_N[some], return_inverse=True, return_counts=True)
    sorted_ND = embeddings_ND[some].astype(np.float64)
    sorted_ND -= sorted_ND.mean(axis=0)
    table = len(kinds_K) <= MOST_IN_TABLE
    rows, worst = [], list[Overlap]()
    for first, sums_CK, near_CK in _sums(sorted_ND, kind_N, count_K, threshold):
        pairs_CK = count_K[first : first + len(sums_CK), None] * count_K
        own = (np.arange(len(sums_CK)), first + np.arange(len(sums_CK)))
        pairs_CK[own] -= count_K[own[1]]
        with np.errstate(invalid="ignore", divide="ignore"):
            mean_CK, closer_CK = sums_CK / pairs_CK, near_CK / pairs_CK
        if np.isnan(threshold):
            closer_CK[:] = np.nan
        if table:
            rows.append((mean_CK, closer_CK))
        worst = _worst(worst, first, mean_CK, closer_CK, kinds_K)
    if not table or not rows:
        return Overlaps(kinds_K, len(some), tuple(worst))
    mean_KK, closer_KK = (np.concatenate(part) for part in zip(*rows, strict=True))
    return Overlaps(kinds_K, len(some), tuple(worst), mean_KK, closer_KK)


def _sums(
    sorted_ND: FloatArray, kind_N: IntArray, count_K: IntArray, threshold: float
) -> Iterator[tuple[int, FloatArray, FloatArray]]:
    """Of some identities at a time, from the first on: sums of distances to each identity, and counts of near pairs."""
    start_K = np.cumsum(count_K) - count_K
    squares_N = np.square(sorted_ND).sum(axis=1)
    first = 0
    while first < len(count_K):
        last = first + max(1, int(np.searchsorted(np.cumsum(count_K[first:]), _ROWS, side="right")))
        total = np.zeros((2, last - first, len(count_K)))
        end = int(start_K[last - 1] + count_K[last - 1])
        for begin in range(int(start_K[first]), end, _ROWS):
            rows = np.arange(begin, min(begin + _ROWS, end))
            square_CN = squares_N[rows, None] + squares_N - 2 * (sorted_ND[rows] @ sorted_ND.T)
            distance_CN = np.sqrt(np.maximum(square_CN, 0, out=square_CN), out=square_CN)
            distance_CN[np.arange(len(rows)), rows] = np.inf
            near_CN = distance_CN <= threshold
            distance_CN[np.arange(len(rows)), rows] = 0
            for sums, values in zip(total, (distance_CN, near_CN), strict=True):
                by_kind_CK = np.add.reduceat(values, start_K, axis=1, dtype=np.float64)
                np.add.at(sums, kind_N[rows] - first, by_kind_CK)
        yield first, total[0], total[1]
        first = last


def _worst(
    before: list[Overlap], first: int, mean_CK: FloatArray, closer_CK: FloatArray, kinds_K: IntArray
) -> list[Overlap]:
    """The worst pairs so far: most of theirs closer than the threshold, of as many those nearest to each other."""
    row, column = np.nonzero(np.arange(len(kinds_K)) > first + np.arange(len(mean_CK))[:, None])
    mean_P, closer_P = mean_CK[row, column], closer_CK[row, column]
    order = np.lexsort((mean_P, -np.nan_to_num(closer_P)))[:WORST]
    found = [
        Overlap(int(kinds_K[first + row[i]]), int(kinds_K[column[i]]), float(mean_P[i]), float(closer_P[i]))
        for i in order
    ]
    return sorted([*before, *found], key=lambda pair: (-np.nan_to_num(pair.closer), pair.mean))[:WORST]

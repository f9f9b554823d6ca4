"""The nearest of a gallery, exactly: a fast product finds who may be among them, differences say who is.

Legend: N rows of the gallery, D embedding dimensions, Q queries, B of one chunk, K nearest, S rows in question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from reid_tui.data.dataset import IntArray

    Float32Array = NDArray[np.float32]
    Float64Array = NDArray[np.float64]

CHUNK_BYTES: Final = 1 << 26
"""Of products that are alive at once."""
BLOCK_ROWS: Final = 1024
"""So many differences stay in the processor's caches."""
_UNIT: Final = 2.0**-24
"""Half the distance from 1 to the next float32: the largest relative error of one operation."""
_SMALLEST: Final = 2.0**-125
_LARGEST: Final = 2.0**60
"""Longer embeddings have squares that float32 cannot hold with certainty."""


class Near(NamedTuple):
    """What lies nearest to one query, nearest first; at one distance in the order of the gallery."""

    rows_K: IntArray
    distances_K: Float64Array


def nearest(
    queries_QD: Float32Array, gallery_ND: Float32Array, count: int, without: Sequence[IntArray] = ()
) -> Iterator[Near]:
    """The nearest rows of the gallery to each query, by Euclidean distance.

    Args:
        queries_QD: (Q, D) finite.
        gallery_ND: (N, D) finite.
        count: most for each query, >= 1.
        without: rows that a query does not see, for each query; empty for no query.

    Yields:
        One for each query, in their order.
    """
    with np.errstate(over="ignore"):
        squares_N = np.einsum("nd,nd->n", gallery_ND, gallery_ND)
    longest = float(np.sqrt(squares_N.max(initial=0)))
    chunk = max(1, CHUNK_BYTES // (4 * max(1, len(gallery_ND))))
    for first in range(0, len(queries_QD), chunk):
        part_BD = queries_QD[first : first + chunk]
        with np.errstate(over="ignore", invalid="ignore"):
            about_BN = part_BD @ gallery_ND.T
            about_BN *= -2
            about_BN += squares_N
        for place, query_D in enumerate(part_BD):
            unseen = without[first + place] if without else np.zeros(0, dtype=np.int64)
            rows_S = _in_question(about_BN[place], count, unseen, _error(query_D, longest))
            distances_S = distances(query_D, gallery_ND, rows_S)
            best_K = np.argsort(distances_S, kind="stable")[:count]
            yield Near(rows_S[best_K], distances_S[best_K])


def distances(query_D: Float32Array, gallery_ND: Float32Array, rows_S: IntArray) -> Float64Array:
    """(S,) from one embedding to some rows, each by itself: 0 where they are equal."""
    found_S = np.empty(len(rows_S))
    query_D64 = query_D.astype(np.float64)
    for first in range(0, len(rows_S), BLOCK_ROWS):
        apart_SD = gallery_ND[rows_S[first : first + BLOCK_ROWS]] - query_D64
        np.einsum("sd,sd->s", apart_SD, apart_SD, out=found_S[first : first + BLOCK_ROWS])
    return np.sqrt(found_S, out=found_S)


def _error(query_D: Float32Array, longest: float) -> float:
    """How far a |g|^2 - 2 q.g of float32 may lie from the true one; infinite where nothing is known of it.

    A sum of D products is at most D units of |q||g| wrong in whatever order it is added up, that of the squares as many
    of |g|^2, and their difference one more of each; products too small for float32 lose what is below it.
    """
    size = float(np.linalg.norm(query_D.astype(np.float64))) + longest
    if not size < _LARGEST:
        return float("inf")
    return 1.01 * (len(query_D) + 4) * (_UNIT * size**2 + _SMALLEST)


def _in_question(about_N: Float32Array, count: int, unseen: IntArray, error: float) -> IntArray:
    """(S,) rows that may be among the `count` nearest, ascending.

    The true value of each of these is at most that of the last one as it seems plus the error, so it seems at most one
    more error larger.
    """
    if not np.isfinite(error):
        return np.setdiff1d(np.arange(len(about_N)), unseen)
    about_N[unseen] = np.inf
    seen = len(about_N) - len(unseen)
    if count >= seen:
        return np.flatnonzero(np.isfinite(about_N))
    last = float(np.partition(about_N, count - 1)[count - 1])
    bound = np.nextafter(np.float32(last + 2 * error), np.float32(np.inf))
    return np.flatnonzero(about_N <= bound)

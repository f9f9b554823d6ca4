"""What one query finds, and which queries find the right one last, by the protocol that the scores follow.

Numpy only. Legend: N images, D embedding dimensions, Q queries with a match, C of them at a time, G gallery images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reid_tui.evaluation.labels import Labels

    FloatArray = NDArray[np.float32]
    IntArray = NDArray[np.int64]

MOST_QUERIES: Final = 4096
"""The first ones are ranked."""
_CELLS: Final = 2**19
"""Distances held at once."""


class FirstRanks(NamedTuple):
    """Queries with a match, those that find it last first."""

    queries: IntArray
    """(Q,) places among the N images."""
    ranks: IntArray
    """(Q,) rank, from 1, of the nearest right answer."""


class Ranked(NamedTuple):
    """The nearest of the gallery."""

    places: IntArray
    """(k,) among the N images."""
    distances: FloatArray
    """(k,) rising."""


def first_ranks(embeddings_ND: FloatArray, labels: Labels) -> FirstRanks:
    """Rank the gallery for each query, and find its nearest right answer. At one distance what is wrong comes first.

    Args:
        embeddings_ND: (N, D) finite.
        labels: of the same images, all of them of somebody.
    """
    queries = labels.queries[labels.matches() > 0][:MOST_QUERIES]
    gallery = labels.gallery
    gallery_GD = embeddings_ND if len(gallery) == len(embeddings_ND) else embeddings_ND[gallery]
    squares_G = np.einsum("gd,gd->g", gallery_GD, gallery_GD)
    ranks = np.zeros(len(queries), np.int64)
    blur = 4 * np.finfo(np.float32).eps * squares_G.max(initial=0)  # what rounding sets apart counts as one distance
    rows = max(1, _CELLS // max(len(gallery), 1))
    for begin in range(0, len(queries), rows):
        part = queries[begin : begin + rows]
        away_CG = squares_G - 2 * (embeddings_ND[part] @ gallery_GD.T)  # the query's own square changes no order
        same_CG = labels.identities_N[part, None] == labels.identities_N[gallery]
        right_CG = same_CG & ~_left_out(labels, part, gallery, same_CG)
        nearest_C = np.where(right_CG, away_CG, np.inf).min(axis=1)
        ranks[begin : begin + rows] = 1 + (~same_CG & (away_CG <= nearest_C[:, None] + blur)).sum(axis=1)
    order = np.argsort(-ranks, kind="stable")
    return FirstRanks(queries[order], ranks[order])


def ranked(embeddings_ND: FloatArray, labels: Labels, query: int | FloatArray, count: int) -> Ranked:
    """The nearest images of the gallery, without what the protocol leaves out.

    Args:
        embeddings_ND: (N, D) finite.
        labels: of the same images.
        query: place of an image, or the (D,) embedding of a new one, for which nothing is left out.
        count: images wanted, >= 0.
    """
    gallery = labels.gallery
    embedding_D = embeddings_ND[query] if isinstance(query, int) else query
    apart_ND = embeddings_ND - embedding_D
    distance_G = np.sqrt(np.einsum("nd,nd->n", apart_ND, apart_ND))[gallery]
    if isinstance(query, int):
        same_G = labels.identities_N[gallery] == labels.identities_N[query]
        kept = ~_left_out(labels, np.array([query]), gallery, same_G[None])[0]
        gallery, distance_G, same_G = gallery[kept], distance_G[kept], same_G[kept]
        order = np.lexsort((same_G, distance_G))[:count]
    else:
        order = np.argsort(distance_G, kind="stable")[:count]
    return Ranked(gallery[order], distance_G[order])


def _left_out(labels: Labels, queries: IntArray, gallery: IntArray, same_CG: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(C, G): the query itself, and with cameras the images of its identity by its own camera."""
    own_CG: NDArray[np.bool_] = queries[:, None] == gallery
    if labels.cameras_N is not None:
        own_CG |= same_CG & (labels.cameras_N[queries, None] == labels.cameras_N[gallery])
    return own_CG

"""What lies nearest to each query, right or wrong, and what it is farthest from although it should find it.

Legend: N images, D embedding dimensions, Q queries, G images of the gallery.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from reid_tui.evaluation.counting import MOST_PER_QUERY, SMALLEST_GALLERY
from reid_tui.evaluation.nearest import nearest_others, nobody_near
from reid_tui.evaluation.products import are_hits, few_own, own_pairs, own_runs, pair_distances
from reid_tui.evaluation.ranking import LAST, LOWEST, distances_of, queries_per_chunk, ranking_keys
from reid_tui.evaluation.retrieval import checked

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from reid_tui.evaluation.labels import Labels

    IntArray = NDArray[np.int64]

NOBODY: Final = -1
"""Side of an image that shows no identity: it belongs to both."""


class Found(NamedTuple):
    """One image of the gallery for each query."""

    distance_Q: NDArray[np.float32]
    """Infinite where there is none."""
    place_Q: IntArray
    """Among the N images."""
    match_Q: NDArray[np.bool_]
    """Whether it is one that the query is to find."""


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """Of all queries, in the order of the images."""

    queries: IntArray
    """(Q,) places."""
    wrong: Found
    """The nearest image that does not match."""
    right: Found
    """The farthest one that does."""
    known: Found
    """The nearest one of the query's own side; at one distance one that does not match."""
    strange: Found
    """The nearest one in a gallery without the query's side."""


def neighbours(
    embeddings_ND: Tensor, labels: Labels, sides_N: NDArray[np.int8], go_on: Callable[[], None] = lambda: None
) -> Neighbours:
    """Look at the gallery of each query, by the rules of `retrieval`.

    Args:
        embeddings_ND: (N, D) floating point, finite in float32, on any device.
        labels: of the same N images.
        sides_N: (N,) who is known together, `NOBODY` for those that are there for everyone; where all are that, both
            `known` and `strange` are of the whole gallery.
        go_on: called every fraction of a second; what it raises ends the work.

    Raises:
        ValueError: shapes that do not fit, or embeddings that are not finite.
    """
    embeddings_ND = checked(embeddings_ND, labels)
    queries, gallery = labels.queries, labels.gallery
    if not len(queries) or not len(gallery):
        nothing = Found(np.full(len(queries), np.inf, np.float32), np.zeros_like(queries), np.zeros(len(queries), bool))
        return Neighbours(queries, nothing, nothing, nothing, nothing)
    if few_own(embeddings_ND, labels, queries, SMALLEST_GALLERY, MOST_PER_QUERY):
        return _by_products(embeddings_ND, labels, queries, sides_N, go_on)
    sides = torch.from_numpy(sides_N).to(embeddings_ND.device)
    side_G = sides[torch.from_numpy(gallery).to(sides.device)]
    parts: list[tuple[Found, ...]] = []
    for rows_Q, keys_QG in ranking_keys(embeddings_ND, labels, queries, queries_per_chunk(len(gallery), 0), go_on):
        matches_QG = keys_QG & 1 == 1
        side_Q = sides[rows_Q, None]
        ends = (
            keys_QG.masked_fill(matches_QG, LAST).min(dim=1),
            keys_QG.masked_fill(~matches_QG, LOWEST).max(dim=1),
            keys_QG.masked_fill((side_G != side_Q) & (side_G != NOBODY), LAST).min(dim=1),
            keys_QG.masked_fill((side_G == side_Q) & (side_G != NOBODY), LAST).min(dim=1),
        )
        parts.append(tuple(_found(keys_Q, at_Q, gallery) for keys_Q, at_Q in ends))
        del keys_QG, matches_QG, ends
    wrong, right, known, strange = (
        Found(*map(np.concatenate, zip(*part, strict=True))) for part in zip(*parts, strict=True)
    )
    right = right._replace(distance_Q=np.where(right.match_Q, right.distance_Q, np.float32(np.inf)))
    return Neighbours(queries, wrong, right, known, strange)


def _by_products(
    embeddings_ND: Tensor,
    labels: Labels,
    queries: IntArray,
    sides_N: NDArray[np.int8],
    go_on: Callable[[], None],
) -> Neighbours:
    """The same for large galleries with few images of each identity: others are searched for, own ones measured."""

    def belongs(asking: IntArray, others: IntArray) -> list[NDArray[np.bool_]]:
        """Every image; those of the own side; those of the other one."""
        alike, both = sides_N[asking] == sides_N[others], sides_N[others] == NOBODY
        return [np.broadcast_to(np.True_, alike.shape), alike | both, ~alike | both]

    query_P, image_P = own_pairs(*own_runs(labels, queries))
    hit_P = are_hits(labels, queries[query_P], image_P)
    query_P, image_P = query_P[hit_P], image_P[hit_P]
    distance_P = pair_distances(embeddings_ND, queries[query_P], embeddings_ND, image_P)
    others = nearest_others(
        embeddings_ND, labels, queries, lambda asking, places: belongs(asking[:, None], places), go_on
    )
    found = []
    for other, belongs_P in zip(others, belongs(queries[query_P], image_P), strict=True):
        own = nobody_near(len(queries))
        own.take(query_P[belongs_P], distance_P[belongs_P], image_P[belongs_P])
        match_Q = own.distance_Q < other.distance_Q
        distance_Q = np.minimum(own.distance_Q, other.distance_Q)
        found.append(Found(distance_Q, np.where(match_Q, own.place_Q, other.place_Q), match_Q))
    wrong = Found(*others[0], np.zeros(len(queries), dtype=np.bool_))
    farthest = nobody_near(len(queries))
    farthest.take(query_P, -distance_P, image_P)
    there_Q = np.isfinite(farthest.distance_Q)
    right = Found(np.where(there_Q, -farthest.distance_Q, np.float32(np.inf)), farthest.place_Q, there_Q)
    return Neighbours(queries, wrong, right, *found[1:])


def _found(keys_Q: Tensor, at_Q: Tensor, gallery: IntArray) -> Found:
    keys = keys_Q.cpu().numpy()
    return Found(distances_of(keys), gallery[at_Q.cpu().numpy()], keys & 1 == 1)

"""Pictures of nobody knows whom, grouped into likely identities by a threshold of distance.

Legend: N pictures, M of one group, D embedding dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reid_tui.config import GroupingName
    from reid_tui.data.catalog import Report
    from reid_tui.data.dataset import IntArray
    from reid_tui.evaluation.operating import Fitted

    FloatArray = NDArray[np.float32]

MOST_AVERAGE: Final = 16_000
"""Pictures whose distances, each twice in float64, take 2 GB."""
MOST_NEIGHBOURS: Final = 1 << 27
"""Pairs within the threshold whose places take 1 GB."""
USUAL_FAR: Final = 0.01
CORE: Final = 2
"""Pictures within the threshold of each other, itself counted, from which a group grows: no pair is left alone."""
_CHUNK_BYTES: Final = 1 << 26


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Pictures that may show one identity."""

    places_M: IntArray
    """The most typical one first."""
    spread: float
    """Root mean square of the distances between its pictures; 0 for one alone."""


def default_far(fitted: Fitted, method: GroupingName) -> float | None:
    """The rate whose threshold groups best, of those that were fitted; None for the equal error where there are none.

    One false link joins two groups for `dbscan`, but is outvoted by all other pairs of them for `average`.
    """
    rates = [point.asked for point in fitted.points if point.asked is not None]
    return USUAL_FAR if method == "average" and USUAL_FAR in rates else min(rates, default=None)


def clustered(embeddings_ND: FloatArray, threshold: float, method: GroupingName, report: Report) -> list[Group]:
    """Group pictures; the largest group first, of equal ones that of the earliest picture.

    Args:
        embeddings_ND: (N, D) finite, N >= 1.
        threshold: `average` joins groups whose pictures are on average no farther apart, `dbscan` pictures that are
            linked by steps no longer.
        method: how.
        report: told how far it is.

    Raises:
        UsageError: it would take more memory than is reasonable.
    """
    if len(embeddings_ND) == 1:
        return [Group(np.zeros(1, np.int64), 0.0)]
    labels_N = (_average if method == "average" else _linked)(embeddings_ND, threshold, report)
    order_N = np.argsort(labels_N, kind="stable")
    groups = np.split(order_N, np.flatnonzero(np.diff(labels_N[order_N])) + 1)
    groups.sort(key=lambda places: (-len(places), places[0]))
    return [_group(embeddings_ND, places) for places in groups]


def _average(embeddings_ND: FloatArray, threshold: float, report: Report) -> IntArray:
    if len(embeddings_ND) > MOST_AVERAGE:
        raise UsageError(
            f"{len(embeddings_ND):,} pictures are too many for all their distances in memory, at most "
            f"{MOST_AVERAGE:,} are not; take --method dbscan, or fewer pictures"
        )
    report("grouping pictures")
    from sklearn.cluster import AgglomerativeClustering

    reach = np.nextafter(threshold, np.inf)  # it joins what is nearer than that
    grouping = AgglomerativeClustering(n_clusters=None, linkage="average", distance_threshold=reach)
    labels_N: IntArray = grouping.fit_predict(embeddings_ND)
    return labels_N


def _linked(embeddings_ND: FloatArray, threshold: float, report: Report) -> IntArray:
    """DBSCAN; whoever has no neighbour is alone."""
    from sklearn.cluster import DBSCAN
    from sklearn.neighbors import NearestNeighbors

    count, neighbours = len(embeddings_ND), 0
    index = NearestNeighbors(radius=threshold).fit(embeddings_ND)
    chunk = max(1, _CHUNK_BYTES // (8 * count))
    for first in range(0, count, chunk):
        report("counting neighbours", first, count)
        found = index.radius_neighbors(embeddings_ND[first : first + chunk], return_distance=False)
        neighbours += sum(map(len, found))
        if neighbours > MOST_NEIGHBOURS:
            raise UsageError(
                f"more than {MOST_NEIGHBOURS:,} pairs of the {count:,} pictures lie within {threshold:.3g}, too many "
                "for memory; ask for a lower --far, or take fewer pictures"
            )
    report("grouping pictures")
    labels_N: IntArray = DBSCAN(eps=threshold, min_samples=CORE).fit_predict(embeddings_ND)
    alone = np.flatnonzero(labels_N < 0)
    labels_N[alone] = labels_N.max() + 1 + np.arange(len(alone))
    return labels_N


def _group(embeddings_ND: FloatArray, places_M: IntArray) -> Group:
    points_MD = embeddings_ND[places_M].astype(np.float64)
    squares_M = ((points_MD - points_MD.mean(axis=0)) ** 2).sum(axis=1)
    count = len(places_M)
    spread = float(np.sqrt(2 * squares_M.sum() / (count - 1))) if count > 1 else 0.0
    return Group(places_M[np.argsort(squares_M, kind="stable")], spread)

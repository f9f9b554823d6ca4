"""Who is found: CMC, mAP and mINP by the Market-1501 protocol.

Legend: N images, D embedding dimensions, Q queries with a match, H hits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from reid_tui.evaluation.counting import counted_hits, counting_pays
from reid_tui.evaluation.labels import GALLERY, QUERY, Labels
from reid_tui.evaluation.ranking import MAX_BYTES, Hits, queries_per_chunk, ranked_hits

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from reid_tui.evaluation.ranking import Distances

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class QueryScores:
    """What each query with a match found, in the order of the images."""

    identities_Q: IntArray
    first_Q: IntArray
    """Rank, from 1, of the nearest match."""
    precision_Q: FloatArray
    """Average precision: the mean over its matches of the precision at their rank."""
    trapezoid_Q: FloatArray
    """The same, each precision averaged with that just before the match's rank, which is 1 before the first rank."""
    inverse_penalty_Q: FloatArray
    """Matches divided by the rank of the farthest."""


@dataclass(frozen=True, slots=True)
class RetrievalScores:
    """All but the counts in 0..1, NaN where no query has a match."""

    protocol: str
    queries: int
    """Queries with a match; the others are not counted."""
    queries_without_match: int
    gallery: int
    """Images that can be found, each query's own exceptions among them."""
    rank1: float
    """Share of queries whose nearest gallery image shows their identity."""
    rank5: float
    """Share of queries with a match among their nearest five; in a smaller gallery among all."""
    rank10: float
    rank20: float
    map: float
    """Mean over the queries of their average precision."""
    map_trapezoid: float
    minp: float
    """Mean over the queries of their inverse negative penalty."""


def protocol_of(labels: Labels) -> str:
    """Who is compared with whom, in a few words."""
    alike = labels.roles_N is None or bool((labels.roles_N == QUERY + GALLERY).all())
    who = "leave-one-out" if alike else "query and gallery"
    return who if labels.cameras_N is None else f"{who}, other cameras only"


def query_scores(
    embeddings_ND: Tensor,
    labels: Labels,
    *,
    max_bytes: int = MAX_BYTES,
    go_on: Callable[[], None] = lambda: None,
    distances: Distances | None = None,
) -> QueryScores:
    """Rank the gallery for every query that has a match in it.

    The query's own image leaves its gallery, and with cameras all images of its identity that its own camera took; junk
    leaves every gallery. Those at one distance that do not match rank first.

    Args:
        embeddings_ND: (N, D) floating point, finite in float32, on any device.
        labels: of the same N images.
        max_bytes: limit of what distances and their ranking hold at once.
        go_on: called every fraction of a second; what it raises ends the work.
        distances: by which to rank, see `ranking`; None: Euclidean ones.

    Raises:
        ValueError: shapes that do not fit, embeddings that are not finite, or a limit below one query's need.

    Source:
        Zheng et al. (2015), "Scalable person re-identification: a benchmark" (Market-1501), section 5.1, and its code
        for the trapezoid; Ye et al. (2021), "Deep learning for person re-identification", for mINP.
    """
    embeddings_ND = checked(embeddings_ND, labels)
    matches_Q = labels.matches()
    queries = labels.queries[matches_Q > 0]
    chunk = queries_per_chunk(len(labels.gallery), int(matches_Q.max(initial=0)), max_bytes)
    if distances is None and counting_pays(embeddings_ND, labels, queries):
        chunks = counted_hits(embeddings_ND, labels, queries, go_on)
    else:
        chunks = ranked_hits(embeddings_ND, labels, queries, chunk, go_on, distances)
    parts = [_scored(hits) for hits in chunks] if len(queries) else []
    first_Q, precision_Q, trapezoid_Q, inverse_penalty_Q = (
        np.concatenate(part) for part in zip((np.zeros(0),) * 4, *parts, strict=True)
    )
    return QueryScores(
        labels.identities_N[queries], first_Q.astype(np.int64), precision_Q, trapezoid_Q, inverse_penalty_Q
    )


def retrieval_scores(queries: QueryScores, labels: Labels) -> RetrievalScores:
    """The means over the queries; exact, so that no order of them changes a bit.

    Args:
        queries: what was found.
        labels: of the images that were ranked.
    """
    count = len(queries.identities_Q)

    def mean(values_Q: FloatArray) -> float:
        return math.fsum(values_Q.tolist()) / count if count else math.nan

    rank1, rank5, rank10, rank20 = (mean((queries.first_Q <= k).astype(np.float64)) for k in (1, 5, 10, 20))
    return RetrievalScores(
        protocol=protocol_of(labels),
        queries=count,
        queries_without_match=len(labels.queries) - count,
        gallery=len(labels.gallery),
        rank1=rank1,
        rank5=rank5,
        rank10=rank10,
        rank20=rank20,
        map=mean(queries.precision_Q),
        map_trapezoid=mean(queries.trapezoid_Q),
        minp=mean(queries.inverse_penalty_Q),
    )


def checked(embeddings_ND: Tensor, labels: Labels) -> Tensor:
    """The same in float32: on CUDA where the embeddings are there, otherwise on the CPU.

    Raises:
        ValueError: shapes that do not fit, or embeddings that are not finite.
    """
    if embeddings_ND.ndim != 2:
        raise ValueError(f"embeddings must be (N, D), not {tuple(embeddings_ND.shape)}")
    for name, labels_N in (
        ("identities", labels.identities_N),
        ("cameras", labels.cameras_N),
        ("roles", labels.roles_N),
    ):
        if labels_N is not None and labels_N.shape != embeddings_ND.shape[:1]:
            raise ValueError(f"{name} must be ({len(embeddings_ND)},), not {labels_N.shape}")
    device = embeddings_ND.device if embeddings_ND.is_cuda else torch.device("cpu")
    embeddings_ND = embeddings_ND.detach().to(device, torch.float32)
    if embeddings_ND.numel() and not all(bool(end.isfinite()) for end in torch.aminmax(embeddings_ND)):
        raise ValueError("embeddings must be finite")
    return embeddings_ND


def _scored(hits: Hits) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    """(Q,) first rank, both average precisions and inverse negative penalty of a chunk whose queries all have a hit."""
    query_H, rank_H = hits
    count_Q = np.bincount(query_H)
    stop_Q = np.cumsum(count_Q)
    nth_H = np.arange(1, len(query_H) + 1) - np.repeat(stop_Q - count_Q, count_Q)
    precision_H = nth_H / rank_H
    before_H = (nth_H - 1) / np.maximum(rank_H - 1, 1)
    before_H[rank_H == 1] = 1.0
    trapezoid_H = (before_H + precision_H) / 2
    return (
        rank_H[stop_Q - count_Q],
        np.bincount(query_H, precision_H) / count_Q,
        np.bincount(query_H, trapezoid_H) / count_Q,
        precision_H[stop_Q - 1],
    )

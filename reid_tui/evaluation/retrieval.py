"""Rank-1 and mAP, leave-one-out: every image is the query once and all others are its gallery.

Legend: N images, D embedding dimensions, Q queries of one chunk.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES: Final = 256 * 2**20
BYTES_PER_PAIR: Final = 48
"""Most that is alive at once for one query and one gallery image: six values of 8 bytes."""
CHUNK_LIMIT: Final = 128
"""Queries in a chunk at most: larger chunks leave the processor's caches and are no faster."""


@dataclass(frozen=True, slots=True)
class RetrievalScores:
    """Both in 0..1, NaN where no query has a positive."""

    rank1: float
    """Share of queries whose nearest gallery image shows their identity."""
    map: float
    """Mean over the queries of their average precision."""
    queries: int
    """Images with at least one positive; the others are not counted."""


def queries_per_chunk(images: int, max_bytes: int = MAX_BYTES) -> int:
    """How many queries are compared with all images at a time, so that it takes at most `max_bytes`.

    Raises:
        ValueError: not even one query fits.
    """
    row_bytes = max(images, 1) * BYTES_PER_PAIR
    if row_bytes > max_bytes:
        raise ValueError(f"one query against {images} images takes {row_bytes} bytes, more than max_bytes={max_bytes}")
    return min(max_bytes // row_bytes, CHUNK_LIMIT)


def retrieval_scores(
    embeddings_ND: Tensor,
    identities_N: Tensor,
    cameras_N: Tensor | None = None,
    *,
    max_bytes: int = MAX_BYTES,
    go_on: Callable[[], None] = lambda: None,
) -> RetrievalScores:
    """Score the ranking of all other images by Euclidean distance, nearest first.

    Equal distances are ranked by the gallery's order, so that a result does not depend on the sort. With cameras,
    images of the query's identity from the query's own camera leave its gallery; its other images stay.

    Args:
        embeddings_ND: (N, D) floating point, finite, on any device.
        identities_N: (N,) integers.
        cameras_N: (N,) integers, or None where there are none.
        max_bytes: limit of what distances and their ranking hold at once.
        go_on: called before each chunk of queries; what it raises ends the work.

    Returns:
        Rank-1 and mAP over the queries with at least one positive.

    Raises:
        ValueError: shapes that do not fit, embeddings that are not finite, or a limit below one query's need.

    Source:
        Zheng et al. (2015), "Scalable person re-identification: a benchmark" (Market-1501), section 5.1.
    """
    embeddings_ND, identities_N, cameras_N = _checked(embeddings_ND, identities_N, cameras_N)
    images = len(identities_N)
    rank1_sum, precision_sum, queries = 0.0, 0.0, 0
    for rows in torch.split(torch.arange(images, device=embeddings_ND.device), queries_per_chunk(images, max_bytes)):
        go_on()
        hits_QN = _ranked_hits(embeddings_ND, identities_N, cameras_N, rows)
        positives_Q = hits_QN.sum(dim=1)
        counted_Q = positives_Q > 0
        rank1_sum += float(hits_QN[:, :1].sum())
        precision_sum += float((_precision_sums(hits_QN) / positives_Q)[counted_Q].sum())
        queries += int(counted_Q.sum())
    if queries == 0:
        return RetrievalScores(rank1=math.nan, map=math.nan, queries=0)
    return RetrievalScores(rank1=rank1_sum / queries, map=precision_sum / queries, queries=queries)


def _checked(
    embeddings_ND: Tensor, identities_N: Tensor, cameras_N: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The same in float32, all on one device: CUDA where the embeddings are there, otherwise the CPU."""
    if embeddings_ND.ndim != 2:
        raise ValueError(f"embeddings must be (N, D), not {tuple(embeddings_ND.shape)}")
    for name, labels_N in (("identities", identities_N), ("cameras", cameras_N)):
        if labels_N is not None and labels_N.shape != embeddings_ND.shape[:1]:
            raise ValueError(f"{name} must be ({len(embeddings_ND)},), not {tuple(labels_N.shape)}")
    if not bool(embeddings_ND.isfinite().all()):
        raise ValueError("embeddings must be finite")
    device = embeddings_ND.device if embeddings_ND.is_cuda else torch.device("cpu")
    cameras_N = None if cameras_N is None else cameras_N.to(device)
    return embeddings_ND.detach().to(device, torch.float32), identities_N.to(device), cameras_N


def _ranked_hits(embeddings_ND: Tensor, identities_N: Tensor, cameras_N: Tensor | None, rows_Q: Tensor) -> Tensor:
    """(Q, N) int64, nearest first: 1 where the image shows the query's identity. Left-out images come last as 0.

    One 64-bit key holds all that a ranking needs: the distance's bits (of floats >= 0 they sort as the floats do), then
    the gallery index, then the hit. Sorting bare keys is ten times faster than an argsort.
    """
    images = len(identities_N)
    distances_QN = torch.cdist(embeddings_ND[rows_Q], embeddings_ND, compute_mode="donot_use_mm_for_euclid_dist")
    keys_QN = distances_QN.view(torch.int32).to(torch.int64)
    del distances_QN
    hits_QN = identities_N[rows_Q, None] == identities_N
    left_out_QN = rows_Q[:, None] == torch.arange(images, device=rows_Q.device)
    if cameras_N is not None:
        left_out_QN |= hits_QN & (cameras_N[rows_Q, None] == cameras_N)
    keys_QN <<= 32
    keys_QN |= torch.arange(images, device=rows_Q.device) << 1
    keys_QN |= hits_QN
    keys_QN.masked_fill_(left_out_QN, torch.iinfo(torch.int64).max - 1)
    if keys_QN.is_cuda:
        keys_QN = keys_QN.sort(dim=1).values
    else:
        keys_QN.numpy().sort(axis=1)
    keys_QN &= 1
    return keys_QN


def _precision_sums(hits_QN: Tensor) -> Tensor:
    """(Q,) float64: for each query the sum, over its positives, of the precision at the positive's rank."""
    ranks_N = torch.arange(1, hits_QN.shape[1] + 1, device=hits_QN.device)
    precision_QN = hits_QN.cumsum(dim=1) / ranks_N.double()
    precision_QN *= hits_QN
    return precision_QN.sum(dim=1)

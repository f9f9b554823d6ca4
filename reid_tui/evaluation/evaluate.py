"""All scores of a set of embeddings, in one call.

Legend: N images, D embedding dimensions, P pairs.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor

from reid_tui.evaluation.histogram import Histogram, distance_histogram
from reid_tui.evaluation.intervals import retrieval_intervals, verification_intervals
from reid_tui.evaluation.retrieval import QueryScores, RetrievalScores, query_scores, retrieval_scores
from reid_tui.evaluation.verification import VerificationScores, verification_pairs, verification_scores

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from reid_tui.evaluation.labels import Labels

PAIRS: Final = 50_000
"""Pairs that AUC, EER and the histogram are taken from: their chance error in AUC is then about 0.001."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What the embeddings are worth; all but `threshold` and `d_prime` in 0..1. NaN where a score is not defined."""

    images: int
    rank1: float
    map: float
    auc: float
    eer: float
    threshold: float
    """In units of distance."""
    d_prime: float
    protocol: str
    """Who was compared with whom, in a few words."""
    queries: int
    """That have a match; the others are not counted."""
    queries_without_match: int
    gallery: int
    """Images that can be found."""
    rank5: float
    rank10: float
    rank20: float
    map_trapezoid: float
    """As the code of Market-1501 computes it: each precision averaged with that of the rank before."""
    minp: float
    tar_at_far: tuple[tuple[float, float], ...]
    """True acceptance rates at false acceptance rates."""
    intervals: tuple[tuple[str, tuple[float, float]], ...] = ()
    """What holds 95 % of what other identities would score, by the score's name; where asked for and defined."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores, and the histogram of the distances behind half of them."""

    scores: Scores
    histogram: Histogram


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Scores, and what they are means of."""

    scores: Scores
    found: QueryScores
    distances_P: NDArray[np.float32]
    same_P: NDArray[np.bool_]


def evaluate(
    embeddings_ND: Tensor,
    labels: Labels,
    *,
    seed: int,
    margin: float,
    pairs: int = PAIRS,
    intervals: bool = False,
    go_on: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Rank the gallery for every query, and measure the distances of fixed pairs.

    Args:
        embeddings_ND: (N, D) finite, on any device.
        labels: of the same N images.
        seed: of the pairs.
        margin: in units of distance; the histogram's range holds it.
        pairs: how many pairs to measure.
        intervals: estimate how far the scores are to be trusted, too.
        go_on: called between two parts of the work; what it raises ends the work.

    Raises:
        ValueError: embeddings that are not finite, or shapes that do not fit.
    """
    found = measure(embeddings_ND, labels, seed=seed, pairs=pairs, intervals=intervals, go_on=go_on)
    return Evaluation(found.scores, distance_histogram(found.distances_P, found.same_P, margin))


def measure(
    embeddings_ND: Tensor,
    labels: Labels,
    *,
    seed: int,
    pairs: int = PAIRS,
    intervals: bool = False,
    go_on: Callable[[], None] = lambda: None,
) -> Measured:
    """The same, with the ranks and the distances themselves instead of a histogram.

    Args:
        embeddings_ND: (N, D) finite, on any device.
        labels: of the same N images.
        seed: of the pairs.
        pairs: how many pairs to measure.
        intervals: estimate how far the scores are to be trusted, too.
        go_on: called between two parts of the work; what it raises ends the work.

    Raises:
        ValueError: embeddings that are not finite, or shapes that do not fit.
    """
    found = query_scores(embeddings_ND, labels, go_on=go_on)
    retrieval = retrieval_scores(found, labels)
    first_P, second_P, same_P = verification_pairs(labels, pairs, seed)
    distances_P = pair_distances(embeddings_ND, first_P, second_P)
    verification = verification_scores(distances_P, same_P)
    trust: dict[str, tuple[float, float]] = {}
    if intervals:
        go_on()
        identities_P2 = labels.identities_N[np.stack((first_P, second_P), axis=1)]
        trust |= retrieval_intervals(found, seed)
        trust |= verification_intervals(distances_P, same_P, identities_P2, seed)
    scores = Scores(
        images=len(labels),
        **_fields(retrieval),
        **_fields(verification),
        intervals=tuple(trust.items()),
    )
    return Measured(scores, found, distances_P, same_P)


def _fields(scores: RetrievalScores | VerificationScores) -> dict[str, Any]:
    return {field.name: getattr(scores, field.name) for field in dataclasses.fields(scores)}


def pair_distances(
    embeddings_ND: Tensor, first_P: NDArray[np.int64], second_P: NDArray[np.int64], chunk: int = 8192
) -> NDArray[np.float32]:
    """(P,) Euclidean distances; in chunks, so that wide embeddings do not fill the memory."""
    device = embeddings_ND.device
    parts = zip(
        torch.split(torch.from_numpy(first_P).to(device), chunk),
        torch.split(torch.from_numpy(second_P).to(device), chunk),
        strict=True,
    )
    distances = [(embeddings_ND[a] - embeddings_ND[b]).float().norm(dim=1) for a, b in parts]
    return np.asarray(torch.cat(distances).cpu().numpy(), dtype=np.float32)

"""What is told of embeddings beside their scores: curves, strangers, re-ranking, and whom and what they confuse.

Legend: N images, D embedding dimensions, Q queries with a match, P pairs, S same pairs, M different pairs, K ranks,
U rates.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch

from reid_tui.evaluation.evaluate import Measured, Scores, measure
from reid_tui.evaluation.fitting import fit_operating_points
from reid_tui.evaluation.neighbours import Neighbours, neighbours
from reid_tui.evaluation.open_set import OpenSetScores, open_set_scores, sides
from reid_tui.evaluation.reranking import Reranking
from reid_tui.evaluation.retrieval import RetrievalScores, query_scores, retrieval_scores
from reid_tui.evaluation.verification import FAR, FEWEST, allowed, tar_at_far

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from reid_tui.evaluation.labels import Labels
    from reid_tui.evaluation.operating import Fitted

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.int64]

HARDEST: Final = 10
"""Identities that are told."""
MISTAKES: Final = 5
"""Of each kind."""
RANKS: Final = 20
"""Of the CMC curve."""
PER_DECADE: Final = 20
"""Rates of the ROC curve."""


class Roc(NamedTuple):
    """True acceptances at rates of false ones, from the lowest that the pairs support."""

    far_U: FloatArray
    tar_U: FloatArray


@dataclass(frozen=True, slots=True)
class HardIdentity:
    """One that is badly found."""

    identity: int
    queries: int
    map: float
    rank1: float
    taken_for: int | None
    """Whom its queries' nearest wrong images show most often; None where the gallery shows nobody else."""


class Mistake(NamedTuple):
    """Two images that lie where they should not: the same ones farthest apart, or different ones closest."""

    query: int
    found: int
    distance: float
    same: bool


@dataclass(frozen=True, slots=True, eq=False)
class Detailed:
    """Everything."""

    scores: Scores
    open_set: OpenSetScores
    roc: Roc
    cmc_K: FloatArray
    """Share of queries with a match at rank 1 to K or before."""
    hardest: tuple[HardIdentity, ...]
    """Lowest mAP first."""
    mistakes: tuple[Mistake, ...]
    """Same pairs, farthest first, then different ones, closest first; each image once in either."""
    reranked: RetrievalScores | None
    """Where asked for."""
    fitted: Fitted | None
    """Thresholds of all identities, with cross-fitted rates; None without pairs of both kinds."""
    measured: Measured

    def rates(self, threshold: float) -> tuple[float, float]:
        """False acceptances and rejections where pairs no farther apart are called the same; NaN without pairs."""
        accepted_P, same_P = self.measured.distances_P <= threshold, self.measured.same_P
        return _share(accepted_P[~same_P]), _share(~accepted_P[same_P])


def detailed(
    embeddings_ND: NDArray[np.float32],
    labels: Labels,
    *,
    seed: int,
    far: float | None = None,
    rerank: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Detailed:
    """Score embeddings in every way there is.

    Args:
        embeddings_ND: (N, D) finite.
        labels: of the same N images.
        seed: of pairs, intervals and of who is a stranger.
        far: one more rate of false acceptance at which true ones are told.
        rerank: rank again by mutual neighbours.
        tell: told what is done, every fraction of a second; what it raises ends the work.

    Raises:
        ValueError: embeddings that are not finite, or shapes that do not fit.
    """
    points_ND = torch.from_numpy(embeddings_ND)
    measured = measure(points_ND, labels, seed=seed, intervals=True, go_on=lambda: tell("ranking the gallery"))
    sides_N = sides(labels, seed)
    near = neighbours(points_ND, labels, sides_N, lambda: tell("looking for mistakes"))
    reranked = None
    if rerank and len(measured.found.first_Q):
        distances = Reranking(points_ND, labels, go_on=lambda: tell("ranking again by mutual neighbours"))
        reranked = retrieval_scores(query_scores(points_ND, labels, distances=distances), labels)
    tell("fitting thresholds")
    same_S, different_M = (np.sort(measured.distances_P[kind].astype(np.float64)) for kind in _kinds(measured))
    return Detailed(
        scores=measured.scores if far is None or far in FAR else _with_rate(measured.scores, same_S, different_M, far),
        open_set=open_set_scores(near, labels, sides_N),
        roc=_roc(same_S, different_M),
        cmc_K=np.array([_share(measured.found.first_Q <= k) for k in range(1, RANKS + 1)]),
        hardest=_hardest(measured, near, labels),
        mistakes=_mistakes(near),
        reranked=reranked,
        fitted=fit_operating_points(points_ND, labels, seed=seed),
        measured=measured,
    )


def _kinds(measured: Measured) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    return measured.same_P, ~measured.same_P


def _share(values: NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else math.nan


def _with_rate(scores: Scores, same_S: FloatArray, different_M: FloatArray, far: float) -> Scores:
    supported = len(same_S) > 0 and allowed(len(different_M), far) >= FEWEST
    tar = tar_at_far(same_S, different_M, far) if supported else math.nan
    rates = sorted((*scores.tar_at_far, (far, tar)), reverse=True)
    return dataclasses.replace(scores, tar_at_far=tuple(rates))


def _roc(same_S: FloatArray, different_M: FloatArray) -> Roc:
    if not len(same_S) or len(different_M) < FEWEST:
        return Roc(np.zeros(0), np.zeros(0))
    decades = math.log10(len(different_M) / FEWEST)
    far_U = np.logspace(-decades, 0, round(decades * PER_DECADE) + 1)
    return Roc(far_U, np.array([tar_at_far(same_S, different_M, far) for far in far_U]))


def _hardest(measured: Measured, near: Neighbours, labels: Labels) -> tuple[HardIdentity, ...]:
    found = measured.found
    names, of_Q = np.unique(found.identities_Q, return_inverse=True)
    queries = np.bincount(of_Q, minlength=len(names))
    means = np.bincount(of_Q, found.precision_Q, len(names)) / queries
    matched_Q = labels.matches() > 0
    wrong_Q, there_Q = labels.identities_N[near.wrong.place_Q[matched_Q]], np.isfinite(near.wrong.distance_Q[matched_Q])

    def told(number: int) -> HardIdentity:
        own_Q = of_Q == number
        others = Counter(wrong_Q[own_Q & there_Q].tolist()).most_common(1)
        return HardIdentity(
            identity=int(names[number]),
            queries=int(queries[number]),
            map=float(means[number]),
            rank1=_share(found.first_Q[own_Q] == 1),
            taken_for=others[0][0] if others else None,
        )

    return tuple(told(number) for number in np.argsort(means, kind="stable")[:HARDEST].tolist())


def _mistakes(near: Neighbours) -> tuple[Mistake, ...]:
    mistakes: list[Mistake] = []
    for found, sign, same in ((near.right, -1, True), (near.wrong, 1, False)):
        shown: set[int] = set()
        distance_Q = found.distance_Q.astype(np.float64)
        for place in np.argsort(np.where(np.isfinite(distance_Q), sign * distance_Q, np.inf), kind="stable"):
            query, other = int(near.queries[place]), int(found.place_Q[place])
            if len(shown) == 2 * MISTAKES or not math.isfinite(distance_Q[place]):
                break
            if not shown & {query, other}:
                shown |= {query, other}
                mistakes.append(Mistake(query, other, float(distance_Q[place]), same))
    return tuple(mistakes)

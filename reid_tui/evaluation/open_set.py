"""Who is found where some are not in the gallery at all: true identification rates at false ones.

Legend: N images, K known queries, S strangers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.evaluation.fitting import halves
from reid_tui.evaluation.neighbours import NOBODY
from reid_tui.evaluation.verification import FEWEST, allowed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reid_tui.evaluation.labels import Labels
    from reid_tui.evaluation.neighbours import Neighbours

FPIR: Final = (1e-1, 1e-2)
"""Rates of false identification at which the true ones are told."""
WITHOUT_MATCH: Final = "queries without a match"
EACH_HALF: Final = "each half of the identities in a gallery of the other"


@dataclass(frozen=True, slots=True)
class OpenSetScores:
    """True positive identification rates: the share of known queries whose nearest image is right and near enough."""

    protocol: str
    """Who the strangers are, in a few words."""
    known: int
    strangers: int
    tpir_at_fpir: tuple[tuple[float, float], ...]
    """At each false positive identification rate, 0..1; NaN where the strangers are too few for it."""


def sides(labels: Labels, seed: int) -> NDArray[np.int8]:
    """Who is taken out of the gallery together.

    Where the strangers that are there, queries without a match, are enough for a rate, nobody is. Otherwise the
    identities are halved, and each half is known to itself and strange to the other.

    Args:
        labels: of the N images.
        seed: of the division, 0 <= seed < 2**64.

    Returns:
        (N,) 0, 1 or `NOBODY`.
    """
    sides_N = np.full(len(labels), NOBODY, dtype=np.int8)
    if int((labels.matches() == 0).sum()) * max(FPIR) < FEWEST and len(parts := halves(labels, seed)) > 1:
        for side, places in enumerate(parts):
            sides_N[places] = side
        sides_N[labels.identities_N < 0] = NOBODY
    return sides_N


def open_set_scores(found: Neighbours, labels: Labels, sides_N: NDArray[np.int8]) -> OpenSetScores:
    """Score the nearest images of known and of strange queries.

    Args:
        found: by these sides.
        labels: of the N images.
        sides_N: as `sides` gave them.
    """
    known_Q = labels.matches() > 0
    divided = bool((sides_N != NOBODY).any())
    strange_Q = np.ones_like(known_Q) if divided else ~known_Q
    nearest_K, right_K = found.known.distance_Q[known_Q], found.known.match_Q[known_Q]
    strangers_S = found.strange.distance_Q[strange_Q]
    return OpenSetScores(
        protocol=EACH_HALF if divided else WITHOUT_MATCH,
        known=len(nearest_K),
        strangers=len(strangers_S),
        tpir_at_fpir=tuple((fpir, _told(nearest_K, right_K, strangers_S, fpir)) for fpir in FPIR),
    )


def tpir_at_fpir(
    nearest_K: NDArray[np.floating], right_K: NDArray[np.bool_], strangers_S: NDArray[np.floating], fpir: float
) -> float:
    """Share of known queries found at the largest threshold that lets no larger share of strangers through than `fpir`.

    Args:
        nearest_K: (K,) distance from each known query to its nearest image of the gallery, K >= 1.
        right_K: (K,) whether that shows the query's identity.
        strangers_S: (S,) distance from each stranger to its nearest image, S >= 1.
        fpir: false positive identification rate, 0..1.
    """
    let_through = allowed(len(strangers_S), fpir)
    below = math.inf if let_through == len(strangers_S) else np.sort(strangers_S)[let_through]
    return float((right_K & (nearest_K < below)).mean())


def _told(
    nearest_K: NDArray[np.floating], right_K: NDArray[np.bool_], strangers_S: NDArray[np.floating], fpir: float
) -> float:
    enough = len(nearest_K) > 0 and len(strangers_S) > 0 and allowed(len(strangers_S), fpir) >= FEWEST
    return tpir_at_fpir(nearest_K, right_K, strangers_S, fpir) if enough else math.nan

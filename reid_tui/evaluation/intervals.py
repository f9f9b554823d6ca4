"""How far scores are to be trusted: what they come to when other identities of the same kind are tested.

Legend: K identities, B draws of them, Q queries, P pairs, S same pairs, M different pairs, U distances or thresholds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reid_tui.evaluation.retrieval import QueryScores

    IntArray = NDArray[np.int64]
    BoolArray = NDArray[np.bool_]
    Interval = tuple[float, float]

FloatArray = NDArray[np.float64]
DRAWS: Final = 1000
PAIR_DRAWS: Final = 200
"""Fewer where all pairs are weighed for each: the ends move by a tenth of the interval's width at most."""
GROUPS: Final = 256
"""Of identities that are drawn together where there are more of them and each draw costs the square of their number."""
AT_A_TIME: Final = 25
"""Draws for which all pairs are weighed at once: more leave the processor's caches."""
WEIGHTS: Final = 2**24
"""Of identities, most that are held for several draws at once."""
STREAM: Final = int.from_bytes(b"resample"[:7], "big")
"""Second half of the generator's key: keeps these draws apart from those of pairs and training."""


def retrieval_intervals(queries: QueryScores, seed: int) -> dict[str, Interval]:
    """95 % intervals of rank-1, mAP and mINP, by a bootstrap over identities.

    Identities are drawn with replacement, and each brings all its queries along: images of one identity are alike, and
    drawing images would make the intervals too narrow.

    Args:
        queries: what each of them found.
        seed: of the draws, 0 <= seed < 2**64.

    Returns:
        The lower and upper end by the score's name; empty where fewer than two identities have queries.
    """
    names, identity_Q = np.unique(queries.identities_Q, return_inverse=True)
    if len(names) < 2:
        return {}
    scores = {"rank1": queries.first_Q == 1, "map": queries.precision_Q, "minp": queries.inverse_penalty_Q}
    count_K = np.bincount(identity_Q)
    sums = [np.bincount(identity_Q, values_Q) for values_Q in scores.values()]
    parts = [
        [weights_BK @ sum_K / (weights_BK @ count_K) for sum_K in sums]
        for weights_BK in _draws(len(names), seed, DRAWS, max(1, WEIGHTS // len(names)))
    ]
    return {name: _middle(np.concatenate(part)) for name, *part in zip(scores, *parts, strict=True)}


def verification_intervals(
    distances_P: NDArray[np.floating], same_P: BoolArray, identities_P2: IntArray, seed: int
) -> dict[str, Interval]:
    """95 % intervals of AUC and EER on the measured pairs, by a bootstrap over identities.

    A same pair counts as often as its identity was drawn, a different pair the product of both. Draws that leave no
    pair of a kind do not count.

    Args:
        distances_P: (P,) finite.
        same_P: (P,) True where both images show one identity.
        identities_P2: (P, 2) of both images; one below 0 shows nobody who could be drawn, and counts once.
        seed: of the draws, 0 <= seed < 2**64.

    Returns:
        The lower and upper end by the score's name; empty where two identities or one kind of pair are missing.
    """
    names, places = np.unique(identities_P2, return_inverse=True)
    people = int((names >= 0).sum())
    if people < 2 or same_P.all() or not same_P.any():
        return {}
    curve = _Curve(distances_P, same_P, places.reshape(-1, 2))
    parts = []
    for weights_BK in _draws(people, seed, PAIR_DRAWS, AT_A_TIME):
        weights_KB = np.ones((len(names), len(weights_BK)))
        weights_KB[names >= 0] = weights_BK.T
        parts.append(curve.scores(weights_KB))
    auc_B, eer_B = np.concatenate(parts, axis=1)
    defined_B = np.isfinite(auc_B)
    return {"auc": _middle(auc_B[defined_B]), "eer": _middle(eer_B[defined_B])} if defined_B.any() else {}


def rate_intervals(
    wrong_UP: list[BoolArray], same_P: BoolArray, identities_P2: IntArray, seed: int
) -> tuple[list[Interval], list[Interval]]:
    """95 % intervals of false acceptance and of false rejection, by a bootstrap over identities.

    Args:
        wrong_UP: (P,) whether a pair was taken for one of the other kind, at each of U thresholds.
        same_P: (P,) True where both images show one identity.
        identities_P2: (P, 2) of both images, numbered from 0; below that nobody who could be drawn, who counts once.
        seed: of the draws, 0 <= seed < 2**64.

    Returns:
        Lower and upper end of both rates at each threshold; 0 and 1 where nothing can be said.
    """
    people = min(int(identities_P2.max(initial=-1)) + 1, GROUPS)
    if people < 2:
        return ([(0.0, 1.0)] * len(wrong_UP),) * 2
    groups = people + 1
    first_P, second_P = np.where(identities_P2 < 0, people, identities_P2 % people).T
    weights_BK = np.ones((PAIR_DRAWS, groups))
    (weights_BK[:, :people],) = _draws(people, seed, PAIR_DRAWS, PAIR_DRAWS)

    def weighed(chosen_P: BoolArray, *, same: bool) -> FloatArray:
        """(B,) weight of the chosen pairs."""
        if same:
            return weights_BK @ np.bincount(first_P[chosen_P], minlength=groups)
        counts_KK = np.bincount(first_P[chosen_P] * groups + second_P[chosen_P], minlength=groups**2)
        weights_B: FloatArray = ((weights_BK @ counts_KK.reshape(groups, groups)) * weights_BK).sum(axis=1)
        return weights_B

    def intervals(*, same: bool) -> list[Interval]:
        kind_P = same_P == same
        all_B = weighed(kind_P, same=same)
        known_B = all_B > 0
        return [_middle(weighed(wrong_P & kind_P, same=same)[known_B] / all_B[known_B]) for wrong_P in wrong_UP]

    return intervals(same=False), intervals(same=True)


class _Curve:
    """The pairs in the order of their distances, ready to be weighed anew for every draw."""

    def __init__(self, distances_P: NDArray[np.floating], same_P: BoolArray, identities_P2: IntArray) -> None:
        order_P = np.argsort(distances_P, kind="stable")
        same_S, different_M = order_P[same_P[order_P]], order_P[~same_P[order_P]]
        self._same_S = identities_P2[same_S, 0]
        self._different_M2 = identities_P2[different_M]
        distances_S, distances_M = distances_P[same_S], distances_P[different_M]
        self._closer = [np.searchsorted(distances_S, distances_M, side=side) for side in ("left", "right")]
        at_U = np.unique(distances_P)
        self._accepted_U = np.searchsorted(distances_M, at_U, side="right")
        self._kept_U = np.searchsorted(distances_S, at_U, side="right")

    def scores(self, weights_KB: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(B,) AUC and EER as if each identity were there so often; NaN where a kind of pair is not."""
        same_SB = _sums(weights_KB[self._same_S])
        first_M, second_M = self._different_M2.T
        different_MB = weights_KB[first_M] * weights_KB[second_M]
        closer_B = sum(np.einsum("mb,mb->b", same_SB[closer_M], different_MB) for closer_M in self._closer)
        different_MB = _sums(different_MB)
        with np.errstate(invalid="ignore"):
            auc_B = closer_B / (2 * same_SB[-1] * different_MB[-1])
            eer_B = self._equal_error(same_SB, different_MB)
        return auc_B, eer_B

    def _equal_error(self, same_SB: FloatArray, different_MB: FloatArray) -> FloatArray:
        """(B,) where the shares of accepted different and rejected same pairs cross, linear between two distances."""
        draw_B = np.arange(same_SB.shape[1])

        def rates(at_B: IntArray) -> tuple[FloatArray, FloatArray]:
            accepted_B = different_MB[self._accepted_U[at_B], draw_B] / different_MB[-1]
            return accepted_B, accepted_B - (1 - same_SB[self._kept_U[at_B], draw_B] / same_SB[-1])

        low_B, high_B = np.zeros_like(draw_B), np.full_like(draw_B, len(self._kept_U) - 1)
        while (low_B < high_B).any():
            middle_B = (low_B + high_B) // 2
            beyond_B = ~(rates(middle_B)[1] < 0)  # a draw without pairs of a kind, NaN, ends at the first one
            low_B, high_B = np.where(beyond_B, low_B, middle_B + 1), np.where(beyond_B, middle_B, high_B)
        accepted_B, gap_B = rates(low_B)
        accepted_before_B, gap_before_B = (
            np.where(low_B > 0, rate_B, none) for rate_B, none in zip(rates(low_B - 1), (0.0, -1.0), strict=True)
        )
        part_B = -gap_before_B / (gap_B - gap_before_B)
        return np.where(gap_B == 0, accepted_B, accepted_before_B + part_B * (accepted_B - accepted_before_B))


def _sums(weights_PB: FloatArray) -> FloatArray:
    """(P + 1, B) the weight of the nearest pairs, from none of them to all."""
    sums_PB = np.zeros((len(weights_PB) + 1, weights_PB.shape[1]))
    np.cumsum(weights_PB, axis=0, out=sums_PB[1:])
    return sums_PB


def _draws(identities: int, seed: int, draws: int, at_once: int) -> Iterator[FloatArray]:
    """(B, K) how often each identity was drawn, in parts of so many draws; they are the same in parts of any size."""
    generator = np.random.Generator(np.random.Philox(key=np.array([seed, STREAM], dtype=np.uint64)))
    chances_K = np.full(identities, 1 / identities)
    for done in range(0, draws, at_once):
        yield generator.multinomial(identities, chances_K, size=min(at_once, draws - done)).astype(np.float64)


def _middle(scores_B: FloatArray) -> Interval:
    """What 95 % of the draws lie between."""
    low, high = np.quantile(scores_B, (0.025, 0.975)).tolist()
    return low, high

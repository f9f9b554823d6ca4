"""Thresholds and a calibration, fitted on all identities, and rates of each half by what the other half fits.

Legend: N images, K identities, P pairs, S same pairs, M different pairs, U thresholds, H bins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from reid_tui.evaluation.evaluate import pair_distances
from reid_tui.evaluation.intervals import rate_intervals
from reid_tui.evaluation.labels import DISTRACTOR
from reid_tui.evaluation.operating import ASKED, Fitted, Knot, OperatingPoint, Pairs
from reid_tui.evaluation.verification import FEWEST, allowed, equal_error, verification_pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from reid_tui.evaluation.labels import Labels

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.int64]
    BoolArray = NDArray[np.bool_]

PAIRS: Final = 250_000
"""Drawn in each half: enough of them are different, and no two alike, for a rate of 1e-4 where the images are many."""
FEWER_PAIRS: Final = 25_000
"""The same for a rate of 1e-3, in a tenth of the time."""
STREAM: Final = int.from_bytes(b"halves", "big")
"""Second half of the generator's key."""
KNOTS: Final = 64
"""Taken from each kind of pair."""


class _Measured(NamedTuple):
    """Distinct pairs of some images."""

    distances_P: FloatArray
    same_P: BoolArray
    identities_P2: IntArray
    """(P, 2) numbered from 0; below that nobody."""
    people: int
    same_S: FloatArray
    """Distances of same pairs, ascending."""
    different_M: FloatArray

    @property
    def counts(self) -> Pairs:
        """How many they are."""
        return Pairs(self.people, len(self.same_S), len(self.different_M))


def fit_operating_points(embeddings_ND: Tensor, labels: Labels, *, seed: int, pairs: int = PAIRS) -> Fitted | None:
    """Fit thresholds and a calibration, and tell what they are worth for identities that fitted nothing.

    The identities are halved, and each half is judged by the thresholds that the other one fits: that gives the rates.
    The thresholds themselves and the calibration are fitted on all. Where there are too few identities to halve them,
    all are judged by what they fitted, and `apart` says so.

    Args:
        embeddings_ND: (N, D) finite, on any device.
        labels: of the same N images.
        seed: of the halves, the pairs and the intervals.
        pairs: drawn in each half; none counts twice.

    Returns:
        None where the images form no pair of one kind.
    """
    parts = [_measured(embeddings_ND, labels, places, seed, pairs) for places in halves(labels, seed)]
    if None in parts:
        parts = [_measured(embeddings_ND, labels, np.arange(len(labels)), seed, pairs)]
    measured = [part for part in parts if part is not None]
    if not measured:
        return None
    pooled = _pooled(measured)
    return Fitted(
        points=_points(measured, pooled, seed),
        fitted=pooled.counts,
        reported=pooled.counts,
        knots=_knots(pooled),
        apart=len(measured) > 1,
    )


def _points(parts: list[_Measured], pooled: _Measured, seed: int) -> tuple[OperatingPoint, ...]:
    """Each part judged by what the other fits, or the only one by itself, where both have pairs enough for a rate."""
    thresholds, *judging = [_thresholds(part) for part in (pooled, *reversed(parts))]
    asked = [far for far in thresholds if all(far in others for others in judging)]
    wrong_UP = [
        np.concatenate([part.distances_P <= others[far] for part, others in zip(parts, judging, strict=True)])
        != pooled.same_P
        for far in asked
    ]
    intervals = rate_intervals(wrong_UP, pooled.same_P, pooled.identities_P2, seed)
    return tuple(
        OperatingPoint(
            asked=far,
            threshold=thresholds[far],
            far=float(wrong_P[~pooled.same_P].mean()),
            frr=float(wrong_P[pooled.same_P].mean()),
            far_interval=far_interval,
            frr_interval=frr_interval,
        )
        for far, wrong_P, far_interval, frr_interval in zip(asked, wrong_UP, *intervals, strict=True)
    )


def _pooled(parts: list[_Measured]) -> _Measured:
    """Pairs of parts that share no identity."""
    before = np.cumsum([0] + [part.people for part in parts])
    numbered = [
        np.where(part.identities_P2 < 0, -1, part.identities_P2 + start)
        for part, start in zip(parts, before[:-1], strict=True)
    ]
    return _Measured(
        np.concatenate([part.distances_P for part in parts]),
        np.concatenate([part.same_P for part in parts]),
        np.concatenate(numbered),
        int(before[-1]),
        np.sort(np.concatenate([part.same_S for part in parts]), kind="stable"),  # which merges what is sorted
        np.sort(np.concatenate([part.different_M for part in parts]), kind="stable"),
    )


def halves(labels: Labels, seed: int) -> tuple[IntArray, ...]:
    """Divide the identities so that both halves find about as many matches.

    Args:
        labels: of N images.
        seed: of the division, 0 <= seed < 2**64.

    Returns:
        Places of the images of either half, each distractor in one of them, junk left out; all images where one half
        would have no match.
    """
    names, identity_N = np.unique(labels.identities_N, return_inverse=True)
    matches_K = np.bincount(identity_N[labels.queries], labels.matches(), minlength=len(names))
    generator = np.random.Generator(np.random.Philox(key=np.array([seed, STREAM], dtype=np.uint64)))
    order_K = generator.permutation(np.flatnonzero(names >= 0))
    order_K = order_K[np.argsort(-matches_K[order_K], kind="stable")]
    dealt_K = np.full(len(names), -1)
    dealt_K[order_K] = np.array([0, 1, 1, 0])[np.arange(len(order_K)) % 4]
    half_N = dealt_K[identity_N]
    distractors = np.flatnonzero(labels.identities_N == DISTRACTOR)
    half_N[generator.permutation(distractors)] = np.arange(len(distractors)) % 2
    divided = np.flatnonzero(half_N == 0), np.flatnonzero(half_N == 1)
    # Without a match, same pairs would be of one camera in one half and of two in the other.
    fair = all(labels.of(places).matches().any() for places in divided) or not matches_K.any()
    return divided if fair else (np.arange(len(labels)),)


def _measured(embeddings_ND: Tensor, labels: Labels, places: IntArray, seed: int, count: int) -> _Measured | None:
    """Distinct pairs of the images at some places; None where they form none of a kind."""
    own = labels.of(places)
    first_P, second_P, same_P = verification_pairs(own, count, seed)
    images = max(len(own), 1)
    keys_P = np.sort((np.minimum(first_P, second_P) * images + np.maximum(first_P, second_P)) * 2 + same_P)
    pairs_P, same_P = np.divmod(keys_P[np.diff(keys_P, prepend=-1) > 0], 2)
    same_P = same_P.astype(bool)
    if same_P.all() or not same_P.any():
        return None
    first_P, second_P = np.divmod(pairs_P, images)
    names, identity_N = np.unique(own.identities_N, return_inverse=True)
    nobody = int((names < 0).sum())
    identities_P2 = np.stack((identity_N[first_P], identity_N[second_P]), axis=1) - nobody
    distances_P = pair_distances(embeddings_ND, places[first_P], places[second_P]).astype(np.float64)
    same_S, different_M = np.sort(distances_P[same_P]), np.sort(distances_P[~same_P])
    return _Measured(distances_P, same_P, identities_P2, len(names) - nobody, same_S, different_M)


def _thresholds(part: _Measured) -> dict[float | None, float]:
    """By the rate of false acceptance that they are fitted for; first, by None, that of the equal error."""
    found = {far: _threshold(part.same_S, part.different_M, far) for far in ASKED}
    told = {far: threshold for far, threshold in found.items() if threshold is not None}
    equal = equal_error(part.same_S, part.different_M)
    return {None: (equal.nearest + equal.farthest) / 2} | told


def _threshold(same_S: FloatArray, different_M: FloatArray, far: float) -> float | None:
    """In the middle of the gap below the first different pair that is not to be accepted.

    None where the pairs do not support the rate, or so many different ones lie at distance 0.
    """
    accepted = allowed(len(different_M), far)
    if accepted < FEWEST or accepted == len(different_M):
        return None
    refused = float(different_M[accepted])
    nearer = [part[below - 1] for part in (same_S, different_M) if (below := np.searchsorted(part, refused)) > 0]
    return min((max(nearer, default=0.0) + refused) / 2, np.nextafter(refused, 0)) if refused > 0 else None


def _knots(pairs: _Measured) -> tuple[Knot, ...]:
    """A calibration by isotonic regression: the farther apart, the less probable it is that a pair is the same.

    Those of a kind weigh as much as all of the other, which are the equal odds. None is nearer to certain than one in
    so many pairs of identities as were seen: how pairs of one and the same two people lie says little of others.
    """
    same_S, different_M = pairs.same_S, pairs.different_M
    shares = np.linspace(0, 1, KNOTS)
    at_H = np.unique(np.concatenate([np.quantile(part, shares) for part in (same_S, different_M)]))
    far_H, tar_H = (np.searchsorted(part, at_H, side="right") / len(part) for part in (different_M, same_S))
    falling_H = _falling(np.diff(tar_H, prepend=0), np.diff(far_H, prepend=0))
    between_H = (falling_H + np.append(falling_H[1:], falling_H[-1])) / 2
    doubt = 1 / (2 + pairs.people * (pairs.people - 1) / 2)
    probability_H = np.clip(between_H, max(doubt, 1 / (len(same_S) + 2)), 1 - max(doubt, 1 / (len(different_M) + 2)))
    return tuple(Knot(*row) for row in np.stack((at_H, far_H, tar_H, probability_H), axis=1).tolist())


def _falling(same_H: FloatArray, different_H: FloatArray) -> FloatArray:
    """(H,) share of same pairs, not rising: neighbours that rise are pooled (Ayer and others, 1955)."""
    blocks: list[tuple[float, float, int]] = []
    for same, different in zip(same_H.tolist(), different_H.tolist(), strict=True):
        block = (same, different, 1)
        while blocks and blocks[-1][0] * block[1] <= block[0] * blocks[-1][1]:
            before = blocks.pop()
            block = (before[0] + block[0], before[1] + block[1], before[2] + block[2])
        blocks.append(block)
    return np.concatenate([np.full(count, same / (same + different)) for same, different, count in blocks])

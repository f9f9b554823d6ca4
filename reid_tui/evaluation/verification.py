"""Same or different: fixed pairs of images, and how well a distance tells the two kinds apart.

Legend: N images, P pairs. Which images form a pair depends on identities, cameras and seed alone, so that the scores of
two moments of a run compare.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
STREAM: Final = int.from_bytes(b"verify", "big")
"""Second half of the generator's key: keeps these draws apart from those of training, which puts an epoch there."""


class VerificationPairs(NamedTuple):
    """Pairs as indices into the images; no image is paired with itself."""

    first_P: IntArray
    second_P: IntArray
    same_P: BoolArray
    """True where both show one identity."""


@dataclass(frozen=True, slots=True)
class VerificationScores:
    """NaN where pairs of one kind are missing."""

    auc: float
    """Probability that a different pair lies farther apart than a same pair, ties half; 0..1."""
    eer: float
    """Equal error rate: where false acceptances and false rejections are equally frequent; 0..1."""
    threshold: float
    """The distance at which they are."""
    d_prime: float
    """Difference of the two mean distances in units of their pooled standard deviation, >= 0; NaN where that is 0."""


def verification_pairs(identities_N: IntArray, cameras_N: IntArray | None, count: int, seed: int) -> VerificationPairs:
    """Draw pairs, half of them same, half different, with replacement.

    The first image is uniform over those that have a partner, the second over its partners: for a different pair all
    images of other identities, for a same pair the other images of its identity. With cameras, these come from other
    cameras than the first image's; only where no identity was seen by two cameras do same pairs stay within one.

    Args:
        identities_N: (N,) labels.
        cameras_N: (N,) labels, or None.
        count: pairs in all; same pairs get the smaller half.
        seed: 0 <= seed < 2**64.

    Returns:
        The same pairs, then the different ones. A kind that the images cannot form is left out.
    """
    generator = np.random.Generator(np.random.Philox(key=np.array([seed, STREAM], dtype=np.uint64)))
    images = len(identities_N)
    cameras = np.zeros(images, dtype=np.int64) if cameras_N is None else cameras_N
    order_N = np.lexsort((cameras, identities_N))
    start_N, stop_N = _blocks(identities_N[order_N][:, None])
    own_N = np.arange(images)
    same = None
    if cameras_N is not None:
        same = _draw(generator, (start_N, stop_N), _blocks(np.stack((identities_N, cameras), 1)[order_N]), count // 2)
    if same is None:
        same = _draw(generator, (start_N, stop_N), (own_N, own_N + 1), count // 2)
    everything = (np.zeros_like(own_N), np.full_like(own_N, images))
    different = _draw(generator, everything, (start_N, stop_N), count - count // 2)
    none = (np.zeros(0, dtype=np.int64),) * 2
    same, different = same or none, different or none
    return VerificationPairs(
        first_P=order_N[np.concatenate((same[0], different[0]))],
        second_P=order_N[np.concatenate((same[1], different[1]))],
        same_P=np.repeat([True, False], [len(same[0]), len(different[0])]),
    )


def _blocks(keys_NK: IntArray) -> tuple[IntArray, IntArray]:
    """For each row of sorted keys, where the run of equal rows that it lies in starts and stops."""
    images = len(keys_NK)
    first_N = np.ones(images, dtype=bool)
    first_N[1:] = (keys_NK[1:] != keys_NK[:-1]).any(axis=1)
    starts = np.flatnonzero(first_N)
    run_N = np.cumsum(first_N) - 1
    return starts[run_N], np.append(starts[1:], images)[run_N]


def _draw(
    generator: np.random.Generator, within: tuple[IntArray, IntArray], without: tuple[IntArray, IntArray], count: int
) -> tuple[IntArray, IntArray] | None:
    """Positions of `count` pairs: the second inside the first's block `within`, outside its block `without`."""
    partners_N = (within[1] - within[0]) - (without[1] - without[0])
    anchors = np.flatnonzero(partners_N > 0)
    if len(anchors) == 0:
        return None
    first = anchors[generator.integers(len(anchors), size=count)]
    second = within[0][first] + generator.integers(partners_N[first])
    second += np.where(second >= without[0][first], (without[1] - without[0])[first], 0)
    return first, second


def verification_scores(distances_P: NDArray[np.floating], same_P: BoolArray) -> VerificationScores:
    """Score distances as a test for "these two images show different identities".

    Args:
        distances_P: (P,) finite.
        same_P: (P,) True where both images show one identity.

    Returns:
        AUC, EER, its threshold in units of `distances_P`, and d-prime.

    Raises:
        ValueError: a distance is not finite.
    """
    if not np.isfinite(distances_P).all():
        raise ValueError("distances must be finite")
    distances = distances_P.astype(np.float64)
    same, different = np.sort(distances[same_P]), np.sort(distances[~same_P])
    if len(same) == 0 or len(different) == 0:
        return VerificationScores(auc=math.nan, eer=math.nan, threshold=math.nan, d_prime=math.nan)
    closer = np.searchsorted(same, different, side="left") + np.searchsorted(same, different, side="right")
    spread = math.sqrt((same.var() + different.var()) / 2)
    constant = spread <= 1e-12 * max(same[-1], different[-1])
    eer, threshold = _equal_error(same, different)
    return VerificationScores(
        auc=float(closer.sum()) / (2 * len(same) * len(different)),
        eer=eer,
        threshold=threshold,
        d_prime=math.nan if constant else float(abs(different.mean() - same.mean())) / spread,
    )


def _equal_error(same: FloatArray, different: FloatArray) -> tuple[float, float]:
    """Rate and distance where as large a share of different pairs is no farther apart as of same pairs is farther.

    Both rates are known at the distances that occur; between two of them they are taken as linear. Where they are equal
    over a whole gap, the threshold is its middle.
    """
    at = np.unique(np.concatenate((same, different)))
    accepted = np.searchsorted(different, at, side="right") / len(different)
    rejected = 1 - np.searchsorted(same, at, side="right") / len(same)
    gap = accepted - rejected
    crossing = int(np.argmax(gap >= 0))
    if gap[crossing] == 0:
        return float(accepted[crossing]), float(at[crossing : crossing + 2].mean())
    at = np.concatenate((at[:1], at))[crossing : crossing + 2]
    before = (accepted[crossing - 1], gap[crossing - 1]) if crossing else (0.0, -1.0)
    part = -before[1] / (gap[crossing] - before[1])
    rate = before[0] + part * (accepted[crossing] - before[0])
    return float(rate), float(at[0] + part * (at[1] - at[0]))

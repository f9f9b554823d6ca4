"""Same or different: fixed pairs of images, and how well a distance tells the two kinds apart.

Legend: N images, Q of them queries, G in the gallery, P pairs. Which images form a pair depends on labels and seed
alone, so that the scores of two moments of a run compare.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from reid_tui.evaluation.labels import Labels

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
STREAM: Final = int.from_bytes(b"verify", "big")
"""Second half of the generator's key: keeps these draws apart from those of training, which puts an epoch there."""


FAR: Final = (1e-2, 1e-3, 1e-4)
"""Rates of false acceptance at which the true ones are told."""
FEWEST: Final = 10
"""Different pairs that a rate must accept to be told: the share of fewer is chance."""


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
    """The smallest distance at which they are."""
    d_prime: float
    """Difference of the two mean distances in units of their pooled standard deviation, >= 0; NaN where that is 0."""
    tar_at_far: tuple[tuple[float, float], ...] = ()
    """True acceptances (0..1) at each rate of `FAR`; NaN where the pairs are too few for it."""


def verification_pairs(labels: Labels, count: int, seed: int) -> VerificationPairs:
    """Draw pairs, half of them same, half different, with replacement: the first a query, the second of the gallery.

    The first image is uniform over those that have a partner, the second over its partners: for a different pair all
    images of other identities and all distractors, for a same pair the other images of its identity. With cameras,
    these come from other cameras than the first image's; only where no identity was seen by two cameras do same pairs
    stay within one.

    Args:
        labels: of the N images.
        count: pairs in all; same pairs get the smaller half.
        seed: 0 <= seed < 2**64.

    Returns:
        The same pairs, then the different ones. A kind that the images cannot form is left out.
    """
    generator = np.random.Generator(np.random.Philox(key=np.array([seed, STREAM], dtype=np.uint64)))
    identity_N = np.unique(labels.identities_N, return_inverse=True)[1]
    cameras, camera_N = _cameras(labels)
    block_N = identity_N * len(cameras) + camera_N
    queries_Q, gallery_G = (part[np.argsort(block_N[part], kind="stable")] for part in (labels.queries, labels.gallery))
    of_identity = _runs(identity_N[queries_Q], identity_N[gallery_G])
    same = None
    if labels.cameras_N is not None:
        of_camera = _runs(block_N[queries_Q], block_N[gallery_G])
        same = _draw(generator, of_identity, of_camera, count // 2)
    if same is None:
        same = _draw(generator, of_identity, _itself(queries_Q, gallery_G, len(labels)), count // 2)
    everything = (np.zeros_like(queries_Q), np.full_like(queries_Q, len(gallery_G)))
    different = _draw(generator, everything, of_identity, count - count // 2)
    none = (np.zeros(0, dtype=np.int64),) * 2
    same, different = same or none, different or none
    return VerificationPairs(
        first_P=queries_Q[np.concatenate((same[0], different[0]))],
        second_P=gallery_G[np.concatenate((same[1], different[1]))],
        same_P=np.repeat([True, False], [len(same[0]), len(different[0])]),
    )


def _cameras(labels: Labels) -> tuple[IntArray, IntArray]:
    """The cameras, and (N,) which of them took each image; one where none is known."""
    if labels.cameras_N is None:
        return np.zeros(1, dtype=np.int64), np.zeros(len(labels), dtype=np.int64)
    return np.unique(labels.cameras_N, return_inverse=True)


def _runs(keys_Q: IntArray, keys_G: IntArray) -> tuple[IntArray, IntArray]:
    """For each query, where the run of its key in the sorted gallery starts and stops."""
    return np.searchsorted(keys_G, keys_Q), np.searchsorted(keys_G, keys_Q, side="right")


def _itself(queries_Q: IntArray, gallery_G: IntArray, images: int) -> tuple[IntArray, IntArray]:
    """For each query, where its own image starts and stops in the gallery: at once where it is not in there."""
    start_N, stop_N = np.zeros((2, images), dtype=np.int64)
    start_N[gallery_G] = np.arange(len(gallery_G))
    stop_N[gallery_G] = start_N[gallery_G] + 1
    return start_N[queries_Q], stop_N[queries_Q]


def _draw(
    generator: np.random.Generator, within: tuple[IntArray, IntArray], without: tuple[IntArray, IntArray], count: int
) -> tuple[IntArray, IntArray] | None:
    """Places of `count` pairs: the second in the first's run `within`, but not in the part of it that is `without`."""
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
        AUC, EER, its threshold in units of `distances_P`, d-prime, and TAR at FAR where there are pairs enough.

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
    eer, threshold, _ = equal_error(same, different)
    return VerificationScores(
        auc=float(closer.sum()) / (2 * len(same) * len(different)),
        eer=eer,
        threshold=threshold,
        d_prime=math.nan if constant else float(abs(different.mean() - same.mean())) / spread,
        tar_at_far=tuple((far, _told_tar(same, different, far)) for far in FAR),
    )


def tar_at_far(same: FloatArray, different: FloatArray, far: float) -> float:
    """Share of same pairs accepted at the largest threshold that accepts no larger share of different ones than `far`.

    Args:
        same: distances of same pairs, sorted, at least one.
        different: those of different pairs, the same.
        far: false acceptance rate, 0..1.
    """
    accepted = allowed(len(different), far)
    if accepted == len(different):
        return 1.0
    return float(np.searchsorted(same, different[accepted])) / len(same)


def allowed(different: int, far: float) -> int:
    """Of so many different pairs, how many may be accepted: a share of `far`, in the same rounding, is not above it."""
    return int(np.searchsorted(np.arange(1, different + 1) / different, far, side="right"))


def _told_tar(same: FloatArray, different: FloatArray, far: float) -> float:
    return tar_at_far(same, different, far) if allowed(len(different), far) >= FEWEST else math.nan


class EqualError(NamedTuple):
    """Where as large a share of different pairs is no farther apart as of same pairs is farther."""

    rate: float
    nearest: float
    """Distance from which it is so."""
    farthest: float
    """And up to which, where both rates stay equal over a gap; else `nearest`."""


def equal_error(same: FloatArray, different: FloatArray) -> EqualError:
    """The equal error rate, and where it is.

    Both rates are known at the distances that occur; between two of them they are taken as linear.

    Args:
        same: (n,) distances of pairs of one identity, rising.
        different: (n,) those of two, rising.
    """
    at = np.sort(np.concatenate((same, different)), kind="stable")  # which merges what is sorted
    at = at[np.append(True, at[1:] > at[:-1])]
    accepted = np.searchsorted(different, at, side="right") / len(different)
    rejected = 1 - np.searchsorted(same, at, side="right") / len(same)
    gap = accepted - rejected
    crossing = int(np.argmax(gap >= 0))
    if gap[crossing] == 0:
        return EqualError(float(accepted[crossing]), float(at[crossing]), float(at[crossing : crossing + 2][-1]))
    at = np.concatenate((at[:1], at))[crossing : crossing + 2]
    before = (accepted[crossing - 1], gap[crossing - 1]) if crossing else (0.0, -1.0)
    part = -before[1] / (gap[crossing] - before[1])
    rate = before[0] + part * (accepted[crossing] - before[0])
    threshold = float(at[0] + part * (at[1] - at[0]))
    return EqualError(float(rate), threshold, threshold)

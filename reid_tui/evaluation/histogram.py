"""Distances of same and different pairs, counted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NICE: Final = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


class Histogram(NamedTuple):
    """Counts per bin; the last bin takes what lies beyond it."""

    edges: tuple[float, ...]
    """(B + 1,), from 0, ascending, in units of distance."""
    same: tuple[int, ...]
    """(B,) pairs of one identity."""
    different: tuple[int, ...]
    """(B,) pairs of two."""


def distance_histogram(
    distances_P: NDArray[np.floating], same_P: NDArray[np.bool_], margin: float, bins: int = 48
) -> Histogram:
    """Count both kinds of pairs over equal bins from 0 to a round number.

    The range holds the margin with half as much again beside it, and 99 % of the pairs. Being a round number, it seldom
    changes from one moment of a run to the next.

    Args:
        distances_P: (P,) finite, >= 0.
        same_P: (P,) True where both images show one identity.
        margin: in units of distance, > 0.
        bins: how many, >= 1.

    Raises:
        ValueError: a distance is not finite or negative.
    """
    if not (np.isfinite(distances_P) & (distances_P >= 0)).all():
        raise ValueError("distances must be finite and not negative")
    most = float(np.quantile(distances_P, 0.99)) if len(distances_P) else 0.0
    edges = np.linspace(0.0, round_up(max(1.5 * margin, most)), bins + 1)
    inside_P = np.minimum(distances_P, edges[-1])
    same, different = (np.histogram(inside_P[kind_P], edges)[0] for kind_P in (same_P, ~same_P))
    return Histogram(tuple(edges.tolist()), tuple(same.tolist()), tuple(different.tolist()))


def round_up(value: float) -> float:
    """The next number, from `value` > 0 upwards, that is a round one times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next((nice * power for nice in NICE if nice * power >= value), 10.0 * power)

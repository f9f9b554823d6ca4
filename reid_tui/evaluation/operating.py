"""Which distance means "same": thresholds, and what they are worth for identities that did not fit them. Numpy only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeGuard

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

ASKED: Final = (1e-1, 1e-2, 1e-3, 1e-4)
"""Rates of false acceptance at which a threshold is fitted, where the different pairs are enough for it."""


class Pairs(NamedTuple):
    """What thresholds were fitted on, or what reported them."""

    identities: int
    same: int
    different: int


class Knot(NamedTuple):
    """One distance of the calibration; between two of them all is linear."""

    distance: float
    far: float
    """Share of different pairs that are no farther apart, 0..1."""
    tar: float
    """Share of same pairs that are no farther apart, 0..1."""
    probability: float
    """That a pair at this distance is the same, where as many same as different pairs are asked about; 0..1."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold: pairs no farther apart are called the same."""

    asked: float | None
    """Rate of false acceptance it was fitted for; None for that of the equal error."""
    threshold: float
    """In units of distance."""
    far: float
    """False acceptances among different pairs of identities that fitted nothing of what judged them, 0..1."""
    frr: float
    """False rejections among same pairs of these, 0..1."""
    far_interval: tuple[float, float]
    """95 % of it, by a bootstrap over identities."""
    frr_interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Fitted:
    """Thresholds with their rates, and a calibration of distances.

    Both are fitted on all identities. The rates come from two halves of them, each judged by the thresholds that the
    other half fits.
    """

    points: tuple[OperatingPoint, ...]
    """That of the equal error first, then by falling rate of those that the pairs support."""
    fitted: Pairs
    """What thresholds and calibration were fitted on."""
    reported: Pairs
    """What gave the rates."""
    knots: tuple[Knot, ...]
    """By rising distance."""
    apart: bool = True
    """Whether nobody was judged by what he had fitted; False where there are too few identities to halve them."""

    @property
    def threshold(self) -> float:
        """That of the equal error."""
        return self.points[0].threshold

    def point(self, far: float) -> OperatingPoint | None:
        """That fitted for a rate of false acceptance, if the pairs support it."""
        return next((point for point in self.points if point.asked == far), None)

    def far_at(self, distances_P: FloatArray) -> FloatArray:
        """(P,) share of different pairs that are at most so far apart."""
        return self._at(distances_P, 1)

    def probability(self, distances_P: FloatArray, prior: float = 0.5) -> FloatArray:
        """(P,) that pairs so far apart are the same.

        Args:
            distances_P: (P,).
            prior: share of same pairs among those that are asked about, between 0 and 1.
        """
        even_P = self._at(distances_P, 3)
        same_P, different_P = even_P * prior, (1 - even_P) * (1 - prior)
        return same_P / (same_P + different_P)

    def _at(self, distances_P: FloatArray, column: int) -> FloatArray:
        import numpy as np

        table = np.array(self.knots, dtype=np.float64)
        return np.interp(distances_P, table[:, 0], table[:, column])


def is_rate(value: object) -> TypeGuard[int | float]:
    """Whether a value read from somewhere is a number of 0..1."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1

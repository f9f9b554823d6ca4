"""Who is drawn: the traits that make a generated pedestrian an identity, and the pose that changes with every image.

Legend: K identities, B images; colours are linear 0..1 RGB; lengths are fractions of the body's height. Every number
that a pixel depends on is rounded to a binary fraction, so that the last bit of a sine, which differs between
processors, reaches no pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from reid_tui.data.dataset import IntArray

FloatArray = NDArray[np.float32]

PLAIN, BANDS, STRIPES, HALVES, CHECKS, SASH = range(6)
"""Patterns of upper clothing."""
TROUSERS, SHORTS, SKIRT = range(3)
BALD, SHORT_HAIR, LONG_HAIR, HAT = range(4)
NO_BAG, BACKPACK, SHOULDER_BAG, SUITCASE = range(4)
_GRID: Final = 4096.0


def grid(values: NDArray[np.float64]) -> FloatArray:
    """Rounded to multiples of 1/4096."""
    rounded: FloatArray = (np.rint(values * _GRID) / _GRID).astype(np.float32)
    return rounded


def hsv(hue: NDArray[np.float64], saturation: NDArray[np.float64], value: NDArray[np.float64]) -> FloatArray:
    """(..., 3) RGB of hue 0..1 (wraps), saturation and value 0..1."""
    sextant = (hue[..., None] * 6.0 + np.array([5.0, 3.0, 1.0])) % 6.0
    ramp = np.clip(np.minimum(sextant, 4.0 - sextant), 0.0, 1.0)
    return grid(value[..., None] * (1.0 - saturation[..., None] * ramp))


@dataclass(frozen=True, slots=True)
class Traits:
    """What stays the same in every image of an identity."""

    height: FloatArray
    build: FloatArray
    head: FloatArray
    skin: FloatArray
    hair: FloatArray
    hair_style: IntArray
    upper: FloatArray
    upper_accent: FloatArray
    upper_pattern: IntArray
    sleeve: FloatArray
    lower: FloatArray
    lower_accent: FloatArray
    lower_kind: IntArray
    side_stripe: IntArray
    shoes: FloatArray
    bag_kind: IntArray
    bag: FloatArray

    def of(self, identities_B: IntArray) -> Self:
        """The traits of each image's identity."""
        return type(self)(**{item.name: getattr(self, item.name)[identities_B] for item in fields(self)})


@dataclass(frozen=True, slots=True)
class Poses:
    """What changes from image to image, in pixels where no other unit is said."""

    center: FloatArray
    """(B,) x of the body's middle line."""
    feet: FloatArray
    """(B,) y of the soles."""
    size: FloatArray
    """(B,) pixels that a body of height 1 is tall."""
    side: FloatArray
    """(B,) -1 walking to the left .. 0 towards or away from the camera .. 1 to the right."""
    away: FloatArray
    """(B,) 1 where the back is seen, else 0."""
    swing: FloatArray
    """(B,) sine of the walking phase."""
    lift: FloatArray
    """(B,) cosine of the walking phase."""


def draw_traits(rng: np.random.Generator, count: int) -> Traits:
    """Draw `count` identities; two may look alike, as people do."""

    def uniform(low: float, high: float) -> NDArray[np.float64]:
        return low + (high - low) * rng.random(count)

    def cloth() -> FloatArray:
        muted = rng.random(count) < 0.3
        saturation = np.where(muted, uniform(0.0, 0.15), uniform(0.45, 0.95))
        value = np.where(muted, uniform(0.05, 0.95), uniform(0.3, 0.95))
        return hsv(rng.random(count), saturation, value)

    def choice(*weights: float) -> IntArray:
        drawn: IntArray = np.searchsorted(np.cumsum(weights), rng.random(count) * sum(weights), side="right")
        return drawn.astype(np.int64)

    return Traits(
        height=grid(uniform(0.88, 1.06)),
        build=grid(uniform(0.8, 1.3)),
        head=grid(uniform(0.062, 0.076)),
        skin=hsv(uniform(0.04, 0.09), uniform(0.25, 0.6), uniform(0.35, 0.95)),
        hair=hsv(uniform(0.02, 0.13), uniform(0.1, 0.7), uniform(0.05, 0.8)),
        hair_style=choice(0.12, 0.4, 0.3, 0.18),
        upper=cloth(),
        upper_accent=cloth(),
        upper_pattern=choice(0.4, 0.15, 0.12, 0.15, 0.1, 0.08),
        sleeve=grid(np.where(rng.random(count) < 0.4, 0.5, 1.0)),
        lower=cloth(),
        lower_accent=cloth(),
        lower_kind=choice(0.6, 0.2, 0.2),
        side_stripe=choice(0.8, 0.2),
        shoes=cloth(),
        bag_kind=choice(0.4, 0.25, 0.2, 0.15),
        bag=cloth(),
    )


def draw_poses(rng: np.random.Generator, size_B: NDArray[np.float64], height: int, width: int) -> Poses:
    """Draw a pose for each image.

    Args:
        rng: the source of chance.
        size_B: (B,) pixels of a body of height 1 as the camera sees it.
        height: of the picture, pixels.
        width: of the picture, pixels.
    """
    count = len(size_B)
    phase = 2.0 * np.pi * rng.random(count)
    facing = 2.0 * np.pi * rng.random(count)
    return Poses(
        center=grid(width / 2 + 4.0 * (rng.random(count) - 0.5)),
        feet=grid(height - 1.0 - 3.0 * rng.random(count)),
        size=grid(size_B),
        side=grid(np.sin(facing)),
        away=grid((np.cos(facing) < 0.0).astype(np.float64)),
        swing=grid(np.sin(phase)),
        lift=grid(np.cos(phase)),
    )

"""Draws walking figures from the traits and poses of people, from back to front.

Legend: B images; points and lengths are (B,) arrays in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reid_tui.data.pedestrians import people
from reid_tui.data.pedestrians.brush import Brush, per_pixel

if TYPE_CHECKING:
    from reid_tui.data.pedestrians.brush import Point
    from reid_tui.data.pedestrians.people import FloatArray, Poses, Traits


@dataclass(frozen=True, slots=True)
class Frame:
    """Body coordinates in a picture: y from the crown 0 to the soles 1, x from the middle line, in body heights."""

    traits: Traits
    poses: Poses

    @property
    def unit(self) -> FloatArray:
        """(B,) pixels a body height."""
        return self.poses.size * self.traits.height

    @property
    def profile(self) -> FloatArray:
        """(B,) 0 seen from the front or the back .. 1 from the side."""
        seen: FloatArray = np.abs(self.poses.side)
        return seen

    @property
    def breadth(self) -> FloatArray:
        """(B,) width of the trunk relative to an average one seen from the front."""
        return self.traits.build * (1.0 - 0.3 * self.profile)

    @property
    def spread(self) -> FloatArray:
        """(B,) how much of the distance between left and right limb is seen."""
        return 1.0 - 0.8 * self.profile

    def at(self, x: FloatArray | float, y: FloatArray | float) -> Point:
        """A body point in pixels."""
        right: FloatArray = self.poses.center + x * self.unit
        down: FloatArray = self.poses.feet - (1.0 - y) * self.unit
        return right, down

    def length(self, fraction: FloatArray | float) -> FloatArray:
        """A body length in pixels."""
        pixels: FloatArray = fraction * self.unit
        return pixels


def draw_figures(canvas: FloatArray, traits: Traits, poses: Poses) -> None:
    """Paint one person into each picture.

    Args:
        canvas: (B, 3, 64, W) float32 0..1, changed in place.
        traits: of each image's identity.
        poses: of each image.
    """
    frame = Frame(traits, poses)
    height = canvas.shape[2]
    whole, head = Brush(canvas, 0, height), Brush(canvas, 0, height // 2)
    trunk, legs = Brush(canvas, height // 10, height * 7 // 8), Brush(canvas, height * 3 // 8, height)
    _bag_behind(whole, frame)
    _arm(trunk, frame, far=True)
    _legs(legs, frame)
    _trunk(trunk, frame)
    _head(head, frame)
    _arm(trunk, frame, far=False)
    _bag_in_front(whole, frame)


def _legs(brush: Brush, frame: Frame) -> None:
    traits, poses = frame.traits, frame.poses
    thickness = frame.length(0.047 * traits.build)
    skirt = traits.lower_kind == people.SKIRT
    bare = traits.lower_kind != people.TROUSERS
    for foot, shade in ((-1.0, 0.8), (1.0, 1.0)):
        swing = np.float32(foot) * poses.swing * poses.side
        hip_x = np.float32(foot) * 0.045 * frame.spread * traits.build
        knee_x = hip_x + 0.11 * swing
        bend = 0.05 * np.maximum(np.float32(-foot) * poses.lift, 0.0) * poses.side
        ankle_x = knee_x + 0.10 * swing - bend
        rise = 0.035 * np.maximum(np.float32(foot) * poses.lift, 0.0)
        hip, knee = frame.at(hip_x, 0.49), frame.at(knee_x, 0.71)
        ankle = frame.at(ankle_x, 0.94 - rise)
        toe = frame.at(ankle_x + 0.05 * poses.side, 0.965 - rise)
        shaded = np.float32(shade)
        brush.paint(
            brush.capsule(knee, ankle, thickness * 0.8, thickness * 0.55),
            np.where(bare[:, None], traits.skin, traits.lower) * shaded,
        )
        brush.paint(brush.capsule(hip, knee, thickness, thickness * 0.85), traits.lower * shaded)
        brush.paint(
            brush.capsule(hip, ankle, frame.length(0.012), frame.length(0.012)),
            traits.lower_accent,
            (traits.side_stripe == 1) & ~bare,
        )
        brush.paint(brush.capsule(ankle, toe, frame.length(0.028), frame.length(0.024)), traits.shoes * shaded)
    hem = frame.at(0.02 * poses.side * poses.swing, 0.68)
    brush.paint(
        brush.capsule(
            frame.at(0.0, 0.48), hem, frame.length(0.08 * frame.breadth), frame.length(0.115 * frame.breadth)
        ),
        traits.lower,
        skirt,
    )


def _trunk(brush: Brush, frame: Frame) -> None:
    traits = frame.traits
    neck = brush.capsule(frame.at(0.0, 0.12), frame.at(0.0, 0.18), frame.length(0.032), frame.length(0.036))
    brush.paint(neck, traits.skin)
    shape = brush.capsule(
        frame.at(0.0, 0.245),
        frame.at(0.0, 0.47),
        frame.length(0.098 * frame.breadth),
        frame.length(0.082 * frame.breadth),
    )
    brush.paint(shape, _pattern(brush, frame))


def _pattern(brush: Brush, frame: Frame) -> FloatArray:
    """(B, 3, rows, W) colours of the upper clothing."""
    traits, poses = frame.traits, frame.poses
    inverse = 1.0 / frame.unit
    across = (brush.x - per_pixel(poses.center)) * per_pixel(inverse)
    down = (brush.y - per_pixel(poses.feet)) * per_pixel(inverse) + 1.0
    bands = np.floor(down * 14.0) % 2 == 1
    stripes = np.floor(across * 22.0 + 0.5) % 2 == 1
    sash = np.abs(across - 0.9 * (down - 0.35)) < 0.035
    kind = per_pixel(traits.upper_pattern)
    accent = (
        ((kind == people.BANDS) & bands)
        | ((kind == people.STRIPES) & stripes)
        | ((kind == people.HALVES) & (down > 0.36))
        | ((kind == people.CHECKS) & (bands ^ stripes))
        | ((kind == people.SASH) & sash)
    )
    shade = 1.0 - 1.2 * np.abs(across + 0.03)
    cloth: FloatArray = np.where(accent[:, None], traits.upper_accent[:, :, None, None], traits.upper[:, :, None, None])
    cloth *= np.maximum(shade, 0.5)[:, None]
    return cloth


def _arm(brush: Brush, frame: Frame, *, far: bool) -> None:
    traits, poses = frame.traits, frame.poses
    sign = np.float32(-1.0 if far else 1.0)
    shade = np.float32(0.7 if far else 0.88)
    swing = -sign * poses.swing * poses.side
    shoulder_x = sign * 0.108 * frame.spread * traits.build
    elbow_x = shoulder_x + 0.07 * swing + sign * 0.02 * frame.spread
    hand_x = elbow_x + 0.08 * swing + 0.03 * poses.side
    shoulder, elbow = frame.at(shoulder_x, 0.225), frame.at(elbow_x, 0.37)
    hand = frame.at(hand_x, 0.50 - 0.02 * np.abs(swing))
    thick, thin = frame.length(0.034 * traits.build), frame.length(0.026 * traits.build)
    long = traits.sleeve > 0.75
    lower = np.where(long[:, None], traits.upper, traits.skin)
    brush.paint(brush.capsule(elbow, hand, thin, thin), lower * shade)
    brush.paint(brush.capsule(shoulder, elbow, thick, thin), traits.upper * shade)
    brush.paint(brush.capsule(hand, hand, frame.length(0.024), frame.length(0.024)), traits.skin * shade)


def _head(brush: Brush, frame: Frame) -> None:
    traits, poses = frame.traits, frame.poses
    size = frame.length(traits.head)
    style = traits.hair_style
    haired = (style == people.SHORT_HAIR) | (style == people.LONG_HAIR)
    top: FloatArray = 0.015 + traits.head
    back = -0.025 * poses.side
    low = frame.at(back, 0.2)
    brush.paint(brush.capsule(frame.at(back, top), low, size, size * 0.75), traits.hair, style == people.LONG_HAIR)
    brush.paint(
        brush.capsule(frame.at(0.0, top), frame.at(0.0, top + 0.02), size, size * 0.85),
        traits.skin,
    )
    cap = frame.at(back, top - 0.03)
    brush.paint(brush.capsule(cap, cap, size * 0.9, size), traits.hair, haired)
    brush.paint(
        brush.capsule(frame.at(back, top - 0.02), frame.at(back, 0.13), size, size * 0.9),
        traits.hair,
        haired & (poses.away > 0),
    )
    brush.paint(
        brush.capsule(low, frame.at(back, 0.14), size * 0.7, size),
        traits.hair,
        (style == people.LONG_HAIR) & (poses.away > 0),
    )
    brim = 0.05 * poses.side
    crown = frame.at(0.0, top - 0.035)
    hat = np.minimum(
        brush.capsule(crown, crown, size * 0.95, size),
        brush.capsule(
            frame.at(brim - 0.06, top - 0.02),
            frame.at(brim + 0.06, top - 0.02),
            frame.length(0.015),
            frame.length(0.015),
        ),
    )
    brush.paint(hat, traits.bag, style == people.HAT)


def _bag_behind(brush: Brush, frame: Frame) -> None:
    traits, poses = frame.traits, frame.poses
    half_width = 0.11 - 0.0425 * frame.profile
    brush.paint(
        brush.box(frame.at(-0.13 * poses.side, 0.31), frame.length(half_width), frame.length(0.10)),
        traits.bag * 0.9,
        traits.bag_kind == people.BACKPACK,
    )


def _bag_in_front(brush: Brush, frame: Frame) -> None:
    traits, poses = frame.traits, frame.poses
    brush.paint(
        brush.box(frame.at(-0.03 * poses.side, 0.32), frame.length(0.085), frame.length(0.105)),
        traits.bag,
        (traits.bag_kind == people.BACKPACK) & (poses.away > 0) & (frame.profile < 0.8),
    )
    hand = 0.12 * frame.spread * traits.build - 0.05 * poses.side
    shoulder_bag = traits.bag_kind == people.SHOULDER_BAG
    brush.paint(
        brush.capsule(
            frame.at(-0.08 * frame.spread, 0.2),
            frame.at(hand, 0.46),
            frame.length(0.011),
            frame.length(0.011),
        ),
        traits.bag * 0.7,
        shoulder_bag,
    )
    brush.paint(brush.box(frame.at(hand, 0.51), frame.length(0.062), frame.length(0.052)), traits.bag, shoulder_bag)
    brush.paint(
        brush.box(
            frame.at(-0.17 * poses.side - 0.14 * frame.spread, 0.84),
            frame.length(0.075),
            frame.length(0.115),
        ),
        traits.bag,
        traits.bag_kind == people.SUITCASE,
    )

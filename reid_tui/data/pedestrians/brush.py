"""Paints soft-edged shapes into a batch of pictures by their signed distances.

Per pixel only exactly rounded arithmetic is used (+ - * / sqrt), so that every machine draws the same.

Legend: B images, H x W pixels; points and radii are (B,) arrays in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reid_tui.data.pedestrians.people import FloatArray

Point = tuple["FloatArray", "FloatArray"]
Number = TypeVar("Number", bound=np.generic)


def per_pixel(values_B: NDArray[Number]) -> NDArray[Number]:
    """(B,) as (B, 1, 1)."""
    return values_B[:, None, None]


@dataclass(frozen=True, slots=True)
class Brush:
    """A part of the pictures' rows that is painted on."""

    canvas: FloatArray
    """(B, 3, H, W), changed in place."""
    top: int
    bottom: int

    @property
    def y(self) -> FloatArray:
        """(1, rows, 1) pixel centres."""
        return np.arange(self.top, self.bottom, dtype=np.float32)[None, :, None] + 0.5

    @property
    def x(self) -> FloatArray:
        """(1, 1, W) pixel centres."""
        return np.arange(self.canvas.shape[3], dtype=np.float32)[None, None, :] + 0.5

    def capsule(self, a: Point, b: Point, radius_a: FloatArray, radius_b: FloatArray) -> FloatArray:
        """(B, rows, W) signed distance to a line of varying thickness from `a` to `b`, negative inside."""
        dx, dy = b[0] - a[0], b[1] - a[1]
        inverse = 1.0 / (dx * dx + dy * dy + 1e-3)
        from_x, from_y = self.x - per_pixel(a[0]), self.y - per_pixel(a[1])
        along = from_x * per_pixel(dx * inverse) + from_y * per_pixel(dy * inverse)
        np.clip(along, 0.0, 1.0, out=along)
        off_x: FloatArray = from_x - along * per_pixel(dx)
        off_y: FloatArray = from_y - along * per_pixel(dy)
        off_x *= off_x
        off_y *= off_y
        off_x += off_y
        np.sqrt(off_x, out=off_x)
        along *= per_pixel(radius_b - radius_a)
        along += per_pixel(radius_a)
        off_x -= along
        return off_x

    def box(self, center: Point, half_width: FloatArray, half_height: FloatArray) -> FloatArray:
        """(B, rows, W) signed distance to an upright box, negative inside."""
        across = np.abs(self.x - per_pixel(center[0])) - per_pixel(half_width)
        down = np.abs(self.y - per_pixel(center[1])) - per_pixel(half_height)
        distance: FloatArray = np.maximum(across, down)
        return distance

    def paint(self, distance: FloatArray, color: FloatArray, shown_B: NDArray[np.bool_] | None = None) -> None:
        """Cover what lies inside, with a soft edge a pixel wide.

        Args:
            distance: (B, rows, W) signed; changed.
            color: (B, 3), or (B, 3, rows, W) for a pattern.
            shown_B: (B,) False where nothing is painted.
        """
        cover = np.subtract(0.5, distance, out=distance)
        np.clip(cover, 0.0, 1.0, out=cover)
        if shown_B is not None:
            cover *= per_pixel(shown_B.astype(np.float32))
        part = self.canvas[:, :, self.top : self.bottom]
        full = color[:, :, None, None] if color.ndim == 2 else color
        part += cover[:, None] * (full - part)

"""Images in character cells: "▀" in the upper pixel's colour on the lower one's, or ink where colours are few.

Legend: C channels, H height, W width of an image in pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.data.ramp import ramp
from reid_tui.view.grid import Look
from reid_tui.view.palette import Ink

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reid_tui.data.dataset import UInt8Array
    from reid_tui.view.grid import Grid
    from reid_tui.view.palette import Rgb

HIGH: Final = 5
"""Of parts from 0 to 9, those that are marked where there are no shades for it."""
_MOST: Final = 0.75
"""Share of the marking colour in the part that decides most."""
_STEP: Final = 8
"""Of a colour's 256 levels, so many look the same: fewer bytes, and fewer colours to be known."""


def fitting(shape: tuple[int, int, int], width: int, height: int) -> tuple[int, int]:
    """Columns and rows of cells in which an image of (C, H, W) is as large as it can be, never more than twice."""
    _, tall, wide = shape
    scale = min(width / wide, 2 * height / tall, 2.0)
    return max(1, int(wide * scale)), max(1, int(tall * scale / 2))


def put_picture(
    grid: Grid, x: int, y: int, image: UInt8Array, columns: int, rows: int, parts: NDArray[np.int64] | None = None
) -> None:
    """Draw an image into a grid.

    Args:
        grid: drawn on.
        x: of its upper left cell.
        y: of the same.
        image: (C, H, W), C is 1 or 3.
        columns: cells across.
        rows: cells down.
        parts: (rows, columns) of any size, 0 to 9: how much of each part is laid over it.
    """
    pixels = np.broadcast_to(resized(image, columns, 2 * rows), (3, 2 * rows, columns)).transpose(1, 2, 0)
    levels = None if parts is None else _stretched(parts, columns, 2 * rows)
    if grid.style.colors in ("truecolor", "256") and grid.style.glyphs != "ascii":
        if levels is not None:
            share = levels[:, :, None] / 9 * _MOST
            pixels = pixels * (1 - share) + np.array(grid.style.margin) * share
        steps = (pixels.astype(np.int64) // _STEP * _STEP + _STEP // 2).tolist()
        for row in range(rows):
            for column in range(columns):
                upper, lower = _ink(steps[2 * row][column]), _ink(steps[2 * row + 1][column])
                grid.put(x + column, y + row, "▀", Look(upper, lower))
        return
    brightness = pixels.mean(axis=2).reshape(rows, 2, columns).mean(axis=1).tolist()
    marked = np.zeros((rows, columns), bool) if levels is None else levels.reshape(rows, 2, columns).max(axis=1) >= HIGH
    for row in range(rows):
        for column in range(columns):
            look = grid.inked("margin", reverse=True) if marked[row, column] else Look()
            grid.put(x + column, y + row, ramp(brightness[row][column]), look)


def resized(image: UInt8Array, width: int, height: int) -> NDArray[np.float64]:
    """(C, height, width): each pixel the mean of those that lie in it, or the one that it lies in."""
    result = image.astype(np.float64)
    for axis, size in ((1, height), (2, width)):
        starts = np.arange(size) * image.shape[axis] // size
        counts = np.maximum(np.diff(starts, append=image.shape[axis]), 1)
        shape = [1, 1, 1]
        shape[axis] = size
        result = np.add.reduceat(result, starts, axis=axis) / counts.reshape(shape)
    return result


def _stretched(parts: NDArray[np.int64], width: int, height: int) -> NDArray[np.int64]:
    rows, columns = (np.arange(size) * old // size for size, old in zip((height, width), parts.shape, strict=True))
    found: NDArray[np.int64] = parts[rows[:, None], columns]
    return found


def _ink(rgb: list[int]) -> Ink:
    color: Rgb = (rgb[0], rgb[1], rgb[2])
    return Ink(color, 39)

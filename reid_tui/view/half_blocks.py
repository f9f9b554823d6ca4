"""Images in the cells of a grid: two pixels a cell, one above the other, or without colours a character."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.data.show import ink
from reid_tui.view.grid import Grid, Look
from reid_tui.view.palette import Ink, Rgb

if TYPE_CHECKING:
    from reid_tui.data.dataset import UInt8Array

_LEVELS: Final = 16
"""Steps of each colour: neighbours of one look cost no bytes."""
_ANSI: Final[dict[int, Rgb]] = {
    30: (0, 0, 0), 31: (170, 0, 0), 32: (0, 170, 0), 33: (170, 85, 0),
    34: (0, 0, 170), 35: (170, 0, 170), 36: (0, 170, 170), 37: (170, 170, 170),
    90: (85, 85, 85), 91: (255, 85, 85), 92: (85, 255, 85), 93: (255, 255, 85),
    94: (85, 85, 255), 95: (255, 85, 255), 96: (85, 255, 255), 97: (255, 255, 255),
}  # fmt: skip


def cells_of(shape: tuple[int, int, int], columns: int, rows: int) -> tuple[int, int]:
    """Columns and rows that a (C, H, W) image takes of those that there are, so that it keeps its shape; at least 1."""
    _, height, width = shape
    scale = min(columns / width, 2 * rows / height)
    return max(min(round(width * scale), columns), 1), max(min(round(height * scale / 2), rows), 1)


def draw_picture(grid: Grid, x: int, y: int, image: UInt8Array, columns: int, rows: int) -> None:
    """Draw an image.

    Args:
        grid: cells outside it are left out.
        x: of its upper left cell.
        y: the same.
        image: (C, H, W), C is 1 or 3.
        columns: cells across, >= 1.
        rows: cells down, >= 1.
    """
    pixels = np.broadcast_to(scaled(image, 2 * rows, columns), (3, 2 * rows, columns)).transpose(1, 2, 0)
    if grid.style.colors == "none" or grid.style.glyphs == "ascii":
        for row in range(rows):
            grid.text(x, y + row, ink(pixels[2 * row], pixels[2 * row + 1]))
        return
    colors = (pixels.astype(np.int64) * (_LEVELS - 1) // 255 * 255 // (_LEVELS - 1)).tolist()
    for row in range(rows):
        for column, (upper, lower) in enumerate(zip(colors[2 * row], colors[2 * row + 1], strict=True)):
            grid.put(x + column, y + row, "▀", Look(_ink(*upper), _ink(*lower)))


def scaled(image: UInt8Array, height: int, width: int) -> UInt8Array:
    """(C, height, width): each pixel the mean of those that fall on it, or the one that it falls on."""
    y, x = (np.arange(new) * old // new for new, old in zip((height, width), image.shape[1:], strict=True))
    sums = np.add.reduceat(np.add.reduceat(image, y, axis=1, dtype=np.int64), x, axis=2)
    counts = [np.maximum(np.diff([*edges, end]), 1) for edges, end in zip((y, x), image.shape[1:], strict=True)]
    means: UInt8Array = (sums // (counts[0][:, None] * counts[1])).astype(np.uint8)
    return means


@lru_cache(maxsize=_LEVELS**3)
def _ink(red: int, green: int, blue: int) -> Ink:
    def away(code: int) -> int:
        return sum((a - b) ** 2 for a, b in zip(_ANSI[code], (red, green, blue), strict=True))

    return Ink((red, green, blue), min(_ANSI, key=away))

"""Dots and lines rasterised: the only module that knows plotext, and it loads it when it first draws.

plotext joins the dots of a curve and knows the character of each pattern of dots. Its figure is left out: it goes over
every dot a dozen times in Python, and its limits, its logarithmic axis and NaN values are all traps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reid_tui.view.palette import Glyphs

DOTS: Final[dict[Glyphs, tuple[int, int]]] = {"braille": (2, 4), "block": (2, 2), "ascii": (1, 1)}
"""Dots per cell, across and down."""
Floats = NDArray[np.floating[Any]]
Dots = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Dots of one colour. Later layers cover earlier ones, cell by cell."""

    x: Dots
    """(K,) dot columns, 0 at the left."""
    y: Dots
    """(K,) dot rows, 0 at the bottom."""
    connected: bool = False
    marker: str = "."
    """For one-dot-per-cell glyphs."""


class Cell(NamedTuple):
    """One cell that was drawn into."""

    column: int
    row: int
    """0 on top."""
    char: str
    layer: int


def to_dots(values: Floats, low: float, high: float, dots: int) -> Dots:
    """Which dot each value falls on; what lies outside the limits falls on the first or the last.

    Args:
        values: (K,) finite.
        low: value of the first dot.
        high: value of the last dot.
        dots: how many there are.
    """
    span = high - low if high > low else 1.0
    share = (np.clip(np.asarray(values, np.float64), low, low + span) - low) / span
    return np.floor(share * max(dots - 1, 0) + 0.5).astype(np.int64)


def column_means(x: Dots, y: Floats, dots_across: int) -> tuple[Dots, Floats]:
    """The mean of y in each dot column that has points, for a curve with one point per column."""
    points = np.bincount(x, minlength=dots_across)
    columns = np.flatnonzero(points)
    return columns, np.bincount(x, weights=y, minlength=dots_across)[columns] / points[columns]


def raster(columns: int, rows: int, glyphs: Glyphs, layers: Sequence[Layer]) -> list[Cell]:
    """Draw layers on an empty canvas.

    Args:
        columns: cells across.
        rows: cells down.
        glyphs: which decide the dots per cell.
        layers: dots outside the canvas are not allowed.

    Returns:
        The cells that are not empty.
    """
    if columns < 1 or rows < 1:
        return []
    across, down = DOTS[glyphs]
    patterns, owners = np.zeros((rows, columns), np.int64), np.zeros((rows, columns), np.int64)
    for index, layer in enumerate(layers):
        x, y = _joined(layer) if layer.connected and len(layer.x) else (layer.x, layer.y)
        dots = np.zeros((rows * down, columns * across), np.int64)
        dots[rows * down - 1 - y, x] = 1
        by_cell = dots.reshape(rows, down, columns, across).transpose(0, 2, 1, 3).reshape(rows, columns, -1)
        drawn = by_cell @ (1 << np.arange(across * down))
        patterns, owners = np.where(drawn, drawn, patterns), np.where(drawn, index, owners)
    inked = np.nonzero(patterns)
    columns_of_cells = (part.tolist() for part in (*inked, patterns[inked], owners[inked]))
    chars = _characters(glyphs)
    return [
        Cell(column, row, chars[pattern] if chars else layers[owner].marker, owner)
        for row, column, pattern, owner in zip(*columns_of_cells, strict=True)
    ]


def _joined(layer: Layer) -> tuple[Dots, Dots]:
    """The dots of a layer and those of the lines from each to the next."""
    from plotext._utility import get_lines

    x, y, _ = get_lines(layer.x.tolist(), layer.y.tolist(), [None] * len(layer.x))
    return np.array(x, np.int64), np.array(y, np.int64)


@cache
def _characters(glyphs: Glyphs) -> tuple[str, ...]:
    """One for each pattern of a cell's dots, of which the n-th, row by row from the top, counts 2 to the n."""
    from plotext._utility import get_hd_marker

    dots = math.prod(DOTS[glyphs])
    if dots == 1:
        return ()
    return tuple(get_hd_marker(tuple(pattern >> dot & 1 for dot in range(dots))) for pattern in range(1 << dots))

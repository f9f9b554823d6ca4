"""Dots and lines rasterised by plotext: the only module that knows it, and it loads plotext when it first draws.

plotext gets a figure of its own for every call, whole dots instead of data, and nothing outside the canvas, because its
global figure, its logarithmic axis, its limits and NaN values are all traps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reid_tui.view.palette import Glyphs

DOTS: Final[dict[Glyphs, tuple[int, int]]] = {"braille": (2, 4), "block": (2, 2), "ascii": (1, 1)}
"""Dots per cell, across and down."""
_MARKERS: Final[dict[Glyphs, str]] = {"braille": "braille", "block": "hd", "ascii": "."}
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


@dataclass(frozen=True, slots=True)
class Cell:
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


def unique_dots(x: Dots, y: Dots, dots_across: int) -> tuple[Dots, Dots]:
    """Each dot once: plotext's time goes by the number of points."""
    key = np.unique(y * dots_across + x)
    return key % dots_across, key // dots_across


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
        layers: at most 255.

    Returns:
        The cells that are not empty.
    """
    if columns < 1 or rows < 1 or not any(len(layer.x) for layer in layers):
        return []
    from plotext._figure import _figure_class

    figure = _figure_class()
    figure._limit_size(False, False)
    figure.plot_size(columns, rows)
    figure.frame(False)
    figure.xticks([])
    figure.yticks([])
    across, down = DOTS[glyphs]
    figure.xlim(0, max(columns * across - 1, 1))
    figure.ylim(0, max(rows * down - 1, 1))
    for index, layer in enumerate(layers):
        if len(layer.x):
            draw = figure.plot if layer.connected else figure.scatter
            marker = layer.marker if glyphs == "ascii" else _MARKERS[glyphs]
            # The colour tells which layer a cell belongs to.
            draw(layer.x.tolist(), layer.y.tolist(), marker=marker, color=index)
    figure._set_sizes()
    figure.monitor.build_plot()
    matrix = figure.monitor.matrix
    return [
        Cell(column, rows - 1 - row, matrix.marker[row][column], matrix.fullground[row][column])
        for row in range(rows)
        for column in range(columns)
        if matrix.marker[row][column] != " "
    ]

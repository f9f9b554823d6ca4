"""Dots in cells, held against plotext's own figure."""

from __future__ import annotations

import numpy as np
import pytest
from plotext._figure import _figure_class

from reid_tui.view.palette import Glyphs
from reid_tui.view.plot import DOTS, Cell, Layer, raster

MARKERS: dict[Glyphs, str] = {"braille": "braille", "block": "hd"}


def by_plotext(columns: int, rows: int, glyphs: Glyphs, layers: list[Layer]) -> list[Cell]:
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
            draw(layer.x.tolist(), layer.y.tolist(), marker=MARKERS.get(glyphs, layer.marker), color=index)
    figure._set_sizes()
    figure.monitor.build_plot()
    matrix = figure.monitor.matrix
    return [
        Cell(column, rows - 1 - row, matrix.marker[row][column], matrix.fullground[row][column])
        for row in range(rows)
        for column in range(columns)
        if matrix.marker[row][column] != " "
    ]


@pytest.mark.parametrize("glyphs", DOTS)
def test_cells_are_those_of_a_figure(glyphs: Glyphs) -> None:
    rng = np.random.default_rng(0)
    across, down = DOTS[glyphs]
    for _ in range(25):
        columns, rows = (int(size) for size in rng.integers(1, (60, 20)))
        layers = [
            Layer(
                rng.integers(0, columns * across, count),
                rng.integers(0, rows * down, count),
                connected=bool(rng.integers(2)),
                marker=".*x"[index],
            )
            for index, count in enumerate(rng.integers(0, 60, rng.integers(1, 4)))
        ]
        assert raster(columns, rows, glyphs, layers) == sorted(
            by_plotext(columns, rows, glyphs, layers), key=lambda cell: (cell.row, cell.column)
        )


def test_no_room_and_no_dots() -> None:
    nothing = Layer(np.empty(0, np.int64), np.empty(0, np.int64), connected=True)
    assert raster(0, 5, "braille", [nothing]) == raster(5, 5, "braille", [nothing]) == raster(5, 5, "braille", []) == []

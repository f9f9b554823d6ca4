"""The validation scores over the steps, up to 1, with their newest values as the legend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from reid_tui.view.axes import GUTTER, MIN_WIDTH, Area, Axis, draw_axes, spread
from reid_tui.view.grid import Grid, placeholder
from reid_tui.view.plot import DOTS, Floats, Layer, column_means, raster, to_dots
from reid_tui.view.text import fixed, short_count

if TYPE_CHECKING:
    from reid_tui.view.history import History
    from reid_tui.view.palette import ChartStyle, Role

Score = Literal["rank1", "map", "auc"]
CURVES: Final[tuple[tuple[Score, str, Role], ...]] = (
    ("auc", "AUC", "threshold"),
    ("map", "mAP", "same"),
    ("rank1", "rank-1", "accent"),
)
"""Field, name and colour, in the order in which they are drawn."""
_FLOORS: Final = (0.0, 0.5, 0.8, 0.9)
_MIN_AXES_HEIGHT: Final = 6
_UNTRAINED_SHOWN: Final = 2
"""Up to so many evaluations the first one decides the y axis too."""


def score_chart(
    history: History, width: int, height: int, style: ChartStyle, *, total_steps: int, split: str = "test"
) -> list[str]:
    """Draw rank-1, mAP and AUC.

    Args:
        history: the evaluations.
        width: cells.
        height: cells.
        style: glyphs and colours. Without colours the curves are drawn in the letters R, M and A.
        total_steps: right end of the x axis; 0 where it is not known.
        split: whose scores.

    Returns:
        `height` lines of `width` cells.
    """
    points = history.score_points(split)
    if not len(points.steps):
        return placeholder("no scores before the first evaluation", width, height, style)
    grid = Grid(width, height, style)
    if grid.width < 1 or grid.height < 1:
        return grid.lines()
    legend = int(height >= 3)
    axes = width >= MIN_WIDTH and height >= _MIN_AXES_HEIGHT
    area = Area(GUTTER + 1, 1, width - GUTTER - 1, height - 3) if axes else Area(0, legend, width, height - legend)
    last = max(total_steps, int(points.steps[-1]), 1)
    x = Axis(0, last, tuple((v, short_count(v)) for v in spread(0, last, max(area.columns // 11, 1), whole=True)))
    # The untrained network's scores would flatten all that come after them.
    first = 1 if len(points.steps) > _UNTRAINED_SHOWN else 0
    lowest = min(
        (float(v.min()) for name, _, _ in CURVES if len(v := _finite(getattr(points, name)[first:]))), default=0.0
    )
    low = max((floor for floor in _FLOORS if floor <= lowest), default=0.0)
    y = Axis(low, 1.0, tuple((value, f"{value:g}") for value in (low, (low + 1) / 2, 1.0)))
    lettered = style.colors == "none"
    glyphs = "ascii" if lettered else style.glyphs

    across, down = DOTS[glyphs]
    for name, label, role in CURVES:
        values = getattr(points, name)
        known = np.isfinite(values) & (values >= y.low)
        dots_x = to_dots(points.steps[known], 0, last, area.columns * across)
        columns, means = column_means(dots_x, values[known], area.columns * across)
        dots_y = to_dots(means, y.low, y.high, area.rows * down)
        layer = Layer(columns, dots_y, connected=not lettered, marker=label[0].upper() if lettered else "*")
        for cell in raster(area.columns, area.rows, glyphs, [layer]):
            column, row = area.left + cell.column, area.top + cell.row
            grid.put(column, row, _joined(grid.char(column, row), cell.char), grid.inked(role))
    if axes:
        draw_axes(grid, area, x, y)
    if legend:
        _draw_legend(grid, history, split, area.left if axes else 0, lettered)
    return grid.lines()


def _finite(values: Floats) -> Floats:
    return values[np.isfinite(values)]


def _joined(below: str, above: str) -> str:
    """Both patterns where two curves share a cell of braille dots, else the upper one."""
    braille = range(0x2800, 0x2900)
    return chr(ord(below) | ord(above)) if ord(below) in braille and ord(above) in braille else above


def _draw_legend(grid: Grid, history: History, split: str, start: int, lettered: bool) -> None:
    """The newest values in the colours of their curves, as many as fit."""
    newest = next(item for item in reversed(history.evaluations) if item.split == split)
    for name, label, role in reversed(CURVES):
        text = f"{label[0].upper() if lettered else '─'} {label} {fixed(getattr(newest, name), 3)}"
        if start + len(text) > grid.width:
            return
        grid.text(start, 0, text, grid.inked(role))
        start += len(text) + 3

"""What an evaluation reaches along a scale: true acceptances at false ones (ROC), matches by rank (CMC)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from reid_tui.view.axes import GUTTER, MIN_WIDTH, Area, Axis, draw_axes
from reid_tui.view.grid import Grid, placeholder
from reid_tui.view.plot import DOTS, Floats, Layer, raster, to_dots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reid_tui.view.palette import ChartStyle, Role

ROLES: Final[tuple[Role, ...]] = ("accent", "same", "different", "threshold")
"""Of the curves, in their order."""
_FLOORS: Final = (0.0, 0.5, 0.8, 0.9)
_MIN_AXES_HEIGHT: Final = 6
_RANKS: Final = (1, 5, 10, 15, 20)


class Curve(NamedTuple):
    """Of one split."""

    name: str
    """Without colours it is drawn in its first letter."""
    x: Floats
    y: Floats
    """0..1."""


def roc_chart(curves: Sequence[Curve], width: int, height: int, style: ChartStyle) -> list[str]:
    """Draw true acceptance rates over false ones, whose axis is logarithmic.

    Args:
        curves: x is a false acceptance rate, above 0 and up to 1.
        width: cells.
        height: cells.
        style: glyphs and colours.

    Returns:
        `height` lines of `width` cells.
    """
    logarithmic = [curve._replace(x=np.log10(curve.x)) for curve in curves if len(curve.x)]
    if not logarithmic:
        return placeholder("too few pairs for a ROC curve", width, height, style)
    low = min(-1, int(np.floor(min(curve.x.min() for curve in logarithmic) + 1e-9)))
    ticks = tuple((float(power), f"{10.0**power:g}") for power in range(low, 1))
    return _chart(logarithmic, "TAR at FAR", Axis(low, 0.0, ticks), width, height, style)


def cmc_chart(curves: Sequence[Curve], width: int, height: int, style: ChartStyle) -> list[str]:
    """Draw the share of queries with a match up to each rank.

    Args:
        curves: x is a rank, from 1.
        width: cells.
        height: cells.
        style: glyphs and colours.

    Returns:
        `height` lines of `width` cells.
    """
    defined = [curve for curve in curves if np.isfinite(curve.y).all() and len(curve.y)]
    if not defined:
        return placeholder("no query has a match", width, height, style)
    last = max(float(curve.x[-1]) for curve in defined)
    ticks = tuple((float(rank), str(rank)) for rank in _RANKS if rank <= last)
    return _chart(defined, "found by rank", Axis(1.0, last, ticks), width, height, style)


def _chart(curves: Sequence[Curve], title: str, x: Axis, width: int, height: int, style: ChartStyle) -> list[str]:
    grid = Grid(width, height, style)
    axes = width >= MIN_WIDTH and height >= _MIN_AXES_HEIGHT
    legend = int(height >= 3)
    area = Area(GUTTER + 1, 1, width - GUTTER - 1, height - 3) if axes else Area(0, legend, width, height - legend)
    lowest = min(float(curve.y.min()) for curve in curves)
    low = max(floor for floor in _FLOORS if floor <= lowest)
    y = Axis(low, 1.0, tuple((value, f"{value:g}") for value in (low, (low + 1) / 2, 1.0)))
    # The first one is drawn over the others.
    for curve, role in reversed(list(zip(curves, ROLES, strict=False))):
        _draw(grid, area, x, y, curve, role)
    if axes:
        draw_axes(grid, area, x, y)
    if legend:
        _draw_legend(grid, curves, title, area.left if axes else 0)
    return grid.lines()


def _draw(grid: Grid, area: Area, x: Axis, y: Axis, curve: Curve, role: Role) -> None:
    lettered = grid.style.colors == "none"
    glyphs = "ascii" if lettered else grid.style.glyphs
    across, down = DOTS[glyphs]
    dots_x = to_dots(curve.x, x.low, x.high, area.columns * across)
    dots_y = to_dots(curve.y, y.low, y.high, area.rows * down)
    marker = curve.name[:1].upper() if lettered else "*"
    for cell in raster(area.columns, area.rows, glyphs, [Layer(dots_x, dots_y, connected=True, marker=marker)]):
        grid.put(area.left + cell.column, area.top + cell.row, cell.char, grid.inked(role))


def _draw_legend(grid: Grid, curves: Sequence[Curve], title: str, start: int) -> None:
    grid.text(start, 0, title, grid.inked("foreground", bold=True))
    start += len(title) + 2
    for curve, role in zip(curves, ROLES, strict=False):
        sign = curve.name[:1].upper() if grid.style.colors == "none" else "─"
        text = f"{sign} {curve.name}"
        if start + len(text) > grid.width:
            return
        grid.text(start, 0, text, grid.inked(role))
        start += len(text) + 2

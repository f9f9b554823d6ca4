"""The scores over the steps, up to 1, with their newest values as the legend.

Those of a second split are dashed lines, or small letters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from reid_tui.view.axes import GUTTER, MIN_WIDTH, Area, Axis, draw_axes, spread
from reid_tui.view.grid import Grid, placeholder
from reid_tui.view.plot import DOTS, Floats, Layer, column_means, raster, to_dots
from reid_tui.view.text import fixed, short_count

if TYPE_CHECKING:
    from reid_tui.view.history import History, ScorePoints
    from reid_tui.view.palette import ChartStyle, Role

Score = Literal["rank1", "map", "auc"]
CURVES: Final[tuple[tuple[Score, str, Role], ...]] = (
    ("auc", "AUC", "threshold"),
    ("map", "mAP", "same"),
    ("rank1", "rank-1", "accent"),
)
"""Field, name and colour, in the order in which they are drawn."""
_BESIDE: Final = CURVES[1:]
"""Of the second split."""
_Entry = tuple[str, "Role"]
_DASH: Final = 2
"""Cells of a dash, and of the gap behind it."""
_FLOORS: Final = (0.0, 0.5, 0.8, 0.9)
_MIN_AXES_HEIGHT: Final = 6
_UNTRAINED_SHOWN: Final = 2
"""Up to so many evaluations the first one decides the y axis too."""


def score_chart(
    history: History,
    width: int,
    height: int,
    style: ChartStyle,
    *,
    total_steps: int,
    split: str = "test",
    beside: str = "seen",
) -> list[str]:
    """Draw rank-1, mAP and AUC, and of a second split that has scores too rank-1 and mAP.

    Args:
        history: the evaluations.
        width: cells.
        height: cells.
        style: glyphs and colours. Without colours the curves are drawn in the letters R, M and A, and r and m.
        total_steps: right end of the x axis; 0 where it is not known.
        split: whose scores.
        beside: the second split.

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
    lettered = style.colors == "none"
    curves = [_Curve(points, *curve, dashed=False) for curve in CURVES]
    if split != beside:
        second = history.score_points(beside)
        curves = [*(_Curve(second, *curve, dashed=True) for curve in _BESIDE if len(second.steps)), *curves]
    last = max(total_steps, *(int(curve.points.steps[-1]) for curve in curves), 1)
    x = Axis(0, last, tuple((v, short_count(v)) for v in spread(0, last, max(area.columns // 11, 1), whole=True)))
    lowest = min((float(v.min()) for curve in curves if len(v := _finite(curve.deciding))), default=0.0)
    low = max((floor for floor in _FLOORS if floor <= lowest), default=0.0)
    y = Axis(low, 1.0, tuple((value, f"{value:g}") for value in (low, (low + 1) / 2, 1.0)))
    for curve in curves:
        _draw(grid, area, x, y, curve, lettered=lettered)
    if axes:
        draw_axes(grid, area, x, y)
    if legend:
        _draw_legend(grid, curves, beside, area.left if axes else 0, lettered=lettered)
    return grid.lines()


@dataclass(frozen=True, slots=True, eq=False)
class _Curve:
    points: ScorePoints
    score: Score
    label: str
    role: Role
    dashed: bool

    @property
    def values(self) -> Floats:
        values: Floats = getattr(self.points, self.score)
        return values

    @property
    def deciding(self) -> Floats:
        """Those that decide the y axis: the untrained network's would flatten all that come after them."""
        return self.values[1:] if len(self.values) > _UNTRAINED_SHOWN else self.values

    @property
    def letter(self) -> str:
        return self.label[0].lower() if self.dashed else self.label[0].upper()


def _draw(grid: Grid, area: Area, x: Axis, y: Axis, curve: _Curve, *, lettered: bool) -> None:
    glyphs = "ascii" if lettered else grid.style.glyphs
    across, down = DOTS[glyphs]
    known = np.isfinite(curve.values) & (curve.values >= y.low)
    dots_x = to_dots(curve.points.steps[known].astype(np.float64), x.low, x.high, area.columns * across)
    columns, means = column_means(dots_x, curve.values[known], area.columns * across)
    dots_y = to_dots(means, y.low, y.high, area.rows * down)
    marker = curve.letter if lettered else "." if curve.dashed else "*"
    layer = Layer(columns, dots_y, connected=not lettered, marker=marker)
    for cell in raster(area.columns, area.rows, glyphs, [layer]):
        if curve.dashed and not lettered and cell.column // _DASH % 2:
            continue
        column, row = area.left + cell.column, area.top + cell.row
        grid.put(column, row, _joined(grid.char(column, row), cell.char), grid.inked(curve.role))


def _finite(values: Floats) -> Floats:
    return values[np.isfinite(values)]


def _joined(below: str, above: str) -> str:
    """Both patterns where two curves share a cell of braille dots, else the upper one."""
    braille = range(0x2800, 0x2900)
    return chr(ord(below) | ord(above)) if ord(below) in braille and ord(above) in braille else above


def _draw_legend(grid: Grid, curves: list[_Curve], beside: str, start: int, *, lettered: bool) -> None:
    """The newest values in the colours of their curves, as many as fit; where not all do, how the second are drawn."""

    def entry(curve: _Curve, name: str) -> _Entry:
        sign = curve.letter if lettered else "╴╴" if curve.dashed else "─"
        return f"{sign} {name} {fixed(float(curve.values[-1]), 3)}", curve.role

    entries = [entry(curve, curve.label) for curve in reversed(curves) if not curve.dashed]
    dashed = [entry(curve, f"{beside} {curve.label}") for curve in reversed(curves) if curve.dashed]
    gap = 2 if dashed else 3
    if dashed:
        whole = sum(len(text) + gap for text, _ in (*entries, *dashed)) - gap
        sign: _Entry = (f"{'rm' if lettered else '╴╴'} {beside}", "foreground")
        entries = [*entries, *dashed] if start + whole <= grid.width else [*entries[:2], sign, *entries[2:]]
    for text, role in entries:
        if start + len(text) > grid.width:
            return
        grid.text(start, 0, text, grid.inked(role))
        start += len(text) + gap

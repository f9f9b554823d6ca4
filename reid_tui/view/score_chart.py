"""The scores over the steps, up to 1, with their newest values as the legend.

Each curve has a pattern along the columns, the later drawn the sparser: where some coincide, each is seen. A pattern is
dashes of a line, or letters; in letters alone where lines have no colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.view.axes import GUTTER, MIN_WIDTH, Area, Axis, draw_axes, spread
from reid_tui.view.grid import Grid, placeholder
from reid_tui.view.plot import DOTS, Floats, Layer, column_means, raster, to_dots
from reid_tui.view.text import MINUS, fixed, short_count

if TYPE_CHECKING:
    from reid_tui.view.history import History, ScorePoints
    from reid_tui.view.palette import ChartStyle, Role


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a score is drawn and named."""

    label: str
    role: Role
    letter: str
    sign: str
    """Of its line in the legend; empty where it is drawn as letters."""
    period: int
    shown: tuple[int, ...]
    """The columns of a period that are drawn."""


_KINDS: Final = {
    "rank1": _Kind("rank-1", "accent", "R", "─", 1, (0,)),
    "map": _Kind("mAP", "same", "M", "╴", 4, (0, 1)),
    "auc": _Kind("AUC", "threshold", "A", "·", 2, (0,)),
    "eer": _Kind(f"1{MINUS}EER", "different", "E", "", 12, (3, 9)),
}
"""In the order in which they are drawn. Of every 12 columns at least one is left to each, whichever coincide."""
_BESIDE: Final = {
    "rank1": _Kind("rank-1", "accent", "r", "", 12, (7,)),
    "map": _Kind("mAP", "same", "m", "", 12, (1,)),
}
"""Of the second split."""
_Entry = tuple[str, "Role"]
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
    """Draw rank-1, mAP, AUC and what the EER lacks to 1, and of a second split that has scores too rank-1 and mAP.

    Args:
        history: the evaluations.
        width: cells.
        height: cells.
        style: glyphs and colours. Without colours, and in ASCII, lines are drawn in the letters R, M and A.
        total_steps: right end of the x axis; 0 where it is not known.
        split: whose scores.
        beside: the second split, in the letters r and m.

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
    second = history.score_points("" if split == beside else beside)
    curves = [_Curve.of(points, name, kind) for name, kind in _KINDS.items()]
    others = [_Curve.of(second, name, kind) for name, kind in _BESIDE.items() if len(second.steps)]
    last = max(total_steps, *(int(curve.points.steps[-1]) for curve in (*curves, *others)), 1)
    x = Axis(0, last, tuple((v, short_count(v)) for v in spread(0, last, max(area.columns // 11, 1), whole=True)))
    lowest = min((float(v.min()) for c in (*curves, *others) if len(v := _finite(c.deciding))), default=0.0)
    low = max((floor for floor in _FLOORS if floor <= lowest), default=0.0)
    y = Axis(low, 1.0, tuple((value, f"{value:g}") for value in (low, (low + 1) / 2, 1.0)))
    lettered = style.colors == "none" or style.glyphs == "ascii"
    for curve in (*curves, *others):
        _draw(grid, area, x, y, curve, lettered=lettered or not curve.kind.sign)
    if axes:
        draw_axes(grid, area, x, y)
    if legend:
        _draw_legend(grid, curves, others, beside, area.left if axes else 0, lettered=lettered)
    return grid.lines()


@dataclass(frozen=True, slots=True, eq=False)
class _Curve:
    points: ScorePoints
    kind: _Kind
    values: Floats

    @classmethod
    def of(cls, points: ScorePoints, name: str, kind: _Kind) -> _Curve:
        """An error rate is drawn as what it lacks to 1: all curves rise towards the better."""
        values: Floats = getattr(points, name)
        return cls(points, kind, 1 - values if name == "eer" else values)

    @property
    def deciding(self) -> Floats:
        """Those that decide the y axis: the untrained network's would flatten all that come after them."""
        return self.values[1:] if len(self.values) > _UNTRAINED_SHOWN else self.values


def _draw(grid: Grid, area: Area, x: Axis, y: Axis, curve: _Curve, *, lettered: bool) -> None:
    glyphs = "ascii" if lettered else grid.style.glyphs
    across, down = DOTS[glyphs]
    known = np.isfinite(curve.values) & (curve.values >= y.low)
    dots_x = to_dots(curve.points.steps[known].astype(np.float64), x.low, x.high, area.columns * across)
    columns, means = column_means(dots_x, curve.values[known], area.columns * across)
    dots_y = to_dots(means, y.low, y.high, area.rows * down)
    cells = raster(area.columns, area.rows, glyphs, [Layer(columns, dots_y, connected=True, marker=curve.kind.letter)])
    last = max((cell.column for cell in cells), default=0)
    for cell in cells:
        if cell.column % curve.kind.period not in curve.kind.shown and cell.column != last:
            continue
        column, row = area.left + cell.column, area.top + cell.row
        grid.put(column, row, _joined(grid.char(column, row), cell.char), grid.inked(curve.kind.role))


def _finite(values: Floats) -> Floats:
    return values[np.isfinite(values)]


def _joined(below: str, above: str) -> str:
    """Both patterns where two curves share a cell of braille dots, else the upper one."""
    braille = range(0x2800, 0x2900)
    return chr(ord(below) | ord(above)) if ord(below) in braille and ord(above) in braille else above


def _draw_legend(
    grid: Grid, curves: list[_Curve], others: list[_Curve], beside: str, start: int, *, lettered: bool
) -> None:
    """The newest values in the colours of their curves; with fewer places, then none, where room is short."""

    def entry(curve: _Curve, places: int | None, name: str = "") -> _Entry:
        sign = curve.kind.letter if lettered else curve.kind.sign or curve.kind.letter
        value = "" if places is None else f" {fixed(float(curve.values[-1]), places)}"
        return f"{sign} {name}{curve.kind.label}{value}", curve.kind.role

    def all_of(places: int | None, *, whole: bool) -> list[_Entry]:
        main = [entry(curve, places) for curve in curves]
        if not others:
            return main
        letters: _Entry = ("".join(curve.kind.letter for curve in others) + f" {beside}", "foreground")
        return [*main, *(entry(c, places, f"{beside} ") for c in others)] if whole else [*main[:2], letters, *main[2:]]

    short = ((3, 3), (3, 2), (2, 2))
    choices = [(all_of(places, whole=whole), gap) for whole in (True, False) for places, gap in short]
    choices += [(all_of(None, whole=False), gap) for gap in (2, 1)]
    room = grid.width - start
    entries, gap = next(
        (choice for choice in choices if sum(len(text) + choice[1] for text, _ in choice[0]) - choice[1] <= room),
        choices[-1],
    )
    for text, role in entries:
        if start + len(text) > grid.width:
            return
        grid.text(start, 0, text, grid.inked(role))
        start += len(text) + gap

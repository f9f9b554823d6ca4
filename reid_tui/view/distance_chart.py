"""How far apart pairs are: the distances of same and of different identities, with margin and threshold as lines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from reid_tui.view.axes import MIN_HEIGHT, MIN_WIDTH, Area, Axis, decimal_ticks, draw_axes
from reid_tui.view.grid import Grid, Look, placeholder
from reid_tui.view.palette import ChartStyle, Ink, Role, mixed
from reid_tui.view.text import amount, short_count

if TYPE_CHECKING:
    from reid_tui.training.events import DistancesReady
    from reid_tui.view.plot import Floats

_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
_FILLS: Final = {"block": ("█", "░", "▓"), "ascii": ("#", ":", "%")}
"""Same, different and both, where colours cannot tell."""
_TALL: Final = 11
"""From this height on each line has a row of its own for its label."""
_FARTHEST: Final = 1e9
_HIGHEST_RATIO: Final = 6.0
"""A population may be drawn so many times higher than the other; what is higher is cut."""


def distance_chart(
    distances: DistancesReady | None,
    margin: float,
    threshold: float,
    width: int,
    height: int,
    style: ChartStyle,
    *,
    suggested: float = math.nan,
) -> list[str]:
    """Draw both populations as overlaid histograms, each of area 1.

    Args:
        distances: counts per bin; None before the first evaluation.
        margin: drawn as a line; not finite for none. The x axis always reaches beyond it.
        threshold: pairs no farther apart are called the same, drawn as a line; not finite for none.
        width: cells.
        height: cells.
        style: glyphs and colours.
        suggested: another margin, drawn faint; not finite for none.

    Returns:
        `height` lines of `width` cells.
    """
    edges = np.array(distances.edges if distances else (), np.float64)
    if distances is None or len(edges) < 2 or not np.isfinite(edges).all() or edges[-1] <= max(edges[0], 0):
        return placeholder("distances appear with the first evaluation", width, height, style)
    margin, threshold = (value if 0 <= value <= _FARTHEST else math.nan for value in (margin, threshold))
    grid = Grid(width, height, style)
    if grid.width < 1 or grid.height < 1:
        return grid.lines()
    axes = width >= MIN_WIDTH and height >= MIN_HEIGHT
    header = 3 if height >= _TALL else 2
    area = Area(1, header, width - 1, height - header - 2) if axes else Area(0, 0, grid.width, grid.height)
    high = max(float(edges[-1]), margin * 1.05 if math.isfinite(margin) else 0.0)
    x = Axis(0.0, high, decimal_ticks(0.0, high, max(area.columns // 9, 1)))
    same = _density(edges, distances.same, high, area.columns)
    different = _density(edges, distances.different, high, area.columns)
    _draw_bars(grid, area, same, different)
    if axes:
        draw_axes(grid, area, x, Axis(0.0, 1.0))
        _draw_legend(grid, distances)
    if 0 < suggested <= high and suggested != margin:
        _draw_suggestion(grid, area, area.column(x.share(suggested)), suggested, labelled=axes)
    _draw_lines(grid, area, x, margin, threshold, labelled=axes)
    return grid.lines()


def _density(edges: Floats, counts: tuple[int, ...], high: float, columns: int) -> Floats:
    """(columns,) share of the population per unit of distance, over 0..high."""
    total = sum(counts)
    if total <= 0 or len(counts) != len(edges) - 1:
        return np.zeros(columns)
    below = np.concatenate([[0.0], np.cumsum(np.asarray(counts, np.float64)) / total])
    at = np.interp(np.linspace(0.0, high, columns + 1), edges, below)
    density: Floats = np.diff(at) / (high / columns)
    return density


def _draw_bars(grid: Grid, area: Area, same: Floats, different: Floats) -> None:
    peaks = [peak for peak in (float(same.max()), float(different.max())) if peak > 0]
    top = min(max(peaks), _HIGHEST_RATIO * min(peaks)) if peaks else 1.0
    full = area.rows * 8
    for column in range(area.columns):
        heights = [round(min(float(part[column]) / top, 1.0) * full) for part in (same, different)]
        # A bin that holds anything shows at least an eighth of a cell.
        heights = [max(h, 1) if part[column] > 0 else 0 for h, part in zip(heights, (same, different), strict=True)]
        for up in range(math.ceil(max(heights) / 8)):
            lower, upper = (min(max(part(heights) - 8 * up, 0), 8) for part in (min, max))
            cell = area.left + column, area.top + area.rows - 1 - up
            if grid.style.glyphs == "ascii" or grid.style.colors == "none":
                _put_filled(grid, cell, lower if up else 2 * lower, upper if up else 8, heights[0] >= heights[1])
            else:
                _put_stacked(grid, cell, lower, upper, heights[0] >= heights[1])


def _put_filled(grid: Grid, cell: tuple[int, int], lower: int, upper: int, same_on_top: bool) -> None:
    """One cell by fill characters alone."""
    same, different, both = _FILLS["ascii" if grid.style.glyphs == "ascii" else "block"]
    if lower >= 4:
        grid.put(*cell, both, Look(_both(grid.style)))
    elif upper >= 4:
        role = grid.inked("same" if same_on_top else "different")
        grid.put(*cell, same if same_on_top else different, role)


def _put_stacked(grid: Grid, cell: tuple[int, int], lower: int, upper: int, same_on_top: bool) -> None:
    """One cell of up to `upper` eighths, of which the lowest `lower` belong to both."""
    top = grid.style.ink("same" if same_on_top else "different")
    if lower == 0:
        grid.put(*cell, _EIGHTHS[upper], Look(top))
    elif lower == 8 or lower == upper:
        grid.put(*cell, _EIGHTHS[lower], Look(_both(grid.style)))
    elif upper == 8:
        grid.put(*cell, _EIGHTHS[lower], Look(_both(grid.style), back=top))
    else:
        # Three zones do not fit into two colours: the larger of the two filled ones gives its colour to both.
        grid.put(*cell, _EIGHTHS[upper], Look(_both(grid.style) if 2 * lower >= upper else top))


def _both(style: ChartStyle) -> Ink:
    return Ink(mixed(style.same, style.different), 37 if style.dark else 90)


def _draw_legend(grid: Grid, distances: DistancesReady) -> None:
    """Which colour is which, with the number of pairs, in the first row."""
    plain = grid.style.glyphs == "ascii" or grid.style.colors == "none"
    fills = _FILLS["ascii" if grid.style.glyphs == "ascii" else "block"] if plain else ("█", "█", "█")
    start = 1
    for name, fill, ink, counts in (
        ("same", fills[0], grid.style.ink("same"), distances.same),
        ("different", fills[1], grid.style.ink("different"), distances.different),
        ("both", fills[2], _both(grid.style), ()),
    ):
        text = f"{name} {short_count(sum(counts))}" if counts else name
        if start + 2 + len(text) > grid.width:
            return
        grid.text(start, 0, fill * 2, Look(ink))
        grid.text(start + 3, 0, text, grid.inked("foreground"))
        start += len(text) + 6


def _draw_lines(grid: Grid, area: Area, x: Axis, margin: float, threshold: float, *, labelled: bool) -> None:
    """The threshold, the margin over it, and their labels above the plot."""
    lines: list[_Line] = []
    if math.isfinite(threshold):
        lines.append(_Line(area.column(x.share(threshold)), "threshold", "┊", f"threshold {threshold:.2f}"))
    if math.isfinite(margin):
        lines.append(_Line(area.column(x.share(margin)), "margin", "│", f"margin {amount(margin)}"))
    starts = _label(grid, area, lines) if labelled else {}
    for line in lines:
        for row in range(starts.get(line, area.top), area.top + area.rows):
            behind = _fill_behind(grid, line.column, row)
            grid.put(line.column, row, line.stroke, Look(grid.style.ink(line.role), behind, bold=True))


def _draw_suggestion(grid: Grid, area: Area, column: int, suggested: float, *, labelled: bool) -> None:
    """A faint line of dots, every second row, named in the first row where nothing stands there."""
    for row in range(area.top, area.top + area.rows, 2):
        grid.put(column, row, "·", Look(grid.style.ink("muted"), _fill_behind(grid, column, row)))
    label = f"half {amount(suggested)}"
    if labelled and grid.blank(column + 1, area.top, len(label) + 2):
        grid.text(column + 2, area.top, label, grid.inked("muted"))


class _Line(NamedTuple):
    column: int
    role: Role
    stroke: str
    label: str


def _label(grid: Grid, area: Area, lines: list[_Line]) -> dict[_Line, int]:
    """Label the lines so that no line crosses a label; returns the row in which each line starts."""
    ordered = sorted(lines)
    fits_right = bool(ordered) and ordered[-1].column + 2 + len(ordered[-1].label) <= grid.width
    if not fits_right:
        ordered.reverse()
    rows = range(area.top - len(ordered), area.top)
    if rows and rows[0] < 1:
        # One row: the margin's label alone.
        rows, ordered = range(1, 2), [line for line in ordered if line.role == "margin"]
    # The outer line's label stands in the last row, the inner one's above it passes over the outer line's head.
    starts: dict[_Line, int] = {}
    for at, line in zip(rows, ordered, strict=True):
        start = line.column + 2 if fits_right else line.column - 1 - len(line.label)
        if start >= 0 and start + len(line.label) <= grid.width and grid.blank(start, at, len(line.label)):
            grid.text(start, at, line.label, Look(grid.style.ink(line.role), bold=True))
            starts[line] = at
    return starts


def _fill_behind(grid: Grid, column: int, row: int) -> Ink | None:
    """The colour of most of a bar's cell, so that a line does not cut the bar in two."""
    char, look = grid.char(column, row), grid.look(column, row)
    if grid.style.glyphs == "ascii" or grid.style.colors == "none" or char not in _EIGHTHS[1:]:
        return None
    return look.ink if _EIGHTHS.index(char) >= 4 else look.back

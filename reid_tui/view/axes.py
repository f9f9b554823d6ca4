"""The axes of a chart: where the plot lies in its cells, readable ticks, and labels that never collide."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reid_tui.view.text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reid_tui.view.grid import Grid

MIN_WIDTH: Final = 24
MIN_HEIGHT: Final = 7
"""A smaller chart spends no cell on axes."""
GUTTER: Final = 6
"""Cells left of a y axis, fixed so that the plot does not jump when labels change."""
Tick = tuple[float, str]


@dataclass(frozen=True, slots=True)
class Axis:
    """A range and its labelled values."""

    low: float
    high: float
    ticks: tuple[Tick, ...] = ()

    def share(self, value: float) -> float:
        """Where a value lies, 0 at the low end, 1 at the high end, clipped."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0) if self.high > self.low else 0.0


@dataclass(frozen=True, slots=True)
class Area:
    """The plot's part of a grid, in cells; (left, top) is its first cell."""

    left: int
    top: int
    columns: int
    rows: int

    def column(self, share: float) -> int:
        """The grid's column at a share of the x axis."""
        return self.left + min(int(share * self.columns), self.columns - 1)


def nice_step(span: float, count: int) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that divides a span into at most `count` parts."""
    rough = max(span, 1e-12) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))


def nice_ceiling(value: float) -> float:
    """A round number at or above a positive value; few of them, so that an axis seldom changes."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        factor * power for factor in (1, 1.2, 1.6, 2, 2.5, 3, 4, 5, 6, 8, 10) if factor * power >= value * 0.999
    )


def spread(low: float, high: float, count: int, *, whole: bool = False) -> list[float]:
    """Round values within low..high, at most about `count`."""
    step = nice_step(high - low, max(count, 1))
    if whole:
        step = max(1.0, math.ceil(step))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def decimal_ticks(low: float, high: float, count: int) -> tuple[Tick, ...]:
    """Values with as many decimal places as tell them apart."""
    values = spread(low, high, count)
    if high >= 1e5:
        return tuple((value, plain(value, 2)) for value in values)
    step = values[1] - values[0] if len(values) > 1 else max(abs(high), 1e-9)
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    if abs(round(step, places) - step) > step * 1e-6:
        places += 1
    return tuple((value, f"{value:.{places}f}" if places < 5 else f"{value:.0e}") for value in values)


def draw_axes(grid: Grid, area: Area, x: Axis, y: Axis, x_marks: Sequence[int] = ()) -> None:
    """Draw a left and a lower axis around an area.

    Args:
        grid: to draw on.
        area: leaves at least one column to its left and one row below; labels need more.
        x: labelled below the axis.
        y: labelled left of the axis.
        x_marks: grid columns where the lower axis gets a tick into the plot.
    """
    look = grid.inked("muted")
    edge, base = area.left - 1, area.top + area.rows
    for row in range(area.top, base):
        grid.put(edge, row, "│", look)
    for column in range(area.left, area.left + area.columns):
        grid.put(column, base, "┴" if column in x_marks else "─", look)
    grid.put(edge, base, "└", look)
    for value, label in y.ticks:
        row = area.top + round((1 - y.share(value)) * (area.rows - 1))
        if edge >= len(label) and grid.blank(0, row, edge):
            grid.text(edge - len(label), row, label, look)
            grid.put(edge, row, "┤", look)
    for value, label in x.ticks:
        column = area.column(x.share(value))
        start = min(max(column - len(label) // 2, 0), grid.width - len(label))
        if grid.blank(max(start - 1, 0), base + 1, len(label) + (start > 0)):
            grid.text(start, base + 1, label, look)
            grid.put(column, base, "┼" if column in x_marks else "┬", look)

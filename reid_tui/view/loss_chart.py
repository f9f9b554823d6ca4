"""The loss over the steps: every step faint, their moving average strong, and a line wherever something was turned."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.view.axes import (
    GUTTER,
    MIN_HEIGHT,
    MIN_WIDTH,
    Area,
    Axis,
    Tick,
    decimal_ticks,
    draw_axes,
    nice_ceiling,
    spread,
)
from reid_tui.view.grid import Grid, placeholder
from reid_tui.view.plot import DOTS, Floats, Layer, column_means, raster, to_dots
from reid_tui.view.text import amount, plain, short_count

if TYPE_CHECKING:
    from reid_tui.view.history import History, Mark
    from reid_tui.view.margin_line import Margins
    from reid_tui.view.palette import ChartStyle, Role

_HIGHEST: Final = 1e30
_LOWEST: Final = 1e-30
_LABEL_ROWS: Final = 3
_MIN_EPOCH_HEIGHT: Final = 14


def loss_chart(
    history: History,
    width: int,
    height: int,
    style: ChartStyle,
    *,
    total_steps: int,
    log: bool = False,
    smoothing: float = 0.9,
    steps_per_epoch: int = 0,
    margins: Margins = (),
) -> list[str]:
    """Draw the loss.

    Args:
        history: the losses and the changes of margin and learning rate.
        width: cells.
        height: cells.
        style: glyphs and colours.
        total_steps: right end of the x axis, so that the curve does not move while it grows; 0 where it is not known.
        log: logarithmic y axis; losses of 0 are left out.
        smoothing: 0..0.99, weight of the past per step.
        steps_per_epoch: draws the epochs below the steps where they are readable; 0 for none.
        margins: from which step on the margin has which value, drawn as a line of its own behind the losses.

    Returns:
        `height` lines of `width` cells.
    """
    steps, raw, smooth = history.steps, history.losses, history.smoothed(smoothing)
    raw, smooth = np.clip(raw, -_HIGHEST, _HIGHEST), np.clip(smooth, -_HIGHEST, _HIGHEST)
    if log:
        drawn = (raw > _LOWEST) & (smooth > _LOWEST)
        steps, raw, smooth = steps[drawn], np.log10(raw[drawn]), np.log10(smooth[drawn])
    if not len(steps):
        return placeholder("waiting for the first step", width, height, style)
    last = max(total_steps, int(steps[-1]), 1)
    grid = Grid(width, height, style)
    if grid.width < 1 or grid.height < 1:
        return grid.lines()
    axes = width >= MIN_WIDTH and height >= MIN_HEIGHT
    epochs = axes and steps_per_epoch > 0 and height >= _MIN_EPOCH_HEIGHT and last > steps_per_epoch
    area = Area(GUTTER + 1, 0, width - GUTTER - 1, height - 2 - epochs) if axes else Area(0, 0, width, height)
    y = _log_axis(raw, smooth, area.rows) if log else _linear_axis(raw, area.rows)
    x = Axis(0, last, tuple((v, short_count(v)) for v in spread(0, last, max(area.columns // 11, 1), whole=True)))

    _draw_margins(grid, area, last, int(steps[-1]), margins)
    marks = tuple(mark for mark in history.marks if not mark.ramp)
    for mark in marks:
        column = area.column(x.share(mark.step))
        for row in range(area.rows):
            grid.put(column, row, "│" if mark.kind == "margin" else "┊", grid.inked(_role(mark)))
    _draw_curves(grid, area, x, y, (steps.astype(np.float64), raw, smooth))
    if axes:
        bounds = range(steps_per_epoch, last + 1, steps_per_epoch) if epochs else range(0)
        columns = [area.column(x.share(step)) for step in bounds]
        readable = bool(columns) and len(set(columns)) == len(columns) and area.columns >= 4 * len(columns)
        draw_axes(grid, area, x, y, columns[: -1 if bounds and bounds[-1] >= last else None] if readable else ())
        if readable:
            _label_epochs(grid, area, columns)
    _label_marks(grid, area, x, marks)
    return grid.lines()


def _draw_margins(grid: Grid, area: Area, last: int, done: int, margins: Margins) -> None:
    """The margin over the steps, from 0 at the bottom to the largest one; what is still to come is faint."""
    if not margins:
        return
    steps, values = np.array([step for step, _ in margins]), np.array([value for _, value in margins])
    at = np.linspace(0, last, area.columns)
    rows = values[np.searchsorted(steps, at, side="right") - 1] / values.max() * (area.rows - 1)
    for column, row in enumerate(np.rint(rows).astype(int).tolist()):
        look = grid.inked("margin" if at[column] <= done else "muted")
        grid.put(area.left + column, area.top + area.rows - 1 - row, "─", look)


def _linear_axis(raw: Floats, rows: int) -> Axis:
    """From 0 to a maximum that a few outliers do not decide."""
    high = nice_ceiling(max(float(np.percentile(raw, 99)) * 1.05, 1e-9))
    return Axis(0.0, high, decimal_ticks(0.0, high, min(max(rows // 3, 1), 6)))


def _log_axis(raw_log: Floats, smooth_log: Floats, rows: int) -> Axis:
    """Limits and ticks in powers of ten of the loss; all values are logarithms."""
    low, high = float(np.percentile(raw_log, 1)), float(np.percentile(raw_log, 99.5))
    low, high = min(low, float(smooth_log.min())) - 0.05, max(high, float(np.percentile(smooth_log, 98))) + 0.05
    decades = range(math.floor(low), math.ceil(high) + 1)
    for factors in ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 4, 5, 6, 7, 8, 9)):
        values = [factor * 10.0**decade for decade in decades for factor in factors]
        inside = [value for value in values if low <= math.log10(value) <= high]
        if len(inside) >= min(3, max(rows // 3, 1)):
            break
    inside = inside or [10.0 ** ((low + high) / 2)]
    stride = math.ceil(len(inside) / max(rows // 2, 1))
    ticks: tuple[Tick, ...] = tuple((math.log10(value), plain(value, 2)) for value in inside[::stride])
    return Axis(low, high, ticks)


def _draw_curves(grid: Grid, area: Area, x: Axis, y: Axis, curves: tuple[Floats, Floats, Floats]) -> None:
    steps, raw, smooth = curves
    across, down = DOTS[grid.style.glyphs]
    dots_x, dots_y = area.columns * across, area.rows * down
    step_dots = to_dots(steps, x.low, x.high, dots_x)
    raw_dots = to_dots(raw, y.low, y.high, dots_y)
    columns, means = column_means(step_dots, smooth, dots_x)
    sparse = len(np.unique(step_dots)) == len(step_dots)
    layers = [
        Layer(step_dots, raw_dots, connected=sparse, marker="."),
        Layer(columns, to_dots(means, y.low, y.high, dots_y), connected=True, marker="*"),
    ]
    looks = grid.inked("muted"), grid.inked("accent", bold=grid.style.colors == "none")
    for cell in raster(area.columns, area.rows, grid.style.glyphs, layers):
        grid.put(area.left + cell.column, area.top + cell.row, cell.char, looks[cell.layer])


def _label_epochs(grid: Grid, area: Area, ends: list[int]) -> None:
    """The epochs' numbers, each centred between its bounds, in the last row."""
    look = grid.inked("muted")
    spans = list(zip([area.left, *ends], ends, strict=False))
    narrowest = min(end - start for start, end in spans)
    prefix = "epoch " if narrowest >= len(f"epoch {len(ends)}") + 2 else "e" if narrowest > len(f"e{len(ends)}") else ""
    for number, (start, end) in enumerate(spans, 1):
        text = f"{prefix}{number}"
        grid.text((start + end - len(text) + 1) // 2, grid.height - 1, text, look)


def _role(mark: Mark) -> Role:
    return "margin" if mark.kind == "margin" else "threshold"


def _label_marks(grid: Grid, area: Area, x: Axis, marks: tuple[Mark, ...]) -> None:
    """Name each line at the top, newest first; of several in one column the newest alone."""
    if area.rows < 2 or not marks:
        return
    rows = range(min(_LABEL_ROWS, max(area.rows // 4, 1)))
    columns = {area.column(x.share(mark.step)) for mark in marks}
    taken: list[tuple[int, int, int]] = []
    named: set[tuple[str, int]] = set()
    for mark in reversed(marks):
        column = area.column(x.share(mark.step))
        if (mark.kind, column) in named:
            continue
        named.add((mark.kind, column))
        text = f"m {amount(mark.new)}" if mark.kind == "margin" else f"lr {plain(mark.new)}"
        free = _places(area, column, rows, len(text), taken)
        # Rather in a lower row than over another line.
        clear = [place for place in free if columns.isdisjoint(range(place[0], place[0] + len(text)))]
        if free:
            start, row = (clear or free)[0]
            taken.append((row, start, start + len(text)))
            grid.text(start, row, text, grid.inked(_role(mark), bold=True))


def _places(
    area: Area, column: int, rows: range, width: int, taken: list[tuple[int, int, int]]
) -> list[tuple[int, int]]:
    """(column, row) right and left of a line, row by row, where no other label stands."""
    return [
        (start, row)
        for row in rows
        for start in (column + 1, column - width)
        if area.left <= start and start + width <= area.left + area.columns
        if all(row != other or start >= end or start + width <= first for other, first, end in taken)
    ]

"""The embedding as a map: a dot per image in the colour of its identity, the identity's letter at its centre."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from reid_tui.text import printable
from reid_tui.view.grid import Grid, Look, placeholder
from reid_tui.view.palette import ChartStyle, identity_letter
from reid_tui.view.plot import DOTS, Dots, Floats, Layer, raster, to_dots
from reid_tui.view.text import amount

if TYPE_CHECKING:
    from collections.abc import Sequence

CELL_ASPECT: Final = 2.0
"""Height of a terminal's cell over its width."""
MANY_IDENTITIES: Final = 20
"""With more than these, letters are drawn only where they do not crowd."""
_OUTSIDE: Final = 0.5
"""Percent of the points that may lie beyond the border on each side."""
_ROOM: Final = 1.08
"""Drawn span over the points' span."""
_FARTHEST: Final = 1e30
_Ints = NDArray[np.integer]


def map_chart(
    points: Floats | None,
    identities: _Ints | None,
    names: Sequence[str],
    width: int,
    height: int,
    style: ChartStyle,
    highlight: int | None = None,
    *,
    margin: float | None = None,
) -> list[str]:
    """Draw embeddings with one scale on both axes.

    Args:
        points: (N, 2); points that are not finite are left out, the farthest ones are drawn at the border.
        identities: (N,) 0..K-1.
        names: of the identities; shown for the highlighted one.
        width: cells.
        height: cells.
        style: glyphs and colours. With ASCII glyphs every cell shows the letter of its most frequent identity.
        highlight: an identity that is drawn on top while all others are muted.
        margin: the bar at the lower left is as long; None or not finite for no bar.

    Returns:
        `height` lines of `width` cells.
    """
    if points is None or identities is None:
        return placeholder("the map appears with the first evaluation", width, height, style)
    where = np.asarray(points, np.float64).reshape(-1, 2)
    identity = np.asarray(identities, np.int64)[: len(where)]
    finite = np.isfinite(where[: len(identity)]).all(axis=1)
    where, identity = np.clip(where[: len(identity)][finite], -_FARTHEST, _FARTHEST), identity[finite]
    if not len(where):
        return placeholder("no finite embeddings to draw", width, height, style)
    grid = Grid(width, height, style)
    if grid.width < 1 or grid.height < 1:
        return grid.lines()
    across, down = DOTS[style.glyphs]
    low, high, unit = _limits(where, grid.width, grid.height)
    x = to_dots(where[:, 0], low[0], high[0], grid.width * across)
    y = to_dots(where[:, 1], low[1], high[1], grid.height * down)
    chosen = identity == highlight if highlight is not None else np.zeros(len(identity), np.bool_)
    _draw_dots(grid, x, y, identity, chosen, highlight)
    _draw_centres(grid, x // across, grid.height - 1 - y // down, identity, highlight)
    _draw_scale(grid, margin, unit)
    if highlight is not None and grid.height > 2:
        name = printable(names[highlight], max(grid.width - 2, 1)) if 0 <= highlight < len(names) else ""
        text = f" {identity_letter(highlight)} {name} " if name else f" {identity_letter(highlight)} "
        grid.text(0, 0, text, Look(style.identity(highlight), None, bold=True, reverse=True))
    return grid.lines()


def _limits(where: Floats, columns: int, rows: int) -> tuple[Floats, Floats, float]:
    """Lower and upper limits of both axes, and how much of the embedding's unit a column's width is."""
    low, high = np.percentile(where, [_OUTSIDE, 100 - _OUTSIDE], axis=0)
    centre, span = (low + high) / 2, (high - low) * _ROOM
    unit = float(max(span[0] / columns, span[1] / (CELL_ASPECT * rows)))
    if unit <= 0 or not np.isfinite(unit):
        unit = 1.0 / columns
    half = np.array([unit * columns / 2, unit * CELL_ASPECT * rows / 2])
    return centre - half, centre + half, unit


def _draw_dots(grid: Grid, x: Dots, y: Dots, identity: Dots, chosen: NDArray[np.bool_], highlight: int | None) -> None:
    style = grid.style
    across, down = DOTS[style.glyphs]
    layers = [Layer(x[~chosen], y[~chosen]), Layer(x[chosen], y[chosen])]
    main = _main_identity(x // across, grid.height - 1 - y // down, identity, grid.width, grid.height)
    for cell in raster(grid.width, grid.height, style.glyphs, layers):
        here = int(main[cell.row, cell.column]) if cell.layer == 0 else int(highlight or 0)
        if highlight is None:
            look = Look(style.identity(here))
        else:
            look = Look(style.identity(here), bold=True) if cell.layer else grid.inked("muted")
        grid.put(cell.column, cell.row, identity_letter(here) if style.glyphs == "ascii" else cell.char, look)


def _main_identity(column: Dots, row: Dots, identity: Dots, columns: int, rows: int) -> Dots:
    """(rows, columns): the identity with most points in each cell."""
    cell = row * columns + column
    kinds, kind = np.unique(identity, return_inverse=True)
    pairs, counts = np.unique(cell * len(kinds) + kind, return_counts=True)
    out = np.zeros(rows * columns, np.int64)
    order = np.argsort(counts, kind="stable")
    # Of several writes to one cell the last stands, which is the largest count.
    out[pairs[order] // len(kinds)] = kinds[pairs[order] % len(kinds)]
    return out.reshape(rows, columns)


def _draw_centres(grid: Grid, column: Dots, row: Dots, identity: Dots, highlight: int | None) -> None:
    """A letter at the median of each identity's cells, beside it where another letter stands."""
    kinds, kind_N = np.unique(identity, return_inverse=True)
    centres = list(zip(kinds.tolist(), _medians(column, kind_N), _medians(row, kind_N), strict=True))
    many = len(kinds) > MANY_IDENTITIES
    if many and highlight is not None:
        centres = [centre for centre in centres if centre[0] == highlight]
    taken: set[tuple[int, int]] = set()
    for kind, x, y in sorted(centres, key=lambda centre: centre[0] != highlight):
        # Letters of many identities keep a cell free around them, so that a crowd stays readable.
        gap = 2 if many else 1
        places = [(x, y)] if many else [(x, y), (x + 1, y), (x - 1, y), (x, y - 1), (x, y + 1), (x + 2, y), (x - 2, y)]
        place = next((p for p in places if _free(p, taken, gap) and grid.char(*p)), None)
        if place is None:
            continue
        taken.add(place)
        faded = highlight is not None and kind != highlight
        look = grid.inked("muted", reverse=True) if faded else Look(grid.style.identity(kind), None, True, True)
        grid.put(*place, identity_letter(kind), look)


def _medians(cells: Dots, kind_N: Dots) -> list[int]:
    """Of the points of each kind, in whole cells; every kind 0..K-1 has some."""
    sorted_N = cells[np.lexsort((cells, kind_N))]
    count_K = np.bincount(kind_N)
    first_K = np.cumsum(count_K) - count_K
    low_K, high_K = sorted_N[first_K + (count_K - 1) // 2], sorted_N[first_K + count_K // 2]
    medians: list[int] = ((low_K + high_K) // 2).tolist()
    return medians


def _free(place: tuple[int, int], taken: set[tuple[int, int]], gap: int) -> bool:
    near = range(1 - gap, gap)
    return not any((place[0] + x, place[1] + y) in taken for x in near for y in near)


def _draw_scale(grid: Grid, margin: float | None, unit: float) -> None:
    """A bar as long as the margin, where one of readable length fits."""
    if margin is None or not 0 < margin < np.inf or grid.height < 8:
        return
    cells = round(min(margin / unit, grid.width + 1))
    for label in (f" margin {amount(margin)}", f" {amount(margin)}"):
        if cells >= 3 and cells + len(label) + 1 <= grid.width:
            grid.text(0, grid.height - 1, "├" + "─" * (cells - 2) + "┤" + label, grid.inked("margin"))
            return

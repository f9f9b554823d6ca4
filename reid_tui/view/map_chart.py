"""The embedding as a map: a dot per image in the colour of its identity, the identity's letter at its centre."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.text import printable
from reid_tui.view.grid import Grid, Look, placeholder
from reid_tui.view.map_cloud import Cloud, Ints, cloud
from reid_tui.view.palette import ChartStyle, identity_letter
from reid_tui.view.plot import Dots, Floats, Layer, raster
from reid_tui.view.text import amount

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reid_tui.view.trails import Trails

MANY_IDENTITIES: Final = 20
"""With more than these, letters are drawn only where they do not crowd."""


def map_chart(
    points: Floats | None,
    identities: Ints | None,
    names: Sequence[str],
    width: int,
    height: int,
    style: ChartStyle,
    highlight: int | None = None,
    *,
    margin: float | None = None,
    trails: Trails | None = None,
    overlay: Callable[[Grid, Cloud], None] | None = None,
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
        trails: the ways of the centroids, over muted dots; None for none.
        overlay: draws over the map.

    Returns:
        `height` lines of `width` cells.
    """
    if points is None or identities is None:
        return placeholder("the map appears with the first evaluation", width, height, style)
    grid = Grid(width, height, style)
    placed = cloud(points, identities, max(grid.width, 1), max(grid.height, 1))
    if placed is None:
        return placeholder("no finite embeddings to draw", width, height, style)
    if grid.width < 1 or grid.height < 1:
        return grid.lines()
    _draw_dots(grid, placed, highlight, muted=trails is not None)
    if trails is not None:
        _draw_trails(grid, placed, trails, highlight)
    column, row = placed.cells(placed.where, style.glyphs)
    _draw_centres(grid, column, row, placed.identity, highlight)
    _draw_scale(grid, margin, placed.unit)
    if highlight is not None and grid.height > 2:
        name = printable(names[highlight], max(grid.width - 2, 1)) if 0 <= highlight < len(names) else ""
        text = f" {identity_letter(highlight)} {name} " if name else f" {identity_letter(highlight)} "
        grid.text(0, 0, text, Look(style.identity(highlight), None, bold=True, reverse=True))
    if overlay is not None:
        overlay(grid, placed)
    return grid.lines()


def _draw_dots(grid: Grid, placed: Cloud, highlight: int | None, *, muted: bool) -> None:
    style, identity = grid.style, placed.identity
    x, y = placed.dots(placed.where, style.glyphs)
    chosen = identity == highlight if highlight is not None else np.zeros(len(identity), np.bool_)
    layers = [Layer(x[~chosen], y[~chosen]), Layer(x[chosen], y[chosen])]
    main = _main_identity(*placed.cells(placed.where, style.glyphs), identity, grid.width, grid.height)
    for cell in raster(grid.width, grid.height, style.glyphs, layers):
        here = int(main[cell.row, cell.column]) if cell.layer == 0 else int(highlight or 0)
        if highlight is None and not muted:
            look = Look(style.identity(here))
        else:
            look = Look(style.identity(here), bold=True) if cell.layer else grid.inked("muted")
        letter = "·" if muted else identity_letter(here)
        grid.put(cell.column, cell.row, letter if style.glyphs == "ascii" else cell.char, look)


def _draw_trails(grid: Grid, placed: Cloud, trails: Trails, highlight: int | None) -> None:
    """The way of each identity's centroid, its letters where a cell has one dot only."""
    ways = list(trails.centroids(highlight))
    layers = [
        Layer(*placed.dots(way, grid.style.glyphs), connected=True, marker=identity_letter(kind)) for kind, way in ways
    ]
    for cell in raster(grid.width, grid.height, grid.style.glyphs, layers):
        grid.put(cell.column, cell.row, cell.char, Look(grid.style.identity(ways[cell.layer][0]), bold=True))


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

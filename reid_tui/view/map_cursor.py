"""What lies under the map's cursor, as numbers and as words.

Legend: M finite points of the map.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from reid_tui.view.grid import Grid, Look
from reid_tui.view.palette import identity_letter
from reid_tui.view.text import count, fit, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reid_tui.view.map_cloud import Cell, Cloud
    from reid_tui.view.palette import Glyphs
    from reid_tui.view.trails import Trails

NEIGHBOURS: Final = 3
BOX: Final = 30
"""Columns of the box that tells of it."""
_LEAST_WIDTH: Final = 40
_LEAST_HEIGHT: Final = 12
"""Of a map that has room for the box."""


class Neighbour(NamedTuple):
    """A point near another one."""

    identity: int
    distance: float


class Found(NamedTuple):
    """A point under the cursor."""

    place: int
    """Of the point, in the snapshot."""
    identity: int
    cell: Cell
    here: int
    """Points in that cell."""
    neighbours: tuple[Neighbour, ...]
    """The nearest first."""
    moved: float | None
    """In the plane, since it was first seen; None where that is not known."""
    since: int
    """At that step."""


def find(cloud: Cloud, cell: Cell, glyphs: Glyphs, trails: Trails) -> Found:
    """The point under a cell, or nearest to it.

    Args:
        cloud: the map.
        cell: clipped to it.
        glyphs: it is drawn with.
        trails: of the same points.
    """
    cell = (min(max(cell[0], 0), cloud.width - 1), min(max(cell[1], 0), cloud.height - 1))
    place, here = cloud.under(cell, glyphs)
    point = cloud.where[place]
    column, row = cloud.cells(point[None], glyphs)
    distance_M = np.sqrt(np.square(cloud.where - point).sum(axis=1))
    distance_M[place] = np.inf
    nearest = np.argsort(distance_M, kind="stable")[: min(NEIGHBOURS, len(distance_M) - 1)]
    neighbours = tuple(Neighbour(int(cloud.identity[i]), float(distance_M[i])) for i in nearest)
    moved = trails.moved(int(cloud.index[place]), point)
    own = (int(column[0]), int(row[0]))
    identity = int(cloud.identity[place])
    return Found(int(cloud.index[place]), identity, own, here, neighbours, *(moved or (None, 0)))


def name_of(identity: int, names: Sequence[str]) -> str:
    """As the data calls it, else its number."""
    return names[identity] if identity < len(names) else f"identity {identity}"


def one_line(found: Found, names: Sequence[str]) -> str:
    """All of it that fits into the panel's edge."""
    near = "".join(f" · nearest {name_of(n.identity, names)} {plain(n.distance)}" for n in found.neighbours[:1])
    return f"{name_of(found.identity, names)}{near}{_moved(found, ' · ')}"


def draw_cursor(grid: Grid, cell: Cell, found: Found) -> None:
    """The cursor, and the point that it tells of where that lies elsewhere."""
    x, y = min(cell[0], grid.width - 1), min(cell[1], grid.height - 1)
    if found.cell != (x, y):
        grid.put(*found.cell, "●", Look(grid.style.identity(found.identity), bold=True))
    grid.put(x, y, "┼", Look(grid.style.ink("foreground"), None, bold=True, reverse=True))


def fits(width: int, height: int) -> bool:
    """Whether a map has room for the box."""
    return width >= _LEAST_WIDTH and height >= _LEAST_HEIGHT


def draw_box(grid: Grid, cell: Cell, found: Found, names: Sequence[str], of: str) -> None:
    """What lies there, in the corner farthest from the cursor.

    Args:
        grid: wide and tall enough, see `fits`.
        cell: of the cursor.
        found: what to tell.
        names: of the identities.
        of: between what the neighbours' distances are, in a few words.
    """
    rows = _rows(found, of)
    left = grid.width - BOX if cell[0] < grid.width / 2 else 0
    top = grid.height - len(rows) if cell[1] < grid.height / 2 else 0
    quiet, usual = grid.inked("muted"), grid.inked("foreground")
    for y, (mark, identity, text) in enumerate(rows, top):
        grid.text(left, y, "│" + " " * (BOX - 1), quiet)
        if identity is None:
            grid.text(left + 2, y, fit(text, BOX - 2), quiet)
            continue
        room = BOX - 6 - len(text)
        grid.text(left + 2, y, mark, usual)
        grid.text(left + 4, y, identity_letter(identity), Look(grid.style.identity(identity), bold=True))
        grid.text(left + 6, y, fit(name_of(identity, names), room - 1), usual)
        grid.text(left + 6 + room, y, text, usual)


def _rows(found: Found, of: str) -> list[tuple[str, int | None, str]]:
    """A mark, an identity to be named and what stands behind its name, or a sentence alone."""
    rows: list[tuple[str, int | None, str]] = [(">", found.identity, "")]
    if found.here > 1:
        rows.append(("", None, f"one of {count(found.here)} in this cell"))
    if found.moved is not None:
        rows.append(("", None, _moved(found, "")))
    rows.append(("", None, f"nearest {of}:"))
    return rows + [
        ("=" if near.identity == found.identity else "x", near.identity, plain(near.distance))
        for near in found.neighbours
    ]


def _moved(found: Found, before: str) -> str:
    return "" if found.moved is None else f"{before}moved {plain(found.moved)} since step {count(found.since)}"

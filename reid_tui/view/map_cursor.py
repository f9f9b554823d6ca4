"""What lies under the map's cursor, as numbers, as words and as pictures.

Legend: M finite points of the map, N points of a snapshot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from reid_tui.view.grid import Grid, Look
from reid_tui.view.palette import identity_letter
from reid_tui.view.picture import fitting, put_picture
from reid_tui.view.text import count, fit, name_of, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reid_tui.data.dataset import UInt8Array
    from reid_tui.training.events import EmbeddingsReady, IntArray
    from reid_tui.view.map_cloud import Cell, Cloud
    from reid_tui.view.palette import Glyphs
    from reid_tui.view.trails import Trails

NEIGHBOURS: Final = 3
_BOX: Final = (30, 58)
"""Columns of the box that tells of it, at least and at most."""
_PICTURE: Final = (13, 10)
"""Columns and rows of a picture, at most."""
_LEAST_WIDTH: Final = 40
_LEAST_HEIGHT: Final = 12
"""Of a map that has room for the box."""


class Neighbour(NamedTuple):
    """An image near another one."""

    place: int
    """Of its point in the snapshot that it was found in."""
    identity: int
    distance: float


class Found(NamedTuple):
    """A point under the cursor."""

    place: int
    """In the snapshot."""
    row: int | None
    """Of its image in the split, where that is known."""
    identity: int
    cell: Cell
    here: int
    """Points in that cell."""
    neighbours: tuple[Neighbour, ...]
    """The nearest in the plane first."""
    moved: float | None
    """In the plane, since it was first seen; None where that is not known."""
    since: int
    """At that step."""


class Seen(NamedTuple):
    """What an evaluation knows of the image."""

    neighbours: tuple[Neighbour, ...]
    """The nearest by the whole embedding first; empty where the plane is all of it."""
    step: int
    """Of the evaluation."""
    pictures: UInt8Array | None
    """(n, C, H, W): the image, then its neighbours."""
    problem: str = ""
    """Why there are none."""


def find(cloud: Cloud, cell: Cell, glyphs: Glyphs, trails: Trails, rows: IntArray | None, step: int) -> Found:
    """The point under a cell, or nearest to it.

    Args:
        cloud: the map.
        cell: clipped to it.
        glyphs: it is drawn with.
        trails: of the same points.
        rows: (N,) which images the points are, where that is known.
        step: of the snapshot.
    """
    cell = (min(max(cell[0], 0), cloud.width - 1), min(max(cell[1], 0), cloud.height - 1))
    at, here = cloud.under(cell, glyphs)
    point = cloud.where[at]
    column, row = cloud.cells(point[None], glyphs)
    near = _nearest(cloud.where, at)
    neighbours = tuple(Neighbour(int(cloud.index[i]), int(cloud.identity[i]), distance) for i, distance in near)
    place = int(cloud.index[at])
    moved = trails.moved(place, rows, point, step) or (None, 0)
    image = None if rows is None else int(rows[place])
    own = (int(column[0]), int(row[0]))
    return Found(place, image, int(cloud.identity[at]), own, here, neighbours, *moved)


def neighbours_in(gallery: EmbeddingsReady, row: int) -> tuple[Neighbour, ...]:
    """The nearest images by the whole embedding; none where the image is not in it.

    Args:
        gallery: of a whole evaluation.
        row: of an image in the split.
    """
    embeddings, rows, identities = gallery.embeddings, gallery.rows, gallery.identities
    assert embeddings is not None and rows is not None and identities is not None  # noqa: PT018
    return tuple(
        Neighbour(i, int(identities[i]), distance)
        for at in np.flatnonzero(rows == row)[:1]
        for i, distance in _nearest(embeddings, int(at))
    )


def _nearest(points: np.ndarray, at: int) -> list[tuple[int, float]]:
    apart = points - points[at]
    distance = np.sqrt(np.einsum("nd,nd->n", apart, apart, dtype=np.float64))
    distance[at] = np.inf
    order = np.argsort(distance, kind="stable")[: min(NEIGHBOURS, len(points) - 1)]
    return [(int(i), float(distance[i])) for i in order]


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


def draw_box(grid: Grid, cell: Cell, found: Found, names: Sequence[str], seen: Seen | None = None) -> None:
    """What lies there, in the corner farthest from the cursor.

    Args:
        grid: wide and tall enough, see `fits`.
        cell: of the cursor.
        found: what to tell.
        names: of the identities.
        seen: what else is known of it.
    """
    rows = _rows(found, seen)
    width = min(max(_BOX[0], grid.width // 3), _BOX[1])
    pictures = [] if seen is None or seen.pictures is None else list(seen.pictures)
    pictures = pictures[: (width - 1) // (_PICTURE[0] + 1)]
    room = min(_PICTURE[1], grid.height - len(rows))
    across, down = fitting(pictures[0].shape, _PICTURE[0], room) if pictures and room > 2 else (0, 0)
    left = grid.width - width if cell[0] < grid.width / 2 else 0
    top = grid.height - len(rows) - down if cell[1] < grid.height / 2 else 0
    for y in range(top, top + down + len(rows)):
        grid.text(left, y, "│" + " " * (width - 1), grid.inked("muted"))
    for number, picture in enumerate(pictures if down else ()):
        put_picture(grid, left + 2 + number * (_PICTURE[0] + 1), top, picture, across, down)
    for y, row in enumerate(rows, top + down):
        _draw_row(grid, left + 2, y, width - 2, names, *row)


def _draw_row(
    grid: Grid, x: int, y: int, width: int, names: Sequence[str], mark: str, identity: int | None, text: str
) -> None:
    if identity is None:
        grid.text(x, y, fit(text, width), grid.inked("muted"))
        return
    usual = grid.inked("foreground")
    room = width - 4 - len(text)
    grid.text(x, y, mark, usual)
    grid.text(x + 2, y, identity_letter(identity), Look(grid.style.identity(identity), bold=True))
    grid.text(x + 4, y, fit(name_of(identity, names), room - 1), usual)
    grid.text(x + 4 + room, y, text, usual)


def _rows(found: Found, seen: Seen | None) -> list[tuple[str, int | None, str]]:
    """A mark, an identity to be named and what stands behind its name, or a sentence alone."""
    whole = seen is not None and bool(seen.neighbours)
    image = "" if found.row is None else f"image {count(found.row)}"
    rows: list[tuple[str, int | None, str]] = [(">", found.identity, image)]
    if found.here > 1:
        rows.append(("", None, f"one of {count(found.here)} in this cell"))
    if found.moved is not None:
        rows.append(("", None, _moved(found, "")))
    if seen is not None and seen.problem:
        rows.append(("", None, seen.problem))
    rows.append(("", None, f"nearest at step {count(seen.step)}:" if seen is not None and whole else "nearest here:"))
    neighbours = seen.neighbours if seen is not None and whole else found.neighbours
    return rows + [
        ("=" if near.identity == found.identity else "x", near.identity, plain(near.distance)) for near in neighbours
    ]


def _moved(found: Found, before: str) -> str:
    return "" if found.moved is None else f"{before}moved {plain(found.moved)} since step {count(found.since)}"

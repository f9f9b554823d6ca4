"""Where the points of a snapshot fall on the map's cells, and which of them lies under a cell.

Legend: N points of the snapshot, M of them finite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from reid_tui.view.plot import DOTS, Dots, Floats, to_dots

if TYPE_CHECKING:
    from reid_tui.view.palette import Glyphs

CELL_ASPECT: Final = 2.0
"""Height of a terminal's cell over its width."""
_OUTSIDE: Final = 0.5
"""Percent of the points that may lie beyond the border on each side."""
_ROOM: Final = 1.08
"""Drawn span over the points' span."""
_FARTHEST: Final = 1e30
Ints = NDArray[np.integer]
Cell = tuple[int, int]
"""Column and row, (0, 0) at the upper left."""


@dataclass(frozen=True, slots=True, eq=False)
class Cloud:
    """The finite points of a snapshot on a map of `width` by `height` cells, with one scale on both axes."""

    index: Dots
    """(M,) their places in the snapshot."""
    where: Floats
    """(M, 2)"""
    identity: Dots
    """(M,)"""
    width: int
    height: int
    low: Floats
    """(2,) what the first dot of each axis stands for."""
    high: Floats
    """(2,) and the last one."""
    unit: float
    """How much of the embedding's unit a column's width is."""

    def dots(self, where: Floats, glyphs: Glyphs) -> tuple[Dots, Dots]:
        """Dot columns and rows, from the lower left, of (K, 2) places; those outside fall on the border."""
        across, down = DOTS[glyphs]
        x = to_dots(where[:, 0], self.low[0], self.high[0], self.width * across)
        return x, to_dots(where[:, 1], self.low[1], self.high[1], self.height * down)

    def cells(self, where: Floats, glyphs: Glyphs) -> tuple[Dots, Dots]:
        """Columns and rows of (K, 2) places."""
        across, down = DOTS[glyphs]
        x, y = self.dots(where, glyphs)
        return x // across, self.height - 1 - y // down

    def under(self, cell: Cell, glyphs: Glyphs) -> tuple[int, int]:
        """The point in a cell that is nearest to its centre, or where it is empty the nearest of all.

        Args:
            cell: inside the map.
            glyphs: decide which points share a cell.

        Returns:
            Its place among the M points, and how many lie in its cell.
        """
        column, row = self.cells(self.where, glyphs)
        share = np.array([(cell[0] + 0.5) / self.width, 1 - (cell[1] + 0.5) / self.height])
        centre = self.low + share * (self.high - self.low)
        away = np.square(self.where - centre).sum(axis=1)
        inside = (column == cell[0]) & (row == cell[1])
        found = int(np.argmin(np.where(inside, away, np.inf) if inside.any() else away))
        return found, int(((column == column[found]) & (row == row[found])).sum())


def cloud(points: Floats, identities: Ints, width: int, height: int) -> Cloud | None:
    """Place a snapshot.

    Args:
        points: (N, 2); those that are not finite are left out.
        identities: (N,)
        width: cells, >= 1.
        height: cells, >= 1.

    Returns:
        None where no point is finite.
    """
    where = np.asarray(points, np.float64).reshape(-1, 2)
    identity = np.asarray(identities, np.int64)[: len(where)]
    index = np.flatnonzero(np.isfinite(where[: len(identity)]).all(axis=1))
    if not len(index):
        return None
    where = np.clip(where[index], -_FARTHEST, _FARTHEST)
    low, high = np.percentile(where, [_OUTSIDE, 100 - _OUTSIDE], axis=0)
    centre, span = (low + high) / 2, (high - low) * _ROOM
    unit = float(max(span[0] / width, span[1] / (CELL_ASPECT * height)))
    if unit <= 0 or not np.isfinite(unit):
        unit = 1.0 / width
    half = np.array([unit * width / 2, unit * CELL_ASPECT * height / 2])
    return Cloud(index, where, identity[index], width, height, centre - half, centre + half, unit)

"""One pair of an evaluation as lines: both pictures, who is on them, how far apart they are."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from reid_tui.view.grid import Grid, Look
from reid_tui.view.picture import fitting, put_picture
from reid_tui.view.text import count, fit, fixed, plain

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from reid_tui.data.dataset import UInt8Array
    from reid_tui.view.palette import ChartStyle

Kind = Literal["same", "different"]
WORDS: Final[dict[Kind, str]] = {"same": "SAME, far apart", "different": "DIFFERENT, close"}


@dataclass(frozen=True, slots=True)
class Shown:
    """An image of the pair."""

    name: str
    """Of its identity; safe to print."""
    row: int
    camera: int | None
    suspect: bool
    left_out: bool
    parts: NDArray[np.int64] | None = None
    """(rows, columns) 0 to 9: which of them decide."""


@dataclass(frozen=True, slots=True)
class PairShown:
    """What the panel shows at once."""

    kind: Kind
    number: int
    """From 1."""
    of: int
    distance: float
    share: float
    """Of the loss of all pairs of the kind; NaN where that is not known."""
    first: Shown
    second: Shown
    images: UInt8Array | None
    """(2, C, H, W)"""
    why_none: str = ""
    """Why there are no pictures, in one line."""
    keys: str = ""


def pair_lines(pair: PairShown, width: int, height: int, style: ChartStyle) -> list[str]:
    """`height` lines of `width` cells. Where there is little room keys are left out first, and then rows of text."""
    grid = Grid(width, height, style)
    half = width // 2
    told = textwrap.wrap(_told(pair), max(width, 1))
    keys = textwrap.wrap(pair.keys, max(width, 1), break_on_hyphens=False)
    text_rows = 2 + len(told) + len(keys)
    if 2 * text_rows > height:
        text_rows -= len(keys)
        keys = []
    tall = max(0, height - text_rows)
    if pair.images is not None and tall and half > 1:
        columns, rows = fitting(pair.images.shape[1:], half - 1, tall)
        for image, shown, x in zip(pair.images, (pair.first, pair.second), (0, half), strict=True):
            put_picture(grid, x + (half - 1 - columns) // 2, 0, image, columns, rows, shown.parts)
        tall = rows
    elif pair.images is None:
        why = textwrap.wrap(pair.why_none or "opening the pictures", max(width, 1))[:tall]
        for y, line in enumerate(why):
            grid.text(0, y, line, grid.inked("muted"))
        tall = len(why)
    for x, letter, shown in ((0, "A", pair.first), (half, "B", pair.second)):
        for y, words in enumerate(_who(letter, shown), tall):
            grid.text(x, y, fit(words, half - 1).rstrip(), _look(grid, shown))
    for y, line in enumerate(told, tall + 2):
        grid.text(0, y, line, grid.inked(pair.kind, bold=True))
    for y, line in enumerate(keys, tall + 2 + len(told)):
        grid.text(0, y, line, grid.inked("muted"))
    return grid.lines()


def _told(pair: PairShown) -> str:
    share = "" if math.isnan(pair.share) else f" · {plain(100 * pair.share, 2)} % of the loss of such pairs"
    return f"{WORDS[pair.kind]} {pair.number}/{pair.of} · distance {fixed(pair.distance, 3)}{share}"


def _who(letter: str, shown: Shown) -> tuple[str, str]:
    camera = "" if shown.camera is None else f"camera {shown.camera + 1}"
    mark = "! suspect" if shown.suspect else ""
    mark += (", out" if mark else "left out") if shown.left_out else ""
    more = " · ".join(part for part in (mark, camera, f"#{count(shown.row)}") if part)
    return f"{letter} {shown.name}", f"  {more}"


def _look(grid: Grid, shown: Shown) -> Look:
    return grid.inked("margin", bold=True) if shown.suspect else grid.inked("foreground")

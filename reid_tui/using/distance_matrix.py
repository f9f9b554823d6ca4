"""Distances as a picture of characters: numbers where these fit, else shades.

Legend: N rows, M columns.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from reid_tui.text import printable
from reid_tui.view.text import fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reid_tui.using.comparing import FloatArray

_SAME_INKS: Final = "@#*+"
_DIFFERENT_INKS: Final = ":. "
_NONE: Final = "="
_MARK: Final = "*"
_SHORTEST_NUMBER: Final = 4
_WIDEST_NAME: Final = 28
_MOST_NAMED: Final = 12
"""Columns whose names are all told below the matrix."""
_LONGEST_NAME: Final = 4096


class Room(NamedTuple):
    """What a matrix may take."""

    width: int
    lines: int
    color: bool


def tail(name: str, width: int) -> str:
    """The end of a name in at most `width` cells, safe to print: files of one folder are told apart there."""
    name = printable(name, _LONGEST_NAME)
    if cell_len(name) <= width:
        return name
    while name and cell_len(name) >= width:
        name = name[1:]
    return f"…{name}" if width > 0 else ""


def places(threshold: float) -> int:
    """Decimal places that show three digits of a threshold."""
    return min(max(2 - math.floor(math.log10(threshold)), 0), 9) if threshold > 0 else 3


def matrix(
    distances_NM: FloatArray, rows: Sequence[str], columns: Sequence[str] | None, threshold: float, room: Room
) -> list[Text]:
    """Draw distances.

    Args:
        distances_NM: NaN where there is none.
        rows: a name for each.
        columns: the same; None where they are the rows once more.
        threshold: what is no farther apart is the same.
        room: what it may take; below it stands what is not shown, and how it is read.
    """
    height, width = distances_NM.shape
    shown_NM = distances_NM[: max(room.lines, 1)]
    labels = _labels(rows[: len(shown_NM)], room.width // 3)
    left = max(room.width - cell_len(labels[0]), 1)
    cells = _numbers(shown_NM, threshold) if width * _SHORTEST_NUMBER <= left else []
    numbered = bool(cells) and width * len(cells[0][0]) <= left
    if not numbered:
        broad = 2 if width * 2 <= left else 1
        cells = [[_shade(float(d), threshold) * broad for d in row[: left // broad]] for row in shown_NM]
    head = Text(" " * cell_len(labels[0]) + _heading(cells[0], numbered=numbered), no_wrap=True)
    lines = [head, *map(Text, labels)]
    for line, texts, distances in zip(lines[1:], cells, shown_NM, strict=True):
        for text, distance in zip(texts, distances, strict=False):  # what is beyond the room is left out
            same = Style(color="green" if room.color else None, bold=True)
            line.append(text, same if distance <= threshold else None)
        line.rstrip()
    notes = (
        _shown(len(shown_NM), height, len(cells[0]), width),
        _columns(columns),
        _legend(threshold, numbered=numbered),
    )
    return lines + [Text(note) for note in notes if note]


def _labels(rows: Sequence[str], width: int) -> list[str]:
    """Number and name of each row, equally wide."""
    digits = len(str(len(rows)))
    names = [tail(name, min(_WIDEST_NAME, max(width - digits - 2, 1))) for name in rows]
    widest = max(map(cell_len, names))
    return [f"{number:>{digits}} {fit(name, widest)} " for number, name in enumerate(names, 1)]


def _numbers(distances_NM: FloatArray, threshold: float) -> list[list[str]]:
    """A text for each distance, equally wide."""
    digits = places(threshold)
    texts = [
        [
            f" {_NONE} " if math.isnan(d) else f" {d:.{digits}f}{_MARK if d <= threshold else ' '}"
            for d in map(float, row)
        ]
        for row in distances_NM
    ]
    widest = max(len(text) for row in texts for text in row)
    return [[f"{text:>{widest}}" for text in row] for row in texts]


def _shade(distance: float, threshold: float) -> str:
    """Denser ink for what is nearer; of other characters on the two sides of the threshold."""
    if math.isnan(distance):
        return _NONE
    if distance <= threshold:
        share = distance / threshold if threshold > 0 else 0.0
        return _SAME_INKS[min(int(share * len(_SAME_INKS)), len(_SAME_INKS) - 1)]
    beyond = distance / threshold - 1 if threshold > 0 else math.inf
    return _DIFFERENT_INKS[int(min(beyond * len(_DIFFERENT_INKS), len(_DIFFERENT_INKS) - 1))]


def _heading(cells: Sequence[str], *, numbered: bool) -> str:
    """The columns' numbers; of shades the first and the last."""
    if numbered:
        return "".join(f"{number} ".rjust(len(text)) for number, text in enumerate(cells, 1))
    room = sum(map(len, cells))
    return f"1{len(cells):>{room - 1}}" if room > len(str(len(cells))) else ""


def _shown(down: int, height: int, across: int, width: int) -> str:
    if (down, across) == (height, width):
        return ""
    return f"{down:,} of {height:,} rows and {across:,} of {width:,} columns fit; --csv has all"


def _columns(columns: Sequence[str] | None) -> str:
    if columns is None:
        return "columns: as the rows"
    named = [f"{number} {tail(name, _WIDEST_NAME)}" for number, name in enumerate(columns, 1)]
    if len(named) <= _MOST_NAMED:
        return f"columns: {', '.join(named)}"
    return f"columns: {named[0]} to {named[-1]}"


def _legend(threshold: float, *, numbered: bool) -> str:
    if numbered:
        return f"{_MARK} the same: no farther apart than {threshold:.{places(threshold)}f}; {_NONE} no pair"
    return f"{' '.join(_SAME_INKS)} the same, nearest first; {' '.join(_DIFFERENT_INKS)} different; {_NONE} no pair"

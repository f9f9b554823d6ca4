"""What the header of a table says: how its cells are parted, and which column is which."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reid_tui.data.folders.noticed import shown
from reid_tui.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Headings = dict[str, tuple[tuple[str, ...], ...]]
DELIMITERS: Final = ",;\t"
PATH: Final = "path"
IDENTITY: Final = "identity"
CAMERA: Final = "camera"
SPLIT: Final = "split"
BOX: Final = "box"
HEADINGS: Final[Headings] = {
    PATH: (
        ("path",),
        ("image", "file", "filename", "file_name", "filepath", "file_path", "image_path", "image_name", "img"),
        ("image_id",),
    ),
    IDENTITY: (
        ("identity",),
        ("individual_id", "individual", "person_id", "person", "pid", "vehicle_id", "label", "name", "category"),
        ("id",),
    ),
    CAMERA: (("camera",), ("camera_id", "cam_id", "camid", "cam")),
    SPLIT: (("split",), ("subset",)),
    BOX: (("box",), ("bbox",)),
}
"""Headings by what the column is. A later group counts where none of an earlier one is there: an `id` beside a `name`
numbers the rows."""
_NEEDED: Final = (PATH, IDENTITY)


@dataclass(frozen=True, slots=True)
class Columns:
    """A header that was understood."""

    delimiter: str
    places: dict[str, int]
    """Of the columns that are read, by what they are."""
    header: tuple[str, ...]
    """As it is written."""

    @property
    def told(self) -> str:
        """What a person would want to know of it, safe to print; empty where every heading is the word itself."""
        taken = [f"{shown([self.header[place]])} as {kind}" for kind, place in self.places.items()]
        unread = [name for place, name in enumerate(self.header) if place not in self.places.values()]
        if not unread and all(self.header[place].lower() == kind for kind, place in self.places.items()):
            return ""
        return ", ".join(taken) + (f"; not read: {shown(unread)}" if unread else "")


def rows(text: str, delimiter: str) -> Iterator[list[str]]:
    """The rows of a table, empty lines as empty rows.

    Raises:
        csv.Error: quotes do not fit, or a cell is too long.
    """
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)


def columns(text: str, where: str, headings: Headings = HEADINGS, needed: Sequence[str] = _NEEDED) -> Columns:
    """Read a table's header.

    Args:
        text: the table.
        where: it lies; safe to print.
        headings: of the columns that are read, as `HEADINGS`.
        needed: columns that must be there.

    Raises:
        DataError: it has none, or one without the columns that are needed, or with two for one thing.
    """
    headers = {delimiter: _header(text, delimiter) for delimiter in DELIMITERS}
    known = {name for groups in headings.values() for group in groups for name in group}
    best = max(
        DELIMITERS,
        key=lambda delimiter: (sum(name.lower() in known for name in headers[delimiter]), len(headers[delimiter])),
    )
    header = headers[best]
    if not header:
        raise DataError(f"{where} has no header; the first line of a table names its columns: {','.join(needed)}")
    places = {kind: place for kind in headings if (place := _place(kind, headings[kind], header, where)) is not None}
    lacking = [kind for kind in needed if kind not in places]
    if lacking:
        raise DataError(
            f"{where} has no column for {' and '.join(lacking)}; its columns are {shown(header)}; write "
            f"'{lacking[0]}' above the right one"
        )
    return Columns(best, places, header)


def _header(text: str, delimiter: str) -> tuple[str, ...]:
    try:
        return tuple(cell.strip() for cell in next((row for row in rows(text, delimiter) if row), ()))
    except csv.Error:
        return ()


def _place(kind: str, groups: tuple[tuple[str, ...], ...], header: Sequence[str], where: str) -> int | None:
    """Of the column that is `kind`."""
    for group in groups:
        found = [place for place, name in enumerate(header) if name.lower() in group]
        if len(found) > 1:
            names = shown([header[place] for place in found])
            raise DataError(f"{where} has {len(found)} columns that may be the {kind}: {names}; call one '{kind}'")
        if found:
            return found[0]
    return None

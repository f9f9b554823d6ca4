"""`csv:FILE`: a table with a row for each picture, or for each part of one."""

from __future__ import annotations

import csv
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from reid_tui.data.findings import Finding
from reid_tui.data.folders.columns import BOX, CAMERA, IDENTITY, PATH, SPLIT, Columns, columns, rows
from reid_tui.data.folders.listing import Box, Listing, Picture, run_name
from reid_tui.data.folders.names import alike, cameras
from reid_tui.data.folders.noticed import findings, refuse_many_missing, told
from reid_tui.data.folders.splits import SPLITS, roles
from reid_tui.data.folders.walk import folder_at, is_folder
from reid_tui.errors import DataError, why
from reid_tui.files import read_regular
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reid_tui.config import DataOptions
    from reid_tui.data.catalog import Report

ENDINGS: Final = (".csv", ".tsv")
IGNORE: Final = "ignore"
TOLD_EVERY: Final = 20_000
"""Rows between two reports."""
_LARGEST_TABLE: Final = 1 << 30
_PROBE: Final = 1 << 16
"""Bytes of a table in which its header must end to be recognised."""


class _Row(NamedTuple):
    number: int
    """In the table, the header being row 1."""
    path: str
    identity: str
    camera: str
    split: str
    box: Box | None


@dataclass(slots=True)
class _Read:
    """What the rows said."""

    rows: list[_Row] = field(default_factory=list)
    noticed: dict[str, list[str]] = field(
        default_factory=lambda: {"missing_files": [], "duplicate_rows": [], "ignored_rows": []}
    )


def listing(place: str, options: DataOptions, report: Report) -> Listing:
    """The pictures of a table, in the order of its rows.

    Raises:
        DataError: the table cannot be read or understood, or more than 5 % of its pictures are missing.
    """
    path, where = Path(place), printable(place, 400)
    text = table_text(path, where, f"name a table with the columns {PATH} and {IDENTITY}")
    head = columns(text, where)
    if CAMERA in head.places and options.camera_pattern is not None:
        raise DataError(f"{where} has a column for the camera; leave --camera-pattern out, or rename the column")
    root = _root(path, options.image_root)
    report(f"reading {where}")
    read = _read(text, head, where)
    pictures = _pictures(read, root, where, options, report)
    read.noticed["names_differ_in_case"] = alike(row.identity for row in read.rows)
    header = (Finding("columns", f"columns are read: {head.told}", len(head.places)),) if head.told else ()
    return Listing(
        spec=f"csv:{path}",
        name=run_name(path.stem, "csv"),
        source=f"table {where}",
        root=root,
        pictures=pictures,
        findings=findings(read.noticed) + header,
    )


def fits(path: Path) -> Path | None:
    """A table, or the only one in a folder that names pictures and identities."""
    if not is_folder(path):
        return path if path.suffix.lower() in ENDINGS else None
    found = [table for table in tables(path) if _names_pictures(table)]
    return found[0] if len(found) == 1 else None


def tables(folder: Path) -> list[Path]:
    """Files of a folder that are called like tables, by name."""
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in ENDINGS and path.name[0] != "." and path.is_file()
    )


def _names_pictures(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            columns(file.read(_PROBE).decode("utf-8-sig", "replace"), "")
    except (OSError, DataError):
        return False
    return True


def table_text(path: Path, where: str, remedy: str) -> str:
    """All of a table.

    Args:
        path: of it.
        where: the same, safe to print.
        remedy: what helps where it cannot be read.

    Raises:
        DataError: it cannot be read, or is no text.
    """
    if is_folder(path):
        raise DataError(f"{where} is a folder; name the table in it: csv:{where}/labels.csv")
    try:
        content = read_regular(path, _LARGEST_TABLE)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{where} is not UTF-8 (line {line}); save the table as UTF-8") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{where} cannot be read: {why(error)}; {remedy}") from error
    if (place := text.find("\0")) >= 0:
        line = text.count("\n", 0, place) + 1
        raise DataError(f"{where} holds a NUL byte in line {line}; save the table as UTF-8 text")
    return text


def _root(path: Path, image_root: str | None) -> Path:
    if image_root is None:
        return path.parent
    remedy = "name the folder that the table's paths start from"
    try:
        return folder_at(Path(image_root).expanduser().resolve(), f"--image-root: {remedy}")
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"--image-root {printable(image_root, 400)} cannot be used: {why(error)}; {remedy}") from error


def _read(text: str, head: Columns, where: str) -> _Read:
    """All rows but those that are ignored or say nothing new."""
    read = _Read()
    seen: set[tuple[object, ...]] = set()
    for row in _rows(text, head, where):
        if row.split == IGNORE:
            read.noticed["ignored_rows"].append(row.path)
        elif (said := row[1:]) in seen:
            read.noticed["duplicate_rows"].append(row.path)
        else:
            seen.add(said)
            read.rows.append(row)
    if not read.rows:
        left = f", {told(left_out)}" if (left_out := findings(read.noticed)) else ""
        raise DataError(f"{where} has no row that names a picture{left}; each picture is a row below the header")
    _refuse_gaps(SPLIT, [row.number for row in read.rows if not row.split], len(read.rows), where)
    _refuse_gaps(CAMERA, [row.number for row in read.rows if not row.camera], len(read.rows), where)
    return read


def _refuse_gaps(kind: str, empty: list[int], count: int, where: str) -> None:
    if 0 < len(empty) < count:
        raise DataError(
            f"{where}, row {empty[0]}: no {kind}, and {count - len(empty):,} other rows have one; fill all cells "
            "of the column, or none"
        )


def _rows(text: str, head: Columns, where: str) -> Iterator[_Row]:
    return (_row(number, cells, head, where) for number, cells in cells_by_row(text, head, where))


def cells_by_row(text: str, head: Columns, where: str) -> Iterator[tuple[int, list[str]]]:
    """The number of each row below the header, which is row 1, and its cells; at least as many as the header has.

    Raises:
        DataError: a row has too few cells, or too many.
    """
    number, width, is_header = 0, len(head.header), True
    try:
        for number, cells in enumerate(rows(text, head.delimiter), 1):
            if not cells:
                continue
            if is_header:
                is_header = False
            elif len(cells) < width or any(cells[width:]):
                raise DataError(f"{where}, row {number}: {len(cells)} cells, and the header has {width}")
            else:
                yield number, cells
    except csv.Error as error:
        raise DataError(f"{where}, row {number + 1}: {error}; put cells with quotes or commas in quotes") from error


def _row(number: int, cells: list[str], head: Columns, where: str) -> _Row:
    places = head.places
    path, identity = cells[places[PATH]], cells[places[IDENTITY]]
    for kind, cell in ((PATH, path), (IDENTITY, identity)):
        if not cell or cell.isspace():
            raise DataError(f"{where}, row {number}: no {kind}; fill the cell, or take the row out")
    camera = cells[places[CAMERA]] if CAMERA in places else ""
    split = cells[places[SPLIT]].strip().lower() if SPLIT in places else ""
    if split != IGNORE and split not in SPLITS:
        said = printable(split)
        raise DataError(f"{where}, row {number}: split '{said}' is none of train, query, gallery, test, val, {IGNORE}")
    box = _box(cells[places[BOX]], number, where) if BOX in places else None
    return _Row(number, path, identity, camera, SPLITS.get(split, split), box)


def _box(cell: str, number: int, where: str) -> Box | None:
    """Four numbers, parted by commas, semicolons or spaces, in brackets or not; None for an empty cell."""
    parts = re.split(r"[\s,;]+", cell.strip().strip("[]()").strip())
    if parts == [""]:
        return None
    try:
        box = Box(*(round(float(part)) for part in parts))
    except (TypeError, ValueError, OverflowError):
        box = Box(-1, 0, 0, 0)
    if min(box) < 0 or box.width < 1 or box.height < 1:
        raise DataError(
            f"{where}, row {number}: box '{printable(cell)}' is not x,y,width,height in pixels, such as '10,20,64,128'"
        )
    return box


def _pictures(read: _Read, root: Path, where: str, options: DataOptions, report: Report) -> tuple[Picture, ...]:
    """Those whose file is there."""
    base, files = str(root), dict.fromkeys(row.path for row in read.rows)
    for done, path in enumerate(files):
        if done % TOLD_EVERY == 0:
            report(f"looking for the pictures of {where}", done, len(files))
        files[path] = _status(os.path.join(base, path))  # noqa: PTH118  a Path costs more than the look itself
    missing = read.noticed["missing_files"]
    missing += [row.path for row in read.rows if files[row.path] is None]
    remedy = f"their paths start at {printable(root, 400)}; name another folder with --image-root"
    refuse_many_missing(missing, len(read.rows), where, remedy)
    role = roles({row.split for row in read.rows})
    there = [(row, status) for row in read.rows if (status := files[row.path])]
    spotted = cameras([row.path for row, _ in there], options.camera_pattern)
    return tuple(
        Picture(
            row.path, row.identity, row.camera or camera, role[row.split], status.st_size, status.st_mtime_ns, row.box
        )
        for (row, status), camera in zip(there, spotted, strict=True)
    )


def _status(path: str) -> os.stat_result | None:
    """Of a regular file, or of one that a link leads to."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    return found if stat.S_ISREG(found.st_mode) else None

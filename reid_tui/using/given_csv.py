"""Embeddings out of a CSV table, a row at a time.

Legend: N rows, D embedding dimensions.
"""

from __future__ import annotations

import csv
import io
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple, TextIO

import numpy as np

from reid_tui.errors import DataError, why
from reid_tui.files import opened_regular
from reid_tui.text import printable
from reid_tui.using.given import Table, check_size, refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from reid_tui.data.catalog import Report

DELIMITERS: Final = ",;\t"
IDENTITY: Final[str] = "identity"
OTHERS: Final[tuple[str, ...]] = ("camera", "role", "path")
"""Columns that are no dimensions either; the last one is passed over."""
LONGEST: Final = 4 * 2**20
"""Characters of a line."""
LONGEST_TEXT: Final = 256
"""Characters of an identity, a camera or a role."""
TOLD_EVERY: Final = 4096
"""Rows between two reports, which are kept together."""
_LAYOUT: Final = "the columns are identity, camera and role where they are known, and one for each dimension"


class _Header(NamedTuple):
    """Places of the columns."""

    width: int
    texts: dict[str, int]
    dimensions: list[int]
    names: list[str]
    """As they are written."""


def read_csv(path: Path, report: Report) -> Table:
    """Read a table with a header.

    Raises:
        DataError: it cannot be read, or a row does not fit.
    """
    where = printable(path, 400)
    try:
        with opened_regular(path) as file:
            return _table(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""), where, report)
    except UnicodeDecodeError as error:
        raise refused(where, "it is no UTF-8 text", "save it as one") from error
    except (OSError, ValueError) as error:
        raise refused(where, f"it cannot be read: {why(error)}", "name a CSV table") from error
    except MemoryError as error:
        raise refused(where, "not enough memory for it", "take fewer rows") from error


def _table(text: TextIO, where: str, report: Report) -> Table:
    lines = _lines(text, where)
    first = next((line for line in lines if line.strip()), "")
    reader = csv.reader(chain([first], lines), delimiter=max(DELIMITERS, key=first.count), strict=True)
    head = _header(next(reader, []), where)
    said: dict[str, list[str]] = {name: [] for name in head.texts}
    numbers: list[int] = []
    blocks: list[NDArray[np.float32]] = []
    rows: list[NDArray[np.float32]] = []
    number = 1
    try:
        for number, cells in enumerate(reader, 2):
            if not cells:
                continue
            rows.append(_numbers(cells, head, f"{where}, row {number}"))
            numbers.append(number)
            for name, place in head.texts.items():
                said[name].append(_text(cells[place], name, f"{where}, row {number}"))
            if len(rows) == TOLD_EVERY:
                report(f"reading {where}, row {number:,}")
                blocks.append(np.stack(rows))
                rows.clear()
                check_size(where, len(numbers), len(head.dimensions))
    except csv.Error as error:
        raise refused(
            f"{where}, row {number + 1}", printable(error), "put cells with quotes or commas in quotes"
        ) from error
    check_size(where, len(numbers), len(head.dimensions))
    points_ND = np.concatenate([*blocks, np.stack(rows)] if rows else blocks)
    texts = {name: np.array(values, dtype=np.str_) for name, values in said.items()}
    return Table(
        points_ND,
        texts[IDENTITY],
        texts.get("camera"),
        texts.get("role"),
        where,
        numbers,
    )


def _lines(text: TextIO, where: str) -> Iterator[str]:
    number = 0
    while line := text.readline(LONGEST):
        number += 1
        if len(line) == LONGEST:
            raise refused(f"{where}, line {number}", "it does not end", "part the rows by line ends")
        yield line


def _header(cells: list[str], where: str) -> _Header:
    names = [cell.strip().lower() for cell in cells]
    for name in (IDENTITY, *OTHERS):
        if names.count(name) > 1:
            raise refused(where, f"it has {names.count(name)} columns {name!r}", "call one only so")
    if IDENTITY not in names:
        shown = ", ".join(printable(name, 24) for name in names[:6]) or "none"
        raise refused(where, f"it has no column 'identity' among {len(names):,} ({shown})", _LAYOUT)
    texts = {name: names.index(name) for name in (IDENTITY, *OTHERS[:-1]) if name in names}
    dimensions = [place for place, name in enumerate(names) if name not in (IDENTITY, *OTHERS)]
    return _Header(len(names), texts, dimensions, cells)


def _text(cell: str, name: str, row: str) -> str:
    if len(cell) > LONGEST_TEXT:
        raise refused(row, f"its {name} has {len(cell):,} characters", f"at most {LONGEST_TEXT} are read")
    return cell.strip()


def _numbers(cells: list[str], head: _Header, row: str) -> NDArray[np.float32]:
    """(D,) of one row."""
    if len(cells) != head.width:
        raise refused(row, f"it has {len(cells):,} cells, and the header {head.width:,}", "fill it, or take it out")
    said = [cells[place] for place in head.dimensions]
    try:
        with np.errstate(over="ignore"):
            return np.array(said, dtype=np.float64).astype(np.float32)
    except ValueError:
        raise _no_number(said, head, row) from None


def _no_number(said: list[str], head: _Header, row: str) -> DataError:
    for place, text in zip(head.dimensions, said, strict=True):
        try:
            float(text)
        except ValueError:
            column = printable(head.names[place], 40)
            return refused(row, f"{printable(text, 40)!r} in column {column!r} is no number", _LAYOUT)
    return refused(row, "it holds what is no number", _LAYOUT)

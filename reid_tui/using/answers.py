"""What `reid-tui compare` finds out: of two pictures, of folders, or of a table of pairs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from reid_tui.data.folders.noticed import told
from reid_tui.data.folders.walk import is_folder
from reid_tui.errors import OK, USAGE, DataError, UsageError, why
from reid_tui.text import printable
from reid_tui.using import pair_data
from reid_tui.using.comparing import pair, pair_distances, points
from reid_tui.using.pair_grid import check_size, grid, side

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from reid_tui.data.catalog import Report
    from reid_tui.using.comparing import FloatArray, Judge, Pair
    from reid_tui.using.model import Model
    from reid_tui.using.pair_data import Line
    from reid_tui.using.pair_grid import Grid
    from reid_tui.using.pair_table import PairTable, TableScores

DIFFERENT: Final = 1
"""Exit code; that of the same is `OK`."""
_TOLD: Final = 5
"""Pictures or rows that are left out and named."""
_TABLES: Final = (".csv", ".tsv")


class Answer(Protocol):
    """One, in three forms."""

    @property
    def exit_code(self) -> int:
        """0 for the same, 1 for different, 2 where a part of the question stays open."""

    @property
    def remarks(self) -> Sequence[str]:
        """How the question was read, what was not compared, and why; printable."""

    def print_on(self, console: Console) -> None:
        """Tell a person."""

    def as_object(self) -> dict[str, Any]:
        """For JSON."""

    def lines(self) -> Iterator[Line]:
        """For CSV: a header, then each pair."""


@dataclass(frozen=True, slots=True)
class _OfPair:
    found: Pair
    names: tuple[str, str]
    judge: Judge
    model: Model
    remarks: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        return OK if self.found.distance <= self.judge.point.threshold else DIFFERENT

    def print_on(self, console: Console) -> None:
        from reid_tui.using.pair_text import print_pair

        print_pair(console, self.found, self.names, self.judge, self.model)

    def as_object(self) -> dict[str, Any]:
        return pair_data.pair_object(self.found, self.names, self.judge, self.model)

    def lines(self) -> Iterator[Line]:
        return pair_data.pair_lines(self.names, self.found.distance, self.judge)


@dataclass(frozen=True, slots=True)
class _OfFolders:
    found: Grid
    judge: Judge
    model: Model
    remarks: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        return OK if self.found.mean <= self.judge.point.threshold else DIFFERENT

    def print_on(self, console: Console) -> None:
        from reid_tui.using.pair_text import print_grid

        print_grid(console, self.found, self.judge, self.model)

    def as_object(self) -> dict[str, Any]:
        return pair_data.grid_object(self.found, self.judge, self.model)

    def lines(self) -> Iterator[Line]:
        return pair_data.grid_lines(self.found, self.judge)


@dataclass(frozen=True, slots=True)
class _OfTable:
    table: PairTable
    distances_P: FloatArray
    scores: TableScores | None
    judge: Judge
    model: Model
    whole: bool
    """Whether all of its pairs were compared."""
    remarks: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        return OK if self.whole else USAGE

    def print_on(self, console: Console) -> None:
        from reid_tui.using.pair_text import print_table

        print_table(console, self.table.rows, self.distances_P, self.scores, self.judge, self.model)

    def as_object(self) -> dict[str, Any]:
        return pair_data.table_object(self.table, self.distances_P, self.scores, self.judge, self.model)

    def lines(self) -> Iterator[Line]:
        return pair_data.table_lines(self.table, self.distances_P, self.judge)


def check_question(a: str, b: str | None) -> None:
    """Refuse at once what cannot be compared, before a network is opened.

    Raises:
        UsageError: nothing is there, or the two do not go together.
    """
    for place in filter(None, (a, b)):
        try:
            Path(place).stat()
        except (OSError, ValueError) as error:
            shown = printable(place, 400)
            raise DataError(f"{shown} cannot be read: {why(error)}; name a picture, a folder or a table") from error
    if b is None and not is_folder(Path(a)) and not is_table(a):
        raise UsageError(
            f"one picture, {printable(a, 400)}, is compared with nothing; name another, a folder, or a table of pairs"
        )
    if b is not None and (is_table(a) or is_table(b)):
        raise UsageError("a table names both pictures of each pair; give nothing beside it")


def is_table(place: str) -> bool:
    """Whether a path is called like a table."""
    return place.lower().endswith(_TABLES) and not is_folder(Path(place))


def answer(a: str, b: str | None, model: Model, judge: Judge, report: Report) -> Answer:
    """Compare.

    Args:
        a: a picture, a folder, or a table of pairs.
        b: another picture or folder; None for a table, or for the pairs within a folder.
        model: computes.
        judge: says what distances mean.
        report: told how far it is; what it raises ends the work.

    Raises:
        DataError: something cannot be read.
        RunError: an embedding is not finite.
    """
    if is_table(a):
        return _of_table(a, model, judge, report)
    if b is not None and not is_folder(Path(a)) and not is_folder(Path(b)):
        return _OfPair(pair(a, b, model), (a, b), judge, model)
    return _of_folders(a, b, model, judge, report)


def _of_folders(a: str, b: str | None, model: Model, judge: Judge, report: Report) -> _OfFolders:
    sides = [side(place, report) for place in (a, b) if place is not None]
    check_size(sides[0], sides[-1])
    found = points([path for each in sides for path in each.paths], model, report)
    noticed = [
        f"{printable(each.place, 400)}: {told(findings)}"
        for each in sides
        if (findings := [finding for finding in each.findings if finding.code != "other_files"])
    ]
    remarks = (*noticed, *_first([f"left out: {text}" for text in found.unreadable.values()]))
    return _OfFolders(grid(sides[0], sides[1] if b is not None else None, found), judge, model, remarks)


def _of_table(place: str, model: Model, judge: Judge, report: Report) -> _OfTable:
    from reid_tui.using.pair_table import pair_table, table_scores

    table = pair_table(place)
    found = points((table.path(name) for row in table.rows for name in (row.first, row.second)), model, report)
    why_not = {
        row.number: found.unreadable[path]
        for row in table.rows
        for path in (table.path(row.second), table.path(row.first))
        if path in found.unreadable
    }
    left_out = [f"row {number} is left out: {text}" for number, text in why_not.items()]
    rows = tuple(row for row in table.rows if row.number not in why_not)
    if not rows:
        raise DataError(f"{printable(place, 400)}: no pair can be compared; {left_out[0]}")
    first_PD, second_PD = (
        found.embeddings_ND[found.rows(table.path(name) for name in names)]
        for names in ([row.first for row in rows], [row.second for row in rows])
    )
    distances_P = pair_distances(first_PD, second_PD)
    scores = table_scores(distances_P, judge.same(distances_P), [row.same for row in rows])
    remarks = (*([f"columns are read: {table.told}"] if table.told else []), *_first(left_out))
    return _OfTable(replace(table, rows=rows), distances_P, scores, judge, model, not left_out, remarks)


def _first(left_out: Sequence[str]) -> Sequence[str]:
    """A few, and how many more there are."""
    more = len(left_out) - _TOLD
    return left_out if more <= 0 else [*left_out[:_TOLD], f"and {more:,} more"]

"""A table of pairs, some perhaps with what a person knows of them, and how right the verdicts are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from reid_tui.data.folders.columns import columns
from reid_tui.data.folders.table import cells_by_row, table_text
from reid_tui.errors import DataError
from reid_tui.evaluation.verification import verification_scores
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reid_tui.data.folders.columns import Headings
    from reid_tui.using.comparing import BoolArray, FloatArray

_FIRST: Final = "a"
_SECOND: Final = "b"
_VERDICT: Final = "verdict"
_HEADINGS: Final[Headings] = {
    _FIRST: (("a",), ("path1", "image1", "img1", "file1", "path_a", "image_a", "left", "first")),
    _SECOND: (("b",), ("path2", "image2", "img2", "file2", "path_b", "image_b", "right", "second")),
    _VERDICT: (("verdict",), ("same", "is_same", "issame", "match", "label", "truth", "expected")),
}
_SPELLINGS: Final = {
    True: ("same", "1", "true", "yes"),
    False: ("different", "0", "false", "no"),
}
_VERDICTS: Final = {word: same for same, words in _SPELLINGS.items() for word in words}


class PairRow(NamedTuple):
    """One row."""

    number: int
    """In the table, the header being row 1."""
    first: str
    """As it is written."""
    second: str
    same: bool | None
    """What the table says; None where it says nothing."""


@dataclass(frozen=True, slots=True)
class PairTable:
    """What was read."""

    rows: tuple[PairRow, ...]
    root: Path
    """Where relative paths start: beside the table."""
    told: str
    """How its columns are read, printable; empty where there is nothing to tell."""

    def path(self, name: str) -> str:
        """Of a picture."""
        return str(self.root / name)


def pair_table(place: str) -> PairTable:
    """Read a table of pairs.

    Raises:
        DataError: it cannot be read or understood, or has no row.
    """
    path, where = Path(place), printable(place, 400)
    text = table_text(path, where, "name a table with the columns a and b")
    head = columns(text, where, _HEADINGS, (_FIRST, _SECOND))
    first, second, verdict = head.places[_FIRST], head.places[_SECOND], head.places.get(_VERDICT)
    rows = tuple(
        PairRow(
            number,
            _named(cells[first], number, where),
            _named(cells[second], number, where),
            None if verdict is None else _verdict(cells[verdict], number, where),
        )
        for number, cells in cells_by_row(text, head, where)
    )
    if not rows:
        raise DataError(f"{where} has no pair; each pair is a row below the header")
    return PairTable(rows, path.parent, head.told)


def _named(cell: str, number: int, where: str) -> str:
    if not cell or cell.isspace():
        raise DataError(f"{where}, row {number}: a picture is not named; fill the cell, or take the row out")
    return cell


def _verdict(cell: str, number: int, where: str) -> bool | None:
    word = cell.strip().lower()
    if word and word not in _VERDICTS:
        spelled = ", ".join(f"{same} or {different}" for same, different in zip(*_SPELLINGS.values(), strict=True))
        raise DataError(f"{where}, row {number}: verdict '{printable(cell, 40)}' is none of {spelled}")
    return _VERDICTS[word] if word else None


@dataclass(frozen=True, slots=True)
class TableScores:
    """How right verdicts are where the table knows better."""

    same_called_same: int
    same_called_different: int
    different_called_same: int
    different_called_different: int
    auc: float
    """NaN where the table has pairs of one kind only."""

    @property
    def count(self) -> int:
        """Pairs that the table has a verdict of."""
        return self.right + self.same_called_different + self.different_called_same

    @property
    def right(self) -> int:
        """Pairs of which both say the same."""
        return self.same_called_same + self.different_called_different

    @property
    def accuracy(self) -> float:
        """Share of them, 0..1."""
        return self.right / self.count


def table_scores(distances_P: FloatArray, called_P: BoolArray, told: Sequence[bool | None]) -> TableScores | None:
    """Score verdicts.

    Args:
        distances_P: (P,).
        called_P: (P,) True where a pair was called the same.
        told: P verdicts of the table.

    Returns:
        None where the table has no verdict.
    """
    known_P = np.array([same is not None for same in told], dtype=bool)
    if not known_P.any():
        return None
    same_P, called_P = np.array([same for same in told if same is not None], dtype=bool), called_P[known_P]
    return TableScores(
        same_called_same=int((same_P & called_P).sum()),
        same_called_different=int((same_P & ~called_P).sum()),
        different_called_same=int((~same_P & called_P).sum()),
        different_called_different=int((~same_P & ~called_P).sum()),
        auc=verification_scores(distances_P[known_P], same_P).auc,
    )

"""Every picture of one folder beside every one of another, or of the same. Numpy only, prints nothing.

Legend: Q pictures of the first side, G of the second; H and K the folders that they lie in.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.data.folders.noticed import counted
from reid_tui.data.folders.walk import folder_at, is_folder, walk
from reid_tui.errors import DataError
from reid_tui.text import printable
from reid_tui.using.comparing import all_distances

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reid_tui.data.catalog import Report
    from reid_tui.data.findings import Finding
    from reid_tui.using.comparing import FloatArray, Points

MOST_PAIRS: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Side:
    """One picture, or those of a folder, by path."""

    place: str
    """As a person named it."""
    names: tuple[str, ...]
    """Below the folder; of one picture all of its path."""
    paths: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    """What was left out of the folder."""

    @property
    def folders(self) -> tuple[str, ...]:
        """That each picture lies in: below `place`, or that itself."""
        if self.names == (self.place,):
            return self.names
        return tuple(name.rpartition("/")[0] or self.place for name in self.names)

    def without(self, unreadable: Mapping[str, str]) -> Side:
        """The others.

        Args:
            unreadable: paths of pictures that gave no pixels, and why.

        Raises:
            DataError: there are none.
        """
        kept = [(name, path) for name, path in zip(self.names, self.paths, strict=True) if path not in unreadable]
        if not kept:
            raise DataError(f"{printable(self.place, 400)}: no picture can be read; {unreadable[self.paths[0]]}")
        names, paths = zip(*kept, strict=True)
        return Side(self.place, names, paths, self.findings)


def side(place: str, report: Report) -> Side:
    """What stands on one side: a folder's pictures, or one.

    Raises:
        DataError: a folder that cannot be read, or holds no picture.
    """
    if not is_folder(Path(place)):
        return Side(place, (place,), (place,))
    root = folder_at(Path(place), "name a folder with pictures, or a picture")
    walked = walk(root.resolve(), report)
    if not walked.files:
        raise DataError(f"{printable(place, 400)} holds no picture; name a folder with pictures, or a picture")
    names = tuple(file.path for file in walked.files)
    return Side(place, names, tuple(str(root / name) for name in names), walked.findings)


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Distances of two sides."""

    first: Side
    second: Side
    within: bool
    """Whether both are one: each two pictures are a pair once, and none is one with itself."""
    distances_QG: FloatArray
    """NaN where both are the very same picture, which does not count."""

    @property
    def count(self) -> int:
        """Pairs that count."""
        return int(np.isfinite(self.distances_QG).sum()) // (1 + self.within)

    @property
    def very_same(self) -> int:
        """Pairs of two files that are one picture."""
        same = int(np.isnan(self.distances_QG).sum())
        return (same - len(self.first.names)) // 2 if self.within else same

    @property
    def mean(self) -> float:
        """Of the pairs that count; 0 where all are the very same picture."""
        return float(np.nanmean(self.distances_QG)) if self.count else 0.0

    def accepted(self, threshold: float) -> int:
        """How many of the pairs that count are no farther apart."""
        return int((self.distances_QG <= threshold).sum()) // (1 + self.within)

    def folder_means(self) -> FolderMeans:
        """The mean of each pair of folders."""
        names_H, member_QH = _members(self.first.folders)
        names_K, member_GK = _members(self.second.folders)
        counts_QG = np.isfinite(self.distances_QG)
        count_HK = member_QH.T @ counts_QG @ member_GK
        sum_HK = member_QH.T @ np.where(counts_QG, self.distances_QG, 0) @ member_GK
        mean_HK = np.divide(sum_HK, count_HK, out=np.full_like(sum_HK, np.nan), where=count_HK > 0)
        if self.within:
            np.fill_diagonal(count_HK, np.diagonal(count_HK) / 2)
        return FolderMeans(names_H, names_K, mean_HK, count_HK.astype(np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class FolderMeans:
    """How far folders are apart."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    mean_HK: FloatArray
    """NaN where no pair counts."""
    count_HK: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    """Pairs that count."""


def _members(folders: tuple[str, ...]) -> tuple[tuple[str, ...], FloatArray]:
    """The folders in their order, and a row for each picture that is 1 at its folder."""
    names = tuple(dict.fromkeys(folders))
    place = {name: number for number, name in enumerate(names)}
    return names, np.eye(len(names))[[place[folder] for folder in folders]]


def check_size(first: Side, second: Side) -> None:
    """Refuse what would not fit in memory.

    Raises:
        DataError: there are too many pairs.
    """
    count = len(first.paths) * len(second.paths)
    if count > MOST_PAIRS:
        both = f"{counted(len(first.paths), 'picture')} and {counted(len(second.paths), 'picture')}"
        raise DataError(
            f"{both} make {count:,} pairs, and at most {MOST_PAIRS:,} are compared; name smaller folders, or look for "
            "the nearest with 'search'"
        )


def grid(first: Side, second: Side | None, points: Points) -> Grid:
    """All pairs of two sides, or of one.

    Args:
        first: one side; of its pictures those that could be read count.
        second: the other; None for pairs within the first.
        points: all their pictures.

    Raises:
        DataError: of a side none could be read, or there are fewer than two pictures within one.
    """
    first = first.without(points.unreadable)
    other = first if second is None else second.without(points.unreadable)
    if second is None and len(first.paths) < 2:
        raise DataError(f"{printable(first.place, 400)} holds one picture; two are needed, or name a second place")
    rows_Q, rows_G = points.rows(first.paths), points.rows(other.paths)
    distances_QG = all_distances(points.embeddings_ND[rows_Q], points.embeddings_ND[rows_G])
    distances_QG[rows_Q[:, None] == rows_G] = np.nan
    return Grid(first, other, second is None, distances_QG)

"""Images that a table names are left out of a data set: `--exclude`. Numpy only."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.errors import DataError, why
from reid_tui.files import read_regular
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from reid_tui.data.dataset import Dataset, ImageSet, IntArray

_LARGEST: Final = 256 * 2**20
SPLITS: Final = {"train": "train", "test": "test", "unseen": "test", "seen": "seen", "validation": "validation"}
"""Names in a table, and the splits that they mean."""
FEWEST: Final = 2


@dataclass(frozen=True, slots=True)
class Excluded:
    """What a table names."""

    paths: frozenset[str]
    rows: frozenset[tuple[str, int]]
    """Split and row of images that have no path."""

    def __len__(self) -> int:
        return len(self.paths) + len(self.rows)


def own_rows(images: ImageSet) -> IntArray:
    """(N,) what a table calls the images of a split: where they lie among all pixels, whatever is left out."""
    return np.arange(len(images)) if images.rows is None else images.rows


def read_excluded(path: Path) -> Excluded:
    """Read a csv with a column `path`, or with `split` and `row`; a row may have either.

    Raises:
        DataError: it cannot be read, or has neither; names the file and the line.
    """
    told = f"--exclude {printable(path, 400)}"
    try:
        text = read_regular(path, _LARGEST).decode("utf-8-sig", "surrogateescape")
        lines = csv.DictReader(io.StringIO(text, newline=""))
        names = [(name or "").strip().lower() for name in lines.fieldnames or ()]
        lines.fieldnames = names
        if "path" not in names and not {"split", "row"} <= set(names):
            raise DataError(f"{told} has no column 'path', nor 'split' and 'row'; add them as its first line")
        found = [_named(line, f"{told}, line {lines.line_num}") for line in lines]
    except OSError as error:
        raise DataError(f"{told} cannot be read: {why(error)}; name a csv with a column 'path'") from error
    except csv.Error as error:
        raise DataError(f"{told} is no csv: {printable(error)}") from error
    paths = frozenset(name for name in found if isinstance(name, str))
    return Excluded(paths, frozenset(name for name in found if not isinstance(name, str)))


def _named(line: dict[str, str], where: str) -> str | tuple[str, int]:
    path, split, row = ((line.get(name) or "").strip() for name in ("path", "split", "row"))
    if path:
        return path
    if split not in SPLITS or not (row.isascii() and row.isdigit() and len(row) < 16):
        raise DataError(
            f"{where}: neither a path nor a split ({', '.join(SPLITS)}) with a whole row: "
            f"{printable(split, 40)!r}, {printable(row, 40)!r}"
        )
    return SPLITS[split], int(row)


def without(dataset: Dataset, file: str, report: Callable[[str], None]) -> Dataset:
    """A data set without the images that a table names; says how many those are, and how many rows match nothing.

    Raises:
        DataError: the table cannot be read, or too little is left.
    """
    asked = read_excluded(Path(file))
    whole = {os.path.normpath(os.path.join(dataset.root, path)): path for path in asked.paths}  # noqa: PTH118
    met: set[object] = set()
    changes: dict[str, ImageSet] = {}
    digest = hashlib.sha256(dataset.fingerprint.encode())
    for name in ("train", "test", "seen", "validation"):
        images: ImageSet | None = getattr(dataset, name)
        if images is None:
            continue
        leaves = _leaving(images, name, asked, whole, dataset.root, met)
        if leaves.any():
            changes[name] = _kept(images, ~leaves)
            digest.update(f"{name};".encode())
            digest.update(np.flatnonzero(leaves).astype("<i8").data)
    count = sum(len(getattr(dataset, name)) - len(part) for name, part in changes.items())
    for name in ("train", "test"):
        if name in changes and len(np.unique(changes[name].identities)) < FEWEST:
            raise DataError(f"--exclude {printable(file, 400)} leaves fewer than 2 identities in {name}; exclude less")
    report(f"{count:,} image{'' if count == 1 else 's'} left out by {printable(file, 400)}")
    if unmet := len(asked) - len(met):
        report(f"{unmet:,} row{' matches' if unmet == 1 else 's match'} no image of {dataset.name}")
    return replace(dataset, fingerprint=digest.hexdigest(), **changes) if changes else dataset  # type: ignore[arg-type]


def _leaving(
    images: ImageSet, name: str, asked: Excluded, whole: dict[str, str], root: str, met: set[object]
) -> NDArray[np.bool_]:
    """(N,) which images a table names; what of it is met is noted."""
    rows = own_rows(images)
    named = np.array([row for split, row in asked.rows if split == name], dtype=np.int64)
    leaves = np.isin(rows, named)
    met |= {(name, row) for row in rows[leaves].tolist()}
    if whole and images.paths is not None:
        for place, path in enumerate(images.paths):
            known = os.path.normpath(os.path.join(root, path))  # noqa: PTH118
            if known in whole:
                leaves[place] = True
                met.add(whole[known])
    return leaves


def _kept(images: ImageSet, stays: NDArray[np.bool_]) -> ImageSet:
    places = np.flatnonzero(stays)
    return replace(
        images,
        identities=images.identities[places],
        cameras=None if images.cameras is None else images.cameras[places],
        rows=own_rows(images)[places],
        roles=None if images.roles is None else images.roles[places],
        paths=None if images.paths is None else [images.paths[place] for place in places.tolist()],
    )

"""Embeddings that somebody else computed: what a file says of them, and what its texts stand for.

Legend: N images, D embedding dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reid_tui.errors import DataError
from reid_tui.evaluation.labels import DISTRACTOR, GALLERY, JUNK, QUERY, Labels
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reid_tui.data.catalog import Report

Texts = NDArray[np.str_]
LARGEST: Final = 4 * 2**30
"""Bytes of embeddings in float32."""
FARTHEST: Final = 1e15
"""A coordinate beyond this has no distance in float32: its square overflows."""
ROLES: Final = {"query": QUERY, "gallery": GALLERY, "both": QUERY + GALLERY}
_ROWS: Final = 65_536
"""That are looked at a time."""


class Table(NamedTuple):
    """What a file says, as it says it."""

    embeddings_ND: NDArray[np.float32]
    identities_N: Texts
    cameras_N: Texts | None
    """Empty where a row has none."""
    roles_N: Texts | None
    where: str
    """What the file is called in a message; printable."""
    numbers: Sequence[int]
    """(N,) of the rows, as a person counts them in this kind of file."""

    def row(self, place: int) -> str:
        """What a row is called in a message; printable."""
        return f"{self.where}, row {self.numbers[place]}"


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """Embeddings that can be scored."""

    embeddings_ND: NDArray[np.float32]
    labels: Labels
    identities: tuple[str, ...]
    """Names of the labels from 0; not safe to print."""
    cameras: tuple[str, ...]
    """The same; empty where the file names none."""
    numbers: Sequence[int]
    """(N,) of the rows."""


def read_given(path: Path, *, market: bool, report: Report) -> Given:
    """Read a file of embeddings.

    Args:
        path: an npz file with `embeddings` (N, D), `identities` (N,), and if need be `cameras` (N,) and `roles` (N,);
            or a CSV table with the columns identity, camera, role, and one for each dimension.
        market: identity 0 is a distractor, as in Market-1501.
        report: told how far it is.

    Raises:
        DataError: it cannot be read, or does not say what it should; the line names the row.
    """
    report("reading embeddings")
    if path.suffix.lower() == ".npz":
        from reid_tui.using.given_npz import read_npz

        return _given(read_npz(path), market=market)
    if path.suffix.lower() == ".csv":
        from reid_tui.using.given_csv import read_csv

        return _given(read_csv(path, report), market=market)
    where = f"--embeddings {printable(path, 400)}"
    raise refused(where, "it ends in neither .npz nor .csv", "save it as one of the two")


def refused(where: str, what: str, remedy: str) -> DataError:
    """An error in one line; all of it is printable."""
    return DataError(f"{where}: {what}; {remedy}")


def _given(table: Table, *, market: bool) -> Given:
    _check_points(table)
    identities_N, identities = _identities(table, market=market)
    cameras_N, cameras = _cameras(table)
    labels = Labels(identities_N, cameras_N, _roles(table))
    if not labels.matches().any():
        what, remedy = "another image of its identity", "without one there is nothing to score"
        if cameras_N is not None:
            what, remedy = f"{what} by another camera", f"{remedy}; leave the cameras out to look among all"
        raise refused(table.where, f"no query has {what} in the gallery", remedy)
    return Given(table.embeddings_ND, labels, identities, cameras, table.numbers)


def _check_points(table: Table) -> None:
    points_ND = table.embeddings_ND
    for at in range(0, len(points_ND), _ROWS):
        part = points_ND[at : at + _ROWS]
        wrong = np.argwhere(~(np.abs(part) < FARTHEST))  # NaN is not below either
        if len(wrong):
            row, column = wrong[0].tolist()
            value = float(part[row, column])
            what = "is not finite" if not np.isfinite(value) else f"is {value:.3g}, too large for a distance in float32"
            raise refused(table.row(at + row), f"dimension {column + 1} {what}", "take the row out, or embed it again")


def _identities(table: Table, *, market: bool) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """(N,) labels, and the names they count."""
    names, name_N = np.unique(table.identities_N, return_inverse=True)
    junk = np.array([name == "-1" for name in names], bool)
    distractor = np.array([market and name != "" and not name.strip("0") for name in names], bool)
    for place, name in enumerate(names):
        if not name.strip():
            raise refused(
                _first(table, name_N, place), "it has no identity", "name one, or -1 for an image that does not count"
            )
        if not junk[place] and name.startswith("-") and name[1:].isdecimal():
            what = f"the identity is {printable(name, 40)}"
            raise refused(_first(table, name_N, place), what, "-1 is an image that does not count; others are from 0")
    people = np.flatnonzero(~(junk | distractor))
    if all(name.isdecimal() for name in names[people]):
        people = people[np.lexsort((names[people], np.char.str_len(names[people])))]  # 2 before 10
    label = np.where(junk, JUNK, DISTRACTOR)
    label[people] = np.arange(len(people))
    return label[name_N], tuple(names[people].tolist())


def _first(table: Table, name_N: NDArray[np.intp], place: int) -> str:
    return table.row(int(np.argmax(name_N == place)))


def _cameras(table: Table) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    if table.cameras_N is None or not (said_N := table.cameras_N != "").any():
        return None, ()
    if not said_N.all():
        raise refused(table.row(int(np.argmin(said_N))), "it has no camera, and others have one", "fill all, or none")
    names, camera_N = np.unique(table.cameras_N, return_inverse=True)
    return camera_N.astype(np.int64), tuple(names.tolist())


def _roles(table: Table) -> NDArray[np.int8] | None:
    if table.roles_N is None or not (table.roles_N != "").any():
        return None
    names, name_N = np.unique(table.roles_N, return_inverse=True)
    role = np.zeros(len(names), np.int8)
    for place, name in enumerate(names):
        if (known := ROLES.get(name.strip().lower())) is None:
            what = f"its role is {printable(name, 40)!r}" if name else "it has no role, and others have one"
            raise refused(_first(table, name_N, place), what, "a role is query, gallery or both")
        role[place] = known
    return role[name_N]


def check_size(where: str, rows: int, dimensions: int) -> None:
    """Refuse what holds nothing, or more than is read.

    Raises:
        DataError: it does.
    """
    if not rows or not dimensions:
        raise refused(where, f"{rows:,} embeddings of {dimensions:,} dimensions", "there must be one at least")
    if 4 * rows * dimensions > LARGEST:
        size, most = 4 * rows * dimensions / 2**30, LARGEST / 2**30
        raise refused(where, f"{size:,.1f} GiB of embeddings", f"at most {most:g} are read; take fewer rows")

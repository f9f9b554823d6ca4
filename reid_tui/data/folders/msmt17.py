"""`msmt17:PATH`: MSMT17, whose pictures are named in list files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reid_tui.data.folders.listing import Listing, Picture, run_name
from reid_tui.data.folders.noticed import findings, refuse_many_missing, shown
from reid_tui.data.folders.walk import folder_at, is_folder, walk
from reid_tui.data.pool import TRAIN
from reid_tui.errors import DataError, why
from reid_tui.evaluation.labels import GALLERY, QUERY
from reid_tui.files import read_regular
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reid_tui.config import DataOptions
    from reid_tui.data.catalog import Report

_VERSIONS: Final = ({"train": "train", "test": "test"}, {"train": "mask_train_v2", "test": "mask_test_v2"})
"""Folders of the two halves, as the set was first published and after its faces were masked."""
_LISTS: Final = {
    "list_train.txt": ("train", TRAIN),
    "list_query.txt": ("test", QUERY),
    "list_gallery.txt": ("test", GALLERY),
}
_VALIDATION: Final = "list_val.txt"
_LINE: Final = re.compile(r"(\S+/[0-9]+_[0-9]+_([0-9]+)_\S+) ([0-9]+)")
"""`0000/0000_000_01_0303morning_0008_0.jpg 0`: the path, with the camera as third number of its name, and the label."""
_REMEDY: Final = "name the folder of the unpacked set, with its list files"
_LARGEST_LIST: Final = 1 << 28


def listing(place: str, _: DataOptions, report: Report) -> Listing:
    """The pictures of the lists. Labels of the two halves are of other people, so the half is a part of the identity.

    Raises:
        DataError: a folder or a list is missing, or a list does not fit the pictures.
    """
    root = folder_at(Path(place), _REMEDY)
    halves = _halves(root)
    if halves is None:
        raise DataError(
            f"{printable(root, 400)} is not MSMT17: it wants the folders train and test, or mask_train_v2 and "
            f"mask_test_v2, beside {', '.join(_LISTS)}; {_REMEDY}"
        )
    walked = walk(root, report, tuple(halves.values()))
    there = {file.path: file for file in walked.files}
    noticed: dict[str, list[str]] = {"unread_names": [], "missing_files": []}
    noticed["val_left_out"] = list(_lines(root / _VALIDATION)) if (root / _VALIDATION).exists() else []
    pictures: list[Picture] = []
    for name, (half, role) in _LISTS.items():
        for line in _lines(root / name):
            match = _LINE.fullmatch(line)
            if match is None:
                noticed["unread_names"].append(line)
            elif (file := there.get(f"{halves[half]}/{match[1]}")) is None:
                noticed["missing_files"].append(match[1])
            else:
                pictures.append(Picture(file.path, f"{half}/{match[3]}", match[2], role, file.size, file.changed_ns))
    _check(root, pictures, noticed)
    return Listing(
        spec=f"msmt17:{root}",
        name=run_name(root.name, "msmt17"),
        source=f"MSMT17 in {printable(root, 400)}",
        root=root,
        pictures=tuple(pictures),
        findings=findings(noticed) + walked.findings,
        upright=True,
    )


def fits(path: Path) -> Path | None:
    """The path itself, if the lists and the folders are there."""
    return path if _halves(path) and all((path / name).is_file() for name in _LISTS) else None


def _halves(root: Path) -> dict[str, str] | None:
    whole = (halves for halves in _VERSIONS if all(is_folder(root / folder) for folder in halves.values()))
    return next(whole, None)


def _lines(path: Path) -> Iterator[str]:
    """Lines of a list that say something."""
    try:
        content = read_regular(path, _LARGEST_LIST)
    except OSError as error:
        raise DataError(f"{printable(path, 400)} cannot be read: {why(error)}; {_REMEDY}") from error
    return filter(None, map(str.strip, content.decode("utf-8", "surrogateescape").split("\n")))


def _check(root: Path, pictures: list[Picture], noticed: dict[str, list[str]]) -> None:
    missing = noticed["missing_files"]
    refuse_many_missing(missing, len(missing) + len(pictures), f"lists of {printable(root, 400)}", _REMEDY)
    if not pictures:
        unread = f", first {shown(noticed['unread_names'])}" if noticed["unread_names"] else ""
        raise DataError(
            f"the lists of {printable(root, 400)} name no picture as MSMT17 names them, such as "
            f"'0000/0000_000_01_0303morning_0008_0.jpg 0'{unread}; {_REMEDY}"
        )

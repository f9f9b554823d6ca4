"""`folder:PATH`: one folder per identity, divided by folders above or under them, or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reid_tui.data.folders import benchmarks, msmt17
from reid_tui.data.folders.listing import Listing, Picture, run_name
from reid_tui.data.folders.names import alike, cameras
from reid_tui.data.folders.noticed import counted, findings, shown, told
from reid_tui.data.folders.splits import SPLITS, roles
from reid_tui.data.folders.walk import folder_at, is_folder, scan, walk
from reid_tui.errors import DataError
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reid_tui.config import DataOptions
    from reid_tui.data.catalog import Report
    from reid_tui.data.folders.walk import File, Walked

WANTED: Final = "folder: wants one folder per identity, as in PATH/alice/1.jpg or PATH/train/alice/1.jpg"
FEWEST: Final = 2
"""Identities from which folders tell them apart."""


def listing(place: str, options: DataOptions, report: Report) -> Listing:
    """The pictures of a folder.

    Raises:
        DataError: no folder, no picture in a folder of an identity, or a camera that the pattern does not find.
    """
    root = folder_at(Path(place), WANTED)
    walked = walk(root, report)
    places = _places(walked.files)
    kept = [file for file in walked.files if _folder(file) in places]
    outside = [file.path for file in walked.files if _folder(file) not in places]
    splits = {split for _, split in places.values()}
    if not kept or (len(outside) > len(kept) and "train" not in splits):
        raise DataError(f"{printable(root, 400)} {_contents(walked)}; {WANTED}")
    noticed = {
        "outside_identities": outside,
        "names_differ_in_case": alike(identity for identity, _ in places.values()),
    }
    return Listing(
        spec=f"folder:{root}",
        name=run_name(root.name, "folder"),
        source=f"folders of identities in {printable(root, 400)}",
        root=root,
        pictures=_pictures(kept, places, options),
        findings=findings(noticed) + walked.findings,
    )


def everything(place: str, options: DataOptions, report: Report, *, labelled: bool) -> Listing:
    """Every picture below a folder, to be looked through and not to be trained on.

    Args:
        place: the folder.
        options: say where the camera stands.
        report: told how far it is.
        labelled: whether folders tell whom a picture shows, where there are at least two that could.

    Raises:
        DataError: no folder, no picture, or a camera that the pattern does not find.
    """
    root = folder_at(Path(place).resolve(), "name a folder of pictures")
    walked = walk(root, report)
    if not walked.files:
        raise DataError(f"{printable(root, 400)} {_contents(walked)}; name a folder with pictures in it")
    places = _places(walked.files) if labelled else {}
    identities = {identity for identity, _ in places.values()}
    if len(identities) < FEWEST:
        places = {}
    what = f"pictures of {len(identities):,} identities, each in a folder," if places else "unlabelled pictures"
    return Listing(
        spec=f"folder:{root}",
        name=run_name(root.name, "folder"),
        source=f"{what} in {printable(root, 400)}",
        root=root,
        pictures=_pictures(walked.files, places, options),
        findings=walked.findings,
    )


def fits(path: Path) -> Path | None:
    """The path itself, if at least two folders of identities are there, and no benchmark's."""
    if not is_folder(path) or benchmarks.laid_out(path) or msmt17.fits(path):
        return None
    first: str | None = None
    for file in scan(str(path)):
        identity, _ = _place(_folder(file)) or (first, "")
        if first not in (None, identity):
            return path
        first = identity
    return None


def contents(root: Path) -> str:
    """What there is in a folder that fits no source, as a clause."""
    return _contents(walk(root, lambda *_: None))


def _contents(walked: Walked) -> str:
    places = _places(walked.files)
    outside = [file.path for file in walked.files if _folder(file) not in places]
    identities = sorted({identity for identity, _ in places.values()}, key=os.fsencode)
    found = []
    if not walked.files:
        found.append("holds no picture")
    if outside:
        found.append(f"has {counted(len(outside), 'picture')} in no identity's folder, first {shown(outside)}")
    if identities:
        pictures = counted(len(walked.files) - len(outside), "picture")
        people = f"{len(identities):,} identities" if len(identities) > 1 else "one identity"
        found.append(f"has {pictures} of {people}, {shown(identities)}")
    return ", ".join(filter(None, [*found, told(walked.findings)]))


def _pictures(
    files: Sequence[File], places: Mapping[str, tuple[str, str]], options: DataOptions
) -> tuple[Picture, ...]:
    """As the places of their folders say; one that has none shows nobody known."""
    role = roles({split for _, split in places.values()})
    spotted = cameras([file.path for file in files], options.camera_pattern)
    pictures = []
    for file, camera in zip(files, spotted, strict=True):
        identity, split = places.get(_folder(file), (None, ""))
        pictures.append(Picture(file.path, identity, camera, role[split], file.size, file.changed_ns))
    return tuple(pictures)


def _folder(file: File) -> str:
    return file.path.rpartition("/")[0]


def _places(files: tuple[File, ...]) -> dict[str, tuple[str, str]]:
    """Identity and split of each folder with pictures; where some have a split, the others have no place."""
    found = {folder: place for folder in dict.fromkeys(map(_folder, files)) if (place := _place(folder))}
    divided = any(split for _, split in found.values())
    return {folder: place for folder, place in found.items() if place[1] or not divided}


def _place(folder: str) -> tuple[str, str] | None:
    """Identity and split of what lies in a folder; None for one that is no identity's."""
    above, _, below = folder.partition("/")
    under = below.partition("/")[0]
    if split := SPLITS.get(above.lower()):
        return (under, split) if under else None
    return (above, SPLITS.get(under.lower(), "")) if above else None

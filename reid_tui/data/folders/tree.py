"""`folder:PATH`: one folder per identity, divided by folders above or under them, or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reid_tui.data.folders import benchmarks, msmt17
from reid_tui.data.folders.listing import Listing, Picture, run_name
from reid_tui.data.folders.names import alike, cameras
from reid_tui.data.folders.noticed import findings, shown, told
from reid_tui.data.folders.splits import SPLITS, roles
from reid_tui.data.folders.walk import folder_at, is_folder, scan, walk
from reid_tui.errors import DataError
from reid_tui.text import printable

if TYPE_CHECKING:
    from reid_tui.config import DataOptions
    from reid_tui.data.catalog import Report
    from reid_tui.data.folders.walk import File, Walked

WANTED: Final = "folder: wants one folder per identity, as in PATH/alice/1.jpg or PATH/train/alice/1.jpg"


def listing(place: str, options: DataOptions, report: Report) -> Listing:
    """The pictures of a folder.

    Raises:
        DataError: no folder, no picture in a folder of an identity, or a camera that the pattern does not find.
    """
    root = folder_at(Path(place), WANTED)
    walked = walk(root, report)
    kept, outside = _identified(walked.files)
    trains = any(split == "train" for _, _, split in kept)
    if not kept or (len(outside) > len(kept) and not trains):
        raise DataError(f"{printable(root, 400)} {_contents(walked)}; {WANTED}")
    role = roles({split for _, _, split in kept})
    spotted = cameras([file.path for file, _, _ in kept], options.camera_pattern)
    noticed = {
        "outside_identities": outside,
        "names_differ_in_case": alike(identity for _, identity, _ in kept),
    }
    return Listing(
        spec=f"folder:{root}",
        name=run_name(root.name, "folder"),
        source=f"folders of identities in {printable(root, 400)}",
        root=root,
        pictures=tuple(
            Picture(file.path, identity, camera, role[split], file.size, file.changed_ns)
            for (file, identity, split), camera in zip(kept, spotted, strict=True)
        ),
        findings=findings(noticed) + walked.findings,
    )


def fits(path: Path) -> Path | None:
    """The path itself, if at least two folders of identities are there, and no benchmark's."""
    if not is_folder(path) or benchmarks.laid_out(path) or msmt17.fits(path):
        return None
    first: str | None = None
    for file in scan(str(path)):
        identity, _ = placed(file.path) or (first, "")
        if first not in (None, identity):
            return path
        first = identity
    return None


def contents(root: Path) -> str:
    """What there is in a folder that fits no source, as a clause."""
    return _contents(walk(root, lambda *_: None))


def _contents(walked: Walked) -> str:
    kept, outside = _identified(walked.files)
    identities = {identity for _, identity, _ in kept}
    found = []
    if not walked.files:
        found = ["holds no picture"]
    if outside:
        found.append(f"has {len(outside):,} pictures in no identity's folder, first {shown(outside)}")
    if kept:
        names = shown(sorted(identities, key=os.fsencode))
        found.append(f"has {len(kept):,} pictures of {len(identities):,} identities, first {names}")
    return ", ".join(filter(None, [*found, told(walked.findings)]))


def placed(path: str) -> tuple[str, str] | None:
    """Identity and split of a file; None where it lies in no identity's folder."""
    folders = path.split("/")[:-1]
    if len(folders) > 1 and (split := SPLITS.get(folders[0].lower())):
        return folders[1], split
    if not folders or folders[0].lower() in SPLITS:
        return None
    return folders[0], SPLITS.get(folders[1].lower(), "") if len(folders) > 1 else ""


def _identified(files: tuple[File, ...]) -> tuple[list[tuple[File, str, str]], list[str]]:
    """Files with identity and split, and paths of those left out; where some have a split, the others have no place."""
    found = [(file, placed(file.path)) for file in files]
    divided = any(place[1] for _, place in found if place)
    kept = [(file, *place) for file, place in found if place and (place[1] or not divided)]
    outside = [file.path for file, place in found if not place or (divided and not place[1])]
    return kept, outside

"""Which pictures lie below a folder. Opens no file, follows no link out of the folder, waits for nothing."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from reid_tui.data.folders.noticed import findings
from reid_tui.errors import DataError, why
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from reid_tui.data.catalog import Report
    from reid_tui.data.findings import Finding

ENDINGS: Final = frozenset(("png", "jpg", "jpeg", "jpe", "bmp", "pgm", "ppm", "pnm", "webp", "tif", "tiff", "gif"))
TOLD_EVERY: Final = 5000
"""Files between two reports."""
_Skipped = defaultdict[str, list[str]]


class File(NamedTuple):
    """A regular file with a picture's ending."""

    path: str
    """Below the folder that was walked."""
    size: int
    changed_ns: int


@dataclass(frozen=True, slots=True)
class Walked:
    """All pictures below a folder, by path."""

    files: tuple[File, ...]
    findings: tuple[Finding, ...]


def is_picture(name: str) -> bool:
    """Whether a file is named like a picture and not hidden."""
    before, _, ending = name.rpartition(".")
    return ending.lower() in ENDINGS and before != "" and name[0] != "."


def is_folder(path: Path) -> bool:
    """Whether a folder is there that we may look for."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def folder_at(path: Path, remedy: str) -> Path:
    """The path, if a folder is there that can be read.

    Raises:
        DataError: there is none.
    """
    try:
        os.scandir(path).close()
    except (OSError, ValueError) as error:
        raise DataError(f"{printable(path, 400)} cannot be read as a folder: {why(error)}; {remedy}") from error
    return path


def walk(root: Path, report: Report, inside: Sequence[str] = ("",)) -> Walked:
    """List the pictures.

    Args:
        root: absolute, without links in it; links inside may lead anywhere below it.
        report: told now and then how many were found; what it raises ends the walk.
        inside: folders below `root` that are looked through, none of which holds another.

    Returns:
        Sorted by the bytes of the path, so the same everywhere.

    Raises:
        DataError: one of the folders cannot be read.
    """
    for folder in inside:
        there = folder_at(root / folder, "see that it is a folder and that you may read it")
        if folder and not there.resolve().is_relative_to(root):
            raise DataError(
                f"{printable(there, 400)} is a link out of its folder, which is not followed; move it there"
            )
    skipped: _Skipped = defaultdict(list)
    files: list[File] = []
    for file in scan(str(root), inside, skipped):
        if len(files) % TOLD_EVERY == 0:
            report(f"looking through {printable(root, 400)}: {len(files):,} pictures")
        files.append(file)
    files.sort(key=lambda file: os.fsencode(file.path))
    for paths in skipped.values():
        paths.sort(key=os.fsencode)
    return Walked(tuple(files), findings(skipped))


def scan(root: str, inside: Sequence[str] = ("",), skipped: _Skipped | None = None) -> Iterator[File]:
    """Pictures in the order in which the system tells them.

    Args:
        root: as for `walk`.
        inside: as for `walk`.
        skipped: gets the paths of what is left out, by kind of finding.
    """
    skipped = defaultdict(list) if skipped is None else skipped
    base = root if root.endswith("/") else f"{root}/"
    waiting = [f"{folder}/" if folder else "" for folder in inside]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(base + folder) as entries:
                for entry in entries:
                    path = folder + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if _is_set_aside(entry.name):
                            skipped["other_files"].append(path)
                        else:
                            waiting.append(f"{path}/")
                    elif (kind := _kind(entry, base)) is not None:
                        skipped[kind].append(path)
                    elif (found := _status(entry)) is not None:
                        yield File(path, found.st_size, found.st_mtime_ns)
        except OSError:
            skipped["unreadable_folders"].append(folder)


def _is_set_aside(folder: str) -> bool:
    """Folders that programs keep for themselves; the named one comes with archives packed on a Mac."""
    return folder[0] == "." or folder == "__MACOSX"


def _kind(entry: os.DirEntry[str], base: str) -> str | None:
    """The finding under which something that is no folder is left out; None for a picture."""
    if entry.is_symlink():
        target = os.path.realpath(entry.path)
        if not f"{target}/".startswith(base):
            return "links_outside"
        found = _status(entry)
        if found is None or not stat.S_ISREG(found.st_mode):
            return "folder_links" if found is not None and stat.S_ISDIR(found.st_mode) else "not_regular"
    elif not entry.is_file(follow_symlinks=False):
        return "not_regular"
    return None if is_picture(entry.name) else "other_files"


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Of a link that of its target; None where it went away."""
    try:
        return entry.stat()
    except OSError:
        return None

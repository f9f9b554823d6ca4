"""What names tell: the camera in a file's name, and identities that may be one."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from reid_tui.data.folders.noticed import shown
from reid_tui.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def cameras(paths: Sequence[str], pattern: str | None) -> list[str | None]:
    """The camera of each picture, which is found in the name of its file.

    Args:
        paths: of the files.
        pattern: regular expression; its group `camera`, or else the first, finds the camera. None: nobody knows.

    Raises:
        DataError: a name does not match. No camera is invented.
    """
    if pattern is None:
        return [None] * len(paths)
    expression = re.compile(pattern)
    group = "camera" if "camera" in expression.groupindex else 1
    matches = [expression.search(path.rpartition("/")[2]) for path in paths]
    found = [match[group] or None if match else None for match in matches]
    silent = [path for path, camera in zip(paths, found, strict=True) if camera is None]
    if silent:
        raise DataError(
            f"--camera-pattern '{pattern}' finds no camera in {len(silent):,} of {len(paths):,} names, first "
            f"{shown(silent)}; mend the pattern, or leave it out to train without cameras"
        )
    return found


def alike(identities: Iterable[str]) -> list[str]:
    """Names that differ from an earlier one only in case, in how accents are encoded, or in spaces."""
    first: dict[str, str] = {}
    found = []
    for name in dict.fromkeys(identities):
        key = " ".join(unicodedata.normalize("NFC", name).casefold().split())
        if (earlier := first.setdefault(key, name)) != name:
            found.append(f"{earlier} / {name}")
    return found

"""Files that a person asked for: known to be possible before anything is computed, and whole or not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reid_tui.errors import ReidTuiError, UsageError, advice
from reid_tui.files import write_together
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def check_new(files: Sequence[Path], endings: Sequence[str], *, force: bool, option: str = "-o") -> None:
    """Refuse files that cannot be, or that are there.

    Args:
        files: the first one as a person named it, and those that come with it.
        endings: that it may have.
        force: whether files that are there may be replaced.
        option: that named it.

    Raises:
        UsageError: another ending, no such folder, or a file is there already.
    """
    path = files[0]
    if path.suffix not in endings:
        raise UsageError(f"{option} must end in {', '.join(endings)}, not {printable(path, 400)!r}")
    if not path.parent.is_dir():
        raise UsageError(
            f"{option} {printable(path, 400)}: there is no folder {printable(path.parent, 400)}; make it first"
        )
    for file in files:
        if file.is_dir():
            raise UsageError(f"{printable(file, 400)} is a folder; name another file")
        if file.exists() and not force:
            other = "another file" if file == path else "a file in another folder"
            raise UsageError(f"{printable(file, 400)} is there already; name {other}, or replace it with --force")


def write_new(contents: Mapping[Path, bytes]) -> None:
    """Write private files that belong together: none is replaced before all are on the disk.

    Args:
        contents: by the file; the one that a person named comes first.

    Raises:
        ReidTuiError: one cannot be written; what was there stays.
    """
    try:
        write_together(contents)
    except OSError as error:
        path = next(iter(contents))
        raise ReidTuiError(f"{printable(path, 400)} cannot be written: {advice(error, 'name another file')}") from error

"""The runs folder: whether runs can be kept there, and for how long."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from reid_tui.doctor.rows import Row, from_error
from reid_tui.errors import RunError
from reid_tui.runs.directory import check_writable
from reid_tui.runs.table import size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOW: Final = 10**9
"""Bytes: ten runs or so."""
TOO_LOW: Final = 100 * 10**6
"""Bytes: a run of a few hours fills it."""


def storage_rows(runs_dir: Path) -> Iterator[Row]:
    """The folder, and what is free on its disk.

    Raises:
        OSError: the disk does not tell what is free.
    """
    try:
        check_writable(runs_dir)
    except RunError as error:
        yield from_error("runs folder", "problem", error)
    else:
        yield Row("runs folder", "ok", f"{runs_dir.absolute()}, can be written to")
    folder = next(path for path in (runs_dir.absolute(), *runs_dir.absolute().parents) if path.is_dir())
    yield disk_row(shutil.disk_usage(folder).free)


def disk_row(free: int) -> Row:
    """What so many free bytes mean."""
    text = f"{size(free)} are free for runs"
    if free >= LOW:
        return Row("disk", "ok", text)
    remedy = "remove runs with 'reid-tui runs rm RUN', or name a folder on another disk with --runs-dir"
    return Row("disk", "problem" if free < TOO_LOW else "note", text, remedy)

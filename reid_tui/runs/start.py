"""When a run was begun, which is the order of all runs. Loads without torch and numpy."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING, Final

from reid_tui.files import is_closed
from reid_tui.runs.log_end import number, read_piece

if TYPE_CHECKING:
    from pathlib import Path

    from reid_tui.runs.directory import RunDirectory

STAMP: Final = "%Y%m%d-%H%M%S"
"""Before a run's name, for people: the clock on the wall."""
_STAMP_LENGTH: Final = len("20260101-000000")
_HEAD: Final = 4096
_TIME: Final = re.compile(rb'"time": ?(\d{1,12}(?:\.\d{1,9})?)')


def started(run: RunDirectory) -> float:
    """Unix seconds of a run's start: as its config has them, else its log's first line; no resume changes them.

    Of two starts with the clock set back in between the later one counts as the older: nothing on disk tells more.
    """
    recorded = number(run.read_config().get("started"))
    if recorded is None or recorded <= 0:
        recorded = _first_time(run.events)
    if recorded is None and (os.path.lexists(run.config) or is_closed(run.config)):  # both are damaged, or closed to us
        recorded = stamped(run.name)
    return _oldest(run) if recorded is None else recorded


def _first_time(events: Path) -> float | None:
    try:
        found = _TIME.search(read_piece(events, _HEAD))
    except OSError:
        return None
    return float(found[1]) if found else None


def stamped(name: str) -> float | None:
    """Unix seconds of the stamp before a run's name, as it is on our own wall; None where there is none."""
    try:
        return time.mktime(time.strptime(name[:_STAMP_LENGTH], STAMP))
    except (ValueError, OverflowError):
        return None


def _oldest(run: RunDirectory) -> float:
    """Of the times of what is made with the folder: a run that still loads has a lock and two empty folders."""
    times = []
    for path in (run.lock, run.config, run.checkpoints, run.embeddings):
        try:
            times.append(path.lstat().st_mtime)
        except OSError:
            continue
    return min(times, default=0.0)

"""Errors that a person can act on: what happened, the value, the remedy, in one line."""

from __future__ import annotations

import errno
import re
from typing import Final

OK, FAILURE, USAGE, DIVERGED = 0, 1, 2, 3
HUNG_UP, INTERRUPTED, TERMINATED, OUT_OF_TIME = 129, 130, 143, 152
"""Exit codes of every command."""


class ReidTuiError(Exception):
    """Base of all expected errors; its text is one line and needs no traceback."""

    exit_code = FAILURE


class UsageError(ReidTuiError):
    """An option or a combination of options cannot be used."""

    exit_code = USAGE


class LostProcessError(ReidTuiError):
    """Another process of the same run is gone."""


class DataError(UsageError):
    """A data set is missing, unknown or damaged."""


class RunError(UsageError):
    """A run cannot be found, created or continued."""


class CheckpointError(RunError):
    """A checkpoint does not verify or does not fit the run that asked for it."""


_LONGEST: Final = 240
_ALLOCATED: Final = re.compile(r"tried to allocate ([\d.,]+ ?\w+)", re.IGNORECASE)
_FREE: Final = re.compile(r"of which ([\d.]+ \w+) is free")
_NO_MEMORY: Final = re.compile(
    r"out of memory|_ALLOC(ATION)?_FAILED|(can't|cannot|unable to|not enough) .{0,20}memory", re.IGNORECASE
)


def why(error: Exception) -> str:
    """What the system said, or Python for a path that never reached it."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


_REMEDIES: Final = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your quota",
    errno.EFBIG: "allow larger files with 'ulimit -f'",
    errno.EACCES: "see that you may write there",
    errno.EPERM: "see that you may write there",
    errno.EROFS: "have the file system mounted for writing",
    errno.ENOENT: "put the folder back",
    errno.ENOTDIR: "put the folder back",
    errno.EIO: "have the disk looked at",
    errno.EMFILE: "allow more open files with 'ulimit -n'",
    errno.ENFILE: "close some files",
    errno.ESTALE: "mount the file system again",
}


def advice(error: OSError, then: str, joined: str = ", ") -> str:
    """What the system said, what helps against it where we know that, and what comes then."""
    more = joined.join(filter(None, (_REMEDIES.get(error.errno or 0), then)))
    return f"{why(error)}; {more}" if more else why(error)


def cause(error: BaseException) -> str:
    """An unexpected error in one line. Of what torch says about missing memory only the amounts are kept."""
    text = str(error)
    if isinstance(error, MemoryError) or _NO_MEMORY.search(text):
        amount, free = _ALLOCATED.search(text), _FREE.search(text)
        asked = f": {amount[1]} were asked for" if amount else ""
        left = f", {free[1]} of the device are free" if amount and free else ""
        return f"out of memory{asked}{left}; free some, or start a run with a smaller --batch-size"
    first = next((line.strip() for line in text.splitlines() if line.strip()), "no message")
    if len(first) > _LONGEST:
        first = f"{first[: _LONGEST - 1]}…"
    return f"{type(error).__name__}: {first}"

"""One process a run: a lock that the kernel drops with the process."""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING, Final

from reid_tui.errors import RunError
from reid_tui.files import PRIVATE_FILE

if TYPE_CHECKING:
    from pathlib import Path

_TRIES: Final = 5
_PAUSE_S: Final = 0.02


def holder(path: Path) -> int | None:
    """Ask who holds a run's lock, leaving the file as it is.

    Returns:
        The process that holds it, 0 where it is held and names no process; None where nobody does.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(descriptor, 32).decode("ascii", errors="replace").strip()
        return int(text) if text.isdecimal() else 0
    except OSError:
        return None
    else:
        return None
    finally:
        os.close(descriptor)


class RunLock:
    """Held from construction to `release`, or to the end of the process."""

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            RunError: another process writes this run, or the file cannot be made.
        """
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        except OSError as error:
            raise RunError(f"cannot lock the run {str(path.parent)!r}: {error.strerror}") from error
        try:
            _take(self._descriptor)
        except OSError as error:
            holder = os.read(self._descriptor, 32).decode(errors="replace").strip()
            os.close(self._descriptor)
            raise RunError(
                f"the run {path.parent.name!r} is being trained by process {holder or 'unknown'}; stop that one first"
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let others have it."""
        os.close(self._descriptor)


def _take(descriptor: int) -> None:
    """Lock for writing; tried again for a moment, because `holder` shares the lock while it looks."""
    for left in reversed(range(_TRIES)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not left:
                raise
            time.sleep(_PAUSE_S)
        else:
            return

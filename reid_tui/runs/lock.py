"""One process a run: a lock that the kernel drops with the process.

The file's first line is the number of the process that holds it; what follows is the path of its control socket.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from pathlib import Path
from typing import Final

from reid_tui.errors import RunError, advice
from reid_tui.files import PRIVATE_FILE, write_all

_TRIES: Final = 5
_PAUSE_S: Final = 0.02
_LARGEST: Final = 4096


def holder(path: Path) -> int | None:
    """Ask who holds a run's lock, leaving the file as it is.

    Returns:
        The process that holds it, 0 where it is held and names no process; None where nobody does.
    """
    content = _content_if_held(path)
    if content is None:
        return None
    first = _first_line(content)
    return int(first) if first.isdecimal() else 0


def check_free(path: Path) -> None:
    """Leave the file as it is.

    Raises:
        RunError: a process holds the lock.
    """
    if (pid := holder(path)) is not None:
        raise _held(path, str(pid))


def _held(path: Path, pid: str) -> RunError:
    who = pid if pid.strip("0") else "unknown"
    return RunError(f"the run {path.parent.name!r} is being trained by process {who}; stop that one first")


def told_socket(path: Path) -> Path | None:
    """Ask where the process that holds a run's lock listens; None where nobody does."""
    _, _, told = (_content_if_held(path) or b"").partition(b"\n")
    return path.parent / os.fsdecode(told[:-1]) if told.endswith(b"\n") else None


def _content_if_held(path: Path) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(descriptor, _LARGEST, 0)
    except OSError:
        return None
    else:
        return None
    finally:
        os.close(descriptor)


def _first_line(content: bytes) -> str:
    return content[:32].partition(b"\n")[0].decode("ascii", errors="replace").strip()


class RunLock:
    """Held from construction to `release`, or to the end of the process."""

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            RunError: another process writes this run, the file cannot be made or locked, or the run was removed
                meanwhile.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC  # a link would have its target overwritten
        try:
            self._descriptor = os.open(path, flags, PRIVATE_FILE)
        except OSError as error:
            raise RunError(f"cannot lock the run {str(path.parent)!r}: {advice(error, '')}") from error
        try:
            _take(self._descriptor)
        except OSError as error:
            pid = _first_line(os.pread(self._descriptor, _LARGEST, 0))
            os.close(self._descriptor)
            if isinstance(error, BlockingIOError):
                raise _held(path, pid) from error
            raise RunError(
                f"cannot lock the run {str(path.parent)!r}: {error.strerror}; its file system has no locks, name "
                "a folder on another one with --runs-dir"
            ) from error
        if not os.fstat(self._descriptor).st_nlink:
            os.close(self._descriptor)
            raise RunError(f"the run {path.parent.name!r} has just been removed")
        self._path = path
        self._folder = path.parent.resolve()
        self._first_line = f"{os.getpid()}\n".encode()
        try:
            os.ftruncate(self._descriptor, 0)
            write_all(self._descriptor, self._first_line)
        except OSError as error:
            os.close(self._descriptor)
            raise RunError(
                f"cannot lock the run {str(path.parent)!r}: "
                + advice(error, "name another folder with --runs-dir", joined=", or ")
            ) from error

    def tell(self, socket: Path) -> None:
        """Let others find the socket that this process listens on.

        One in the run's own folder is told by its name, so that it is found also after the folder was moved.

        Args:
            socket: absolute.

        Raises:
            OSError: it cannot be written.
        """
        told = socket.name if socket.parent == self._folder else str(socket)
        os.pwrite(self._descriptor, os.fsencode(told) + b"\n", len(self._first_line))

    def folder(self) -> Path | None:
        """Where the locked file lies by now; None where it was removed.

        Raises:
            OSError: it was moved, and nobody says where to.
        """
        locked = os.fstat(self._descriptor)
        if not locked.st_nlink:
            return None
        with contextlib.suppress(OSError):
            if os.path.samestat(self._path.stat(), locked):
                return self._path.parent
        try:
            there = Path(f"/proc/self/fd/{self._descriptor}").readlink()
        except OSError as error:
            raise OSError(errno.ENOENT, "the run's folder was moved") from error
        return there.parent if there.name == self._path.name else None  # else the file alone was taken away

    def renew(self) -> None:
        """Lock a new file in the place of one that was removed.

        Raises:
            RunError: as from the start.
        """
        fresh = RunLock(self._path)
        os.close(self._descriptor)
        self._descriptor, self._folder = fresh._descriptor, fresh._folder

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

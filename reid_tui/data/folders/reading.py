"""Reading a picture's file that others may write to at the same time. Never waits for a FIFO or a device."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from reid_tui.data.folders.decode import UnreadError
from reid_tui.errors import why
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_FILE: Final = 1 << 29
"""Bytes; nothing of a larger file is read."""
_TRIES: Final = 2


class Content(NamedTuple):
    """A file as it was at one time."""

    data: bytes
    changed_ns: int


def read_settled(path: str) -> Content:
    """All of a regular file that was the same before and after; one that changes meanwhile is read once more.

    Raises:
        UnreadError: it cannot be read, is no regular file, is too large, or changed both times.
    """
    for _ in range(_TRIES):
        with regular(path) as descriptor:
            before = os.fstat(descriptor)
            data = _all(descriptor, before.st_size)
            after = os.fstat(descriptor)
        if len(data) == before.st_size == after.st_size and before.st_mtime_ns == after.st_mtime_ns:
            return Content(data, after.st_mtime_ns)
    raise UnreadError("changed while it was read")


@contextmanager
def regular(path: str) -> Iterator[int]:
    """Open a regular file for reading.

    Raises:
        UnreadError: it is none, is too large, or the system gives an error, also later while it is read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise UnreadError("no regular file")
            if found.st_size > LARGEST_FILE:
                raise UnreadError(f"{found.st_size} bytes, more than the {LARGEST_FILE} that are read")
            yield descriptor
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise UnreadError(printable(why(error), 80)) from error


def _all(descriptor: int, size: int) -> bytes:
    """To the end, or one byte past `size`, which tells that the file grows."""
    data = os.read(descriptor, size + 1)
    while len(data) <= size and (more := os.read(descriptor, size + 1 - len(data))):
        data += more
    return data

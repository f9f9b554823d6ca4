"""Private files, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

PRIVATE_FILE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700
TEMPORARY_PREFIX: Final = ".tmp-"


@contextlib.contextmanager
def opened_regular(path: Path) -> Iterator[BinaryIO]:
    """A regular file for reading; a FIFO or a device is not waited for.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("no regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def read_regular(path: Path, largest: int) -> bytes:
    """All of such a file.

    Args:
        path: of the file.
        largest: bytes; nothing of a larger file is read.

    Raises:
        OSError: it cannot be read, is no regular file, or is larger.
    """
    with opened_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > largest:
            raise OSError(f"{size} bytes, more than the {largest} that are read")
        return file.read(size)


def is_closed(path: Path) -> bool:
    """Whether we lack the right to read what is there, or to see whether there is something."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return False


def user_name(uid: int) -> str:
    """As the system knows a user, else by number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def owner(path: Path) -> str:
    """Whose file or folder it is; of one that we cannot reach, whose the folder is that keeps us out."""
    for place in (path, *path.parents):
        with contextlib.suppress(OSError):
            return user_name(place.stat().st_uid)
    return "another user"


def write_all(descriptor: int, content: bytes) -> None:
    """Write to the last byte.

    Raises:
        OSError: a part may have been written.
    """
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace a file in one step, mode 0600: temporary name in the same folder, fsync, rename, fsync of the folder.

    Args:
        path: the file to make or replace.
        content: all of it.
        durable: False leaves both fsyncs out, for files that a crash may cost.

    Raises:
        OSError: the temporary file is removed and `path` is as it was.
    """
    write_together({path: content}, durable=durable)


def write_together(contents: Mapping[Path, bytes], *, durable: bool = True) -> None:
    """The same of several files: none is replaced before all are written under their temporary names.

    Args:
        contents: by the file to make or replace.
        durable: as for `write_whole`.

    Raises:
        OSError: temporary files are removed; where one could not be written, all are as they were.
    """
    temporaries = {path: path.with_name(f"{TEMPORARY_PREFIX}{path.name}") for path in contents}
    try:
        for path, content in contents.items():
            descriptor = os.open(temporaries[path], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, PRIVATE_FILE)
            try:
                write_all(descriptor, content)
                if durable:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
        for path, temporary in temporaries.items():
            temporary.replace(path)
    except OSError:
        for temporary in temporaries.values():
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        raise
    if durable:
        for folder in {path.parent for path in contents}:
            sync_folder(folder)


def remove_temporaries(folder: Path) -> None:
    """Remove what a killed process left half written."""
    for path in folder.glob(f"{TEMPORARY_PREFIX}*"):
        path.unlink(missing_ok=True)

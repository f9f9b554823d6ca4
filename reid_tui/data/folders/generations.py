"""Kept pixels in a folder of their own: found, made whole or not at all, and removed when newer ones stand.

A generation is a folder of two files, `pixels` and `index`. It is named by what it was made of, written under another
name and renamed when it is whole; nothing in it is changed afterwards. Whoever has it mapped may go on when it is gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reid_tui.data.folders.fill import Generation
from reid_tui.data.folders.index import Index, decode_index, name_of
from reid_tui.data.folders.store import FileStore, PixelRows, mapped, storing
from reid_tui.files import PRIVATE_FILE, PRIVATE_FOLDER, read_regular, sync_folder, write_all

if TYPE_CHECKING:
    from collections.abc import Callable

_PIXELS: Final = "pixels"
_INDEX: Final = "index"
_LARGEST_INDEX: Final = 1 << 34
_FILLING: Final = ".filling-"
_ABANDONED_S: Final = 60.0
"""So old must an unlocked temporary folder be: its maker may just be about to lock it."""


def opened(folder: Path, rows: int | None, size: tuple[int, int]) -> Generation:
    """Map what stands in a folder.

    Args:
        folder: of one generation.
        rows: that there must be, if that is known.
        size: H, W.

    Raises:
        OSError: it is not there or cannot be read.
        ValueError: it is cut or damaged, or holds something else.
    """
    found = decode_index(read_regular(folder / _INDEX, _LARGEST_INDEX), rows, size)
    descriptor = os.open(folder / _PIXELS, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return Generation(mapped(descriptor, (len(found.keys), found.channels, *size)), found)
    finally:
        os.close(descriptor)


def newest(folder: Path, size: tuple[int, int]) -> Generation | None:
    """The generation that was made last, of those that are whole."""
    for path in sorted(_standing(folder), key=_made_at, reverse=True):
        with contextlib.suppress(OSError, ValueError):
            return opened(path, None, size)
    return None


def make(
    folder: Path, rows: int, size: tuple[int, int], fill: Callable[[PixelRows], Index], outdated: str = ""
) -> Generation:
    """Fill a new generation, and remove the others of the folder when it stands.

    Args:
        folder: in which generations stand.
        rows: of the new one.
        size: H, W.
        fill: gives the pixels; what it raises passes.
        outdated: name of the generation that gives way to the new one, should that be called the same.

    Raises:
        StoreError: it cannot be written; nothing of it stays.
    """
    with storing():
        temporary = Path(tempfile.mkdtemp(prefix=_FILLING, dir=folder))
    try:
        with storing():
            descriptor = os.open(temporary / _PIXELS, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            with contextlib.suppress(OSError):  # where nothing can be locked, nothing is swept either
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            pixels = PixelRows(FileStore(descriptor), rows, size)
            found = fill(pixels)
            with storing():
                os.fsync(descriptor)
                made = Generation(pixels.array(), found)
                _write(temporary / _INDEX, found.encode(size))
                _install(temporary, folder / name_of(found.keys), outdated)
        finally:
            os.close(descriptor)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    for path in _standing(folder):
        if path.name != name_of(found.keys):
            discard(path)
    return made


def discard(folder: Path) -> None:
    """Remove a generation, its index first: without it nothing is taken for whole."""
    with contextlib.suppress(OSError):
        (folder / _INDEX).unlink()
    shutil.rmtree(folder, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove what killed processes left half made; what a living one writes is locked."""
    for path in folder.glob(f"{_FILLING}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_S and not _is_locked(path / _PIXELS):
                shutil.rmtree(path, ignore_errors=True)


def make_private(folder: Path) -> Path:
    """Make a folder and those above it that are missing, for the user alone.

    Raises:
        OSError: one cannot be made.
    """
    for path in reversed((folder, *folder.parents)):
        if not path.exists():
            path.mkdir(PRIVATE_FOLDER, exist_ok=True)
    return folder


def _standing(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return [path for path in folder.iterdir() if not path.name.startswith(".") and path.is_dir()]
    return []


def _made_at(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        write_all(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _install(temporary: Path, final: Path, outdated: str) -> None:
    """Rename; where another process was first, its generation is as good and stays."""
    if final.name == outdated:
        discard(final)
    try:
        temporary.rename(final)
    except OSError:
        if not final.is_dir():
            raise
    else:
        sync_folder(final.parent)


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)

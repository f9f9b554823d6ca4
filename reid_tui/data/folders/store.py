"""Where decoded pixels go, row by row, and how they are seen afterwards: a file or memory.

A file is written to, never through a mapping: a full disk is an error then, not a signal that ends the process.

Legend: N rows, C channels, H height, W width.
"""

from __future__ import annotations

import errno
import mmap
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reid_tui.data.dataset import UInt8Array

RGB: Final = 3
_NO_RESERVE: Final = 0x4000 if sys.platform == "linux" else 0
"""MAP_NORESERVE: a set larger than memory is not refused for what would be needed if all of it were changed."""
_WIDENED: Final = 1 << 24
"""Bytes of grey rows that become RGB at once."""


class StoreError(OSError):
    """Pixels cannot be written there, for want of room or of rights."""


@contextmanager
def storing() -> Iterator[None]:
    """Tell what goes wrong with the place of the pixels from what else may go wrong.

    Raises:
        StoreError: for any OSError.
    """
    try:
        yield
    except OSError as error:
        raise StoreError(error.errno, error.strerror or str(error)) from error


class Store(Protocol):
    """Bytes that can be written anywhere and are seen as an array in the end."""

    def reserve(self, size: int) -> None:
        """See that so many bytes have room.

        Raises:
            StoreError: they have not.
        """

    def write(self, offset: int, data: memoryview) -> None:
        """Write all of `data`.

        Raises:
            StoreError: a part may have been written.
        """

    def read(self, offset: int, size: int) -> bytes | memoryview:
        """What was written there."""
        ...

    def array(self, shape: tuple[int, int, int, int]) -> UInt8Array:
        """All that was written."""
        ...


class FileStore:
    """An empty file, open for reading and writing. Whoever opened it closes it, also while its array is used."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def reserve(self, size: int) -> None:
        """As `Store.reserve`, as far as the file system tells."""
        with storing():
            found = os.fstatvfs(self._descriptor)
            if size - os.fstat(self._descriptor).st_size > found.f_bavail * found.f_frsize:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write(self, offset: int, data: memoryview) -> None:
        """As `Store.write`."""
        with storing():
            while data:
                written = os.pwrite(self._descriptor, data, offset)
                data, offset = data[written:], offset + written

    def read(self, offset: int, size: int) -> bytes:
        """As `Store.read`."""
        with storing():
            return os.pread(self._descriptor, size, offset)

    def array(self, shape: tuple[int, int, int, int]) -> UInt8Array:
        """As `Store.array`: mapped; what is changed in it does not reach the file."""
        return mapped(self._descriptor, shape)


class MemoryStore:
    """Anonymous memory, of which only what is written is occupied."""

    def __init__(self, largest: int) -> None:
        try:
            self._content = np.zeros(largest, dtype=np.uint8)
        except MemoryError as error:
            raise StoreError(errno.ENOMEM, os.strerror(errno.ENOMEM)) from error

    def reserve(self, size: int) -> None:
        """As `Store.reserve`."""
        assert size <= len(self._content)

    def write(self, offset: int, data: memoryview) -> None:
        """As `Store.write`."""
        self._content[offset : offset + len(data)] = data

    def read(self, offset: int, size: int) -> memoryview:
        """As `Store.read`."""
        return self._content[offset : offset + size].data

    def array(self, shape: tuple[int, int, int, int]) -> UInt8Array:
        """As `Store.array`."""
        return self._content[: np.prod(shape)].reshape(shape)


def mapped(descriptor: int, shape: tuple[int, int, int, int]) -> UInt8Array:
    """See a file as an array of bytes that may be written to without changing the file.

    Raises:
        OSError: it cannot be mapped.
        ValueError: it has not exactly so many bytes.
    """
    size = int(np.prod(shape, dtype=object))
    if os.fstat(descriptor).st_size != size:
        raise ValueError(f"{os.fstat(descriptor).st_size} bytes of pixels, not {size}")
    content = mmap.mmap(descriptor, size, flags=mmap.MAP_PRIVATE | _NO_RESERVE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


class PixelRows:
    """Rows of pixels in order, grey as long as all of them are, RGB from the first that is not."""

    def __init__(self, store: Store, rows: int, size: tuple[int, int]) -> None:
        """Begin.

        Raises:
            StoreError: there is no room for `rows` of H, W.
        """
        self.channels = 1
        self._done = 0
        self._store, self._rows, self._size = store, rows, size
        self._grey_bytes = size[0] * size[1]
        store.reserve(rows * self._grey_bytes)

    def append(self, block: UInt8Array) -> None:
        """Add (n, C, H, W), C being 1 or 3.

        Raises:
            StoreError: there is no room.
        """
        if block.shape[1] > self.channels:
            self._widen()
        self._write(self._done, block)
        self._done += len(block)

    def array(self) -> UInt8Array:
        """All (N, C, H, W), once they are there."""
        assert self._done == self._rows
        return self._store.array((self._rows, self.channels, *self._size))

    def _write(self, row: int, block: UInt8Array) -> None:
        wide = np.ascontiguousarray(np.broadcast_to(block, (len(block), self.channels, *self._size)))
        self._store.write(row * self.channels * self._grey_bytes, wide.reshape(-1).data)

    def _widen(self) -> None:
        """From the last row to the first, so that none is written over before it was read."""
        self._store.reserve(self._rows * RGB * self._grey_bytes)
        self.channels = RGB
        step = max(_WIDENED // self._grey_bytes, 1)
        for last in range(self._done, 0, -step):
            first = max(last - step, 0)
            grey = self._store.read(first * self._grey_bytes, (last - first) * self._grey_bytes)
            self._write(first, np.frombuffer(bytes(grey), dtype=np.uint8).reshape(-1, 1, *self._size))

"""The idx files of the MNIST family: read with a known size and a known hash, gzipped or not.

Knows one file at a time; where files lie is `locate`'s matter.
"""

from __future__ import annotations

import hashlib
import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from reid_tui.errors import DataError
from reid_tui.text import printable

if TYPE_CHECKING:
    from pathlib import Path

    from reid_tui.data.dataset import UInt8Array

_UBYTE: Final = 0x08
_CHUNK: Final = 1 << 20
_GZIP: Final = 16 + zlib.MAX_WBITS
SLACK: Final = 1 << 16
"""Bytes by which a gzipped file may be larger than its content."""
REMEDY: Final = "delete this file, so that it is looked for elsewhere or fetched again, or put the original there"


@dataclass(frozen=True, slots=True)
class IdxFile:
    """What a file must be before any of it is used. At least one of the two hashes is given."""

    name: str
    """Without the .gz."""
    shape: tuple[int, ...]
    sha256: str | None = None
    """Of the extracted content, hex. Where it is known it is checked for gzipped files too, after extraction."""
    gz_sha256: str | None = None
    """Of the gzipped file as published, hex. Checked where `sha256` is not known."""

    @property
    def header(self) -> bytes:
        """Magic number and sizes, big-endian, as the file must begin."""
        sizes = b"".join(n.to_bytes(4, "big") for n in self.shape)
        return bytes((0, 0, _UBYTE, len(self.shape))) + sizes

    @property
    def size(self) -> int:
        """Bytes of the extracted content."""
        return len(self.header) + math.prod(self.shape)

    @property
    def names(self) -> tuple[str, ...]:
        """File names that can be verified, the better first."""
        return (self.name, f"{self.name}.gz") if self.sha256 else (f"{self.name}.gz",)


def read_idx(path: Path, file: IdxFile, *, gzipped: bool | None = None) -> UInt8Array:
    """Read and verify one file.

    Memory is bounded by the expected size, whatever the file claims.

    Args:
        path: the file.
        file: what it must hold.
        gzipped: whether it is compressed; None tells it by the name's ending.

    Returns:
        uint8 array of `file.shape`, writable.

    Raises:
        DataError: unreadable, or not the expected bytes; names the file, the expected and the found hash.
    """
    gzipped = path.name.endswith(".gz") if gzipped is None else gzipped
    try:
        content, found = _read_gz(path, file) if gzipped else _read_raw(path, file)
    except OSError as error:
        raise DataError(f"cannot read {printable(path, 400)}: {printable(error.strerror or error)}") from error
    expected = file.gz_sha256 if gzipped and not file.sha256 else file.sha256
    if content is None or len(content) != file.size or found != expected:
        raise DataError(
            f"{printable(path, 400)} is damaged: SHA-256 expected {expected}, found {found}; remedy: {REMEDY}"
        )
    if bytes(content[: len(file.header)]) != file.header:
        raise DataError(f"{printable(path, 400)} is no idx file of unsigned bytes with shape {file.shape}")
    return np.frombuffer(content, dtype=np.uint8, offset=len(file.header)).reshape(file.shape)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _fill(stream: _Readable, size: int) -> bytearray:
    """At most `size` + 1 bytes."""
    content = bytearray(size + 1)
    view, filled = memoryview(content), 0
    while filled <= size and (chunk := stream.read(min(_CHUNK, size + 1 - filled))):
        view[filled : filled + len(chunk)] = chunk
        filled += len(chunk)
    view.release()
    del content[filled:]
    return content


def _read_raw(path: Path, file: IdxFile) -> tuple[bytearray | None, str]:
    with path.open("rb") as stream:
        content = _fill(stream, file.size)
        digest = hashlib.sha256(content)
        if len(content) == file.size:
            return content, digest.hexdigest()
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
        return None, digest.hexdigest()


def _read_gz(path: Path, file: IdxFile) -> tuple[bytearray | None, str]:
    with path.open("rb") as packed:
        on_disk = "" if file.sha256 else hashlib.file_digest(packed, "sha256").hexdigest()
        packed.seek(0)
        try:
            content = _unpacked(packed.read(file.size + SLACK), file.size)
        except (EOFError, zlib.error) as error:
            packed.seek(0)
            whole = hashlib.file_digest(packed, "sha256").hexdigest()
            return None, f"no complete gzip data ({printable(error)}), as it lies there {whole}"
    if len(content) > file.size:
        return None, f"{on_disk} more than the {file.size} bytes of the original".lstrip()
    return content, on_disk or hashlib.sha256(content).hexdigest()


def _unpacked(packed: bytes, size: int) -> bytearray:
    """At most `size` + 1 bytes of the members of a gzip file, one after the other.

    Each in one call, which does not hold the interpreter: gzip's own reader makes thousands, and before each waits for
    whoever imports torch meanwhile.
    """
    content = bytearray()
    while packed and len(content) <= size:
        member = zlib.decompressobj(wbits=_GZIP)
        content += member.decompress(packed, size + 1 - len(content))
        if not member.eof and len(content) <= size:
            raise EOFError("it ends before its end is marked")
        packed = member.unused_data.lstrip(b"\0")
    return content

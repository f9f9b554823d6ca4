"""The idx files of the MNIST family: read with a known size and a known hash, gzipped or not.

Knows one file at a time; where files lie is `locate`'s matter.
"""

from __future__ import annotations

import hashlib
import math
import zlib
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Final

import numpy as np

from reid_tui.errors import DataError
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from reid_tui.data.dataset import UInt8Array

_UBYTE: Final = 0x08
_PIECE: Final = 1 << 20
_GZIP: Final = 16 + zlib.MAX_WBITS
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
    if content[: len(file.header)].tobytes() != file.header:
        raise DataError(f"{printable(path, 400)} is no idx file of unsigned bytes with shape {file.shape}")
    return content[len(file.header) :].reshape(file.shape)


def _read_raw(path: Path, file: IdxFile) -> tuple[UInt8Array | None, str]:
    with path.open("rb") as stream:
        content = np.empty(file.size + 1, np.uint8)
        content = content[: stream.readinto(content.data)]
        digest = hashlib.sha256(content.data)
        if len(content) == file.size:
            return content, digest.hexdigest()
        for piece in _pieces(stream):
            digest.update(piece)
        return None, digest.hexdigest()


def _read_gz(path: Path, file: IdxFile) -> tuple[UInt8Array | None, str]:
    with path.open("rb") as packed:
        on_disk = "" if file.sha256 else hashlib.file_digest(packed, "sha256").hexdigest()
        packed.seek(0)
        try:
            content = _gathered(_unpacked(packed, file.size + 1), file.size)
        except (EOFError, zlib.error) as error:
            packed.seek(0)
            whole = hashlib.file_digest(packed, "sha256").hexdigest()
            return None, f"no complete gzip data ({printable(error)}), as it lies there {whole}"
    if len(content) > file.size:
        return None, f"{on_disk} more than the {file.size} bytes of the original".lstrip()
    return content, on_disk or hashlib.sha256(content.data).hexdigest()


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    return iter(partial(stream.read, _PIECE), b"")


def _gathered(pieces: Iterable[bytes], size: int) -> UInt8Array:
    """The first `size` + 1 bytes, or fewer."""
    content, filled = np.empty(size + 1, np.uint8), 0
    for piece in pieces:
        part = np.frombuffer(piece, np.uint8)[: size + 1 - filled]
        content[filled : filled + len(part)] = part
        filled += len(part)
        if filled > size:
            break
    return content[:filled]


def _unpacked(packed: IO[bytes], most: int) -> Iterator[bytes]:
    """What the members of a gzip file hold, one after the other, at most `most` bytes at a time.

    In large pieces, which are unpacked without the interpreter: gzip's own reader makes thousands, and before each
    waits for whoever imports torch meanwhile.
    """
    member = None
    for rest in _pieces(packed):
        while rest := rest if member else rest.lstrip(b"\0"):
            member = member or zlib.decompressobj(wbits=_GZIP)
            yield member.decompress(rest, most)
            rest, member = (member.unused_data, None) if member.eof else (member.unconsumed_tail, member)
    if member is not None:
        raise EOFError("it ends before its end is marked")

"""Embeddings, kept beside the pixels of their pictures from one start to the next: `pictures/<spec>/embeddings/`.

One file for each network, of the pictures that are listed there; whoever forgets the pictures forgets these too.

Legend: N pictures, n of them, D embedding dimensions.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.data.folders import index
from reid_tui.data.folders.generations import make_private
from reid_tui.files import TEMPORARY_PREFIX, read_regular, write_all

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reid_tui.data.dataset import UInt8Array
    from reid_tui.using.model import Model

    FloatArray = NDArray[np.float32]

VERSION: Final = 1
"""Of the file's layout."""
MOST_NETWORKS: Final = 8
"""Whose embeddings of one folder are kept; those of others give way, the oldest first."""
_LARGEST: Final = 1 << 36
_CHECK_BYTES: Final = 32
_LENGTH_BYTES: Final = 8
_ABANDONED_S: Final = 3600.0
"""So old is a half written file that nobody will finish."""


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """What is kept of one network."""

    digests_N: UInt8Array
    """(N, 16) of the pixels."""
    embeddings_ND: FloatArray

    def of(self, digests: set[bytes]) -> Kept:
        """Of some contents only."""
        rows = [row for row, digest in enumerate(self.digests_N) if digest.tobytes() in digests]
        return self if len(rows) == len(self.digests_N) else Kept(self.digests_N[rows], self.embeddings_ND[rows])

    def encode(self) -> bytes:
        """As a file's content."""
        count, dimensions = self.embeddings_ND.shape
        head = json.dumps({"version": VERSION, "rows": count, "dimensions": dimensions}).encode()
        parts = (len(head).to_bytes(_LENGTH_BYTES, "little"), head, self.digests_N.tobytes())
        content = b"".join((*parts, self.embeddings_ND.tobytes()))
        return content + _check(content)


def load(folder: Path, model: Model) -> Kept:
    """What is kept of a network; nothing where the file is missing, cut or damaged.

    Args:
        folder: of a source, as `cache.folder_of` gives it.
        model: the network.
    """
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return _decoded(read_regular(_path(folder, model), _LARGEST), model.card.embedding_dim)
    return nothing(model)


def nothing(model: Model) -> Kept:
    """Nothing is kept of it."""
    return Kept(np.zeros((0, index.KEY_BYTES), np.uint8), np.zeros((0, model.card.embedding_dim), np.float32))


def save(folder: Path, model: Model, kept: Kept) -> None:
    """Replace what is kept of a network in one step; another process may do the same at the same time.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    path = _path(make_private(folder), model)
    make_private(path.parent)
    descriptor, temporary = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, dir=path.parent)
    try:
        try:
            write_all(descriptor, kept.encode())
        finally:
            os.close(descriptor)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sweep(path.parent)


def _path(folder: Path, model: Model) -> Path:
    """Another one for another network, and for another way from a picture to pixels."""
    card = model.card
    text = f"{model.digest} {card.channels}x{card.height}x{card.width} {index.VERSION}"
    return folder / "embeddings" / blake2b(text.encode(), digest_size=index.KEY_BYTES).hexdigest()


def _decoded(content: bytes, dimensions: int) -> Kept:
    """Read what `Kept.encode` gave.

    Raises:
        ValueError: damaged, or of another layout; what JSON holds may lead to a KeyError or a TypeError.
    """
    content, check = content[:-_CHECK_BYTES], content[-_CHECK_BYTES:]
    if _check(content) != check:
        raise ValueError("the embeddings are damaged")
    start = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    facts = json.loads(content[_LENGTH_BYTES:start])
    if (facts["version"], facts["dimensions"]) != (VERSION, dimensions):
        raise ValueError("embeddings of another layout")
    size = facts["rows"] * index.KEY_BYTES
    return Kept(
        np.frombuffer(content, np.uint8, count=size, offset=start).reshape(-1, index.KEY_BYTES),
        np.frombuffer(content, np.float32, offset=start + size).reshape(facts["rows"], dimensions),
    )


def _sweep(folder: Path) -> None:
    """Remove the files of the networks that were used least recently, and what killed processes left."""
    with contextlib.suppress(OSError):
        files = sorted(((path.stat().st_mtime, path) for path in folder.iterdir()), reverse=True)
        left = [(made, path) for made, path in files if path.name.startswith(TEMPORARY_PREFIX)]
        whole = [path for _, path in files if not path.name.startswith(TEMPORARY_PREFIX)]
        abandoned = [path for made, path in left if time.time() - made > _ABANDONED_S]
        for path in (*whole[MOST_NETWORKS:], *abandoned):
            path.unlink(missing_ok=True)


def _check(content: bytes) -> bytes:
    return blake2b(content, digest_size=_CHECK_BYTES).digest()

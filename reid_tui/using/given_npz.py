"""Embeddings out of an npz file. Nothing that it says of its sizes is believed before it is held against the file.

Legend: N images, D embedding dimensions.
"""

from __future__ import annotations

import math
import zipfile
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.lib import format as npy

from reid_tui.errors import ReidTuiError, why
from reid_tui.files import opened_regular
from reid_tui.text import printable
from reid_tui.using.given import LARGEST, Table, check_size, refused

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[Any]

SMALL: Final = 64 * 2**20
"""Bytes that may unfold from however few."""
DENSEST: Final = 100
"""So many times smaller than its numbers no file of embeddings is."""
_OPTIONAL: Final = ("cameras", "roles")
_HEADERS: Final = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_LAYOUT: Final = "save it as np.savez(file, embeddings=..., identities=...)"


def read_npz(path: Path) -> Table:
    """Read the arrays `embeddings`, `identities`, `cameras` and `roles`; others are passed over.

    Raises:
        DataError: it is damaged, or one of them is missing or not what it should be.
    """
    where = printable(path, 400)
    try:
        with opened_regular(path) as file, zipfile.ZipFile(file) as archive:
            names = ["embeddings", "identities", *(name for name in _OPTIONAL if f"{name}.npy" in archive.namelist())]
            arrays = {name: _array(archive, name, where) for name in names}
    except ReidTuiError:
        raise
    except MemoryError as error:
        raise refused(where, "not enough memory for it", "take fewer rows") from error
    except OSError as error:
        raise refused(where, f"it cannot be read: {why(error)}", "name an npz file") from error
    except Exception as error:  # damage leads zipfile, zlib and numpy to errors of a dozen kinds
        said = printable(error, 120) or type(error).__name__
        raise refused(where, f"it cannot be read as npz ({said})", _LAYOUT) from error
    embeddings = arrays["embeddings"]
    if embeddings.ndim != 2 or embeddings.dtype.kind not in "fiu":
        what = f"embeddings is {embeddings.dtype} {embeddings.shape}"
        raise refused(where, what, "it must hold numbers, (N, D)")
    check_size(where, *embeddings.shape)
    for name, array in arrays.items():
        if array.shape[:1] != embeddings.shape[:1] or (name != "embeddings" and array.ndim != 1):
            what = f"{name} has the shape {array.shape}, and embeddings {embeddings.shape}"
            raise refused(where, what, "give both one row an image")
    with np.errstate(over="ignore"):
        points_ND = np.ascontiguousarray(embeddings, dtype=np.float32)
    texts = {name: _texts(array, name, where) for name, array in arrays.items() if name != "embeddings"}
    return Table(
        points_ND,
        texts["identities"],
        texts.get("cameras"),
        texts.get("roles"),
        where,
        range(len(points_ND)),
    )


def _array(archive: zipfile.ZipFile, name: str, where: str) -> Array:
    """One member."""
    try:
        member = archive.getinfo(f"{name}.npy")
    except KeyError:
        there = ", ".join(printable(found.removesuffix(".npy"), 40) for found in archive.namelist()[:8]) or "nothing"
        raise refused(where, f"it has no array {name!r}, but {there}", _LAYOUT) from None
    if member.file_size > max(SMALL, min(LARGEST * 2, DENSEST * member.compress_size)):
        what = f"{name} unfolds from {member.compress_size:,} bytes to {member.file_size:,}"
        raise refused(where, what, "embeddings do not; it is damaged, or meant to fill the memory")
    with archive.open(member) as stream:
        version = npy.read_magic(stream)
        if version not in _HEADERS:
            raise refused(
                where, f"{name} is in version {version} of numpy's format", "save it with plain numbers or texts"
            )
        shape, _, kind = _HEADERS[version](stream)
    if kind.hasobject:
        remedy = f"save it as np.array({name}, dtype={'float' if name == 'embeddings' else 'str'})"
        raise refused(where, f"{name} holds Python's objects, which are not read", remedy)
    if math.prod(shape) * kind.itemsize > member.file_size:
        raise refused(where, f"{name} says that it is {kind} {shape}, but the file is shorter", "save it again")
    with archive.open(member) as stream:
        array: Array = npy.read_array(stream, allow_pickle=False)
        if stream.read(1):
            raise refused(where, f"{name} says that it is {kind} {shape}, but the file is longer", "save it again")
    return array


def _texts(array: Array, name: str, where: str) -> NDArray[np.str_]:
    """Whole numbers and texts alike."""
    if array.dtype.kind == "f" and (np.abs(array) < 2**53).all() and np.array_equal(array, np.trunc(array)):
        array = array.astype(np.int64)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    if array.dtype.kind not in "iuU":
        raise refused(where, f"{name} is {array.dtype}", "it must hold whole numbers or texts")
    return array.astype(np.str_)

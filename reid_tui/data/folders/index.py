"""What is known of each row of kept pixels, and the file that holds it. No pickle; nothing is trusted unverified.

Legend: N rows.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.data.folders.decode import is_colourless

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reid_tui.data.dataset import UInt8Array
    from reid_tui.data.folders.listing import Box, Listing, Picture

VERSION: Final = 1
"""Of the file's layout and of the way from a picture to its pixels: another one is decoded anew."""
KEY_BYTES: Final = 16
GREY: Final = 1
COLOUR: Final = 3
DAMAGED: Final = 0
TOO_LARGE: Final = 4
UNREAD: Final = 5
"""States of rows: the channels of a picture, or why there is none. `UNREAD` is no fault of the picture's."""
_CHECK_BYTES: Final = 32
_LENGTH_BYTES: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """All rows, in the listing's order."""

    keys: UInt8Array
    """(N, 16): which file it is, as it was when it was read, and which part of it."""
    states: UInt8Array
    """(N,)"""
    digests: UInt8Array
    """(N, 16) of the pixels, equal for a grey picture and the same in RGB; zeros where there are none."""
    reasons: dict[int, str]
    """Of the rows without pixels."""

    @property
    def channels(self) -> int:
        """Of all pixels together: 3 from the first picture with colour on."""
        return COLOUR if bool((self.states == COLOUR).any()) else GREY

    def encode(self, size: tuple[int, int]) -> bytes:
        """As a file's content, with the H, W of the pixels."""
        facts = {"version": VERSION, "rows": len(self.keys), "size": size, "reasons": list(self.reasons.items())}
        head = json.dumps(facts).encode()
        parts = (len(head).to_bytes(_LENGTH_BYTES, "little"), head, self.keys, self.states, self.digests)
        content = b"".join(part if isinstance(part, bytes) else part.tobytes() for part in parts)
        return content + _check(content)


def decode_index(content: bytes, rows: int | None, size: tuple[int, int]) -> Index:
    """Read what `Index.encode` gave.

    Args:
        content: of a file.
        rows: that there must be, if that is known.
        size: H, W that the pixels must have.

    Raises:
        ValueError: damaged, or of something else.
    """
    content, check = content[:-_CHECK_BYTES], content[-_CHECK_BYTES:]
    if _check(content) != check:
        raise ValueError("the index is damaged")
    start = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    facts = json.loads(content[_LENGTH_BYTES:start])
    if facts.get("version") != VERSION or facts["size"] != list(size) or facts["rows"] != (rows or facts["rows"]):
        raise ValueError("an index of other pixels")
    found = facts["rows"]
    table = np.frombuffer(content, dtype=np.uint8, offset=start)
    keys, states, digests = np.split(table, [found * KEY_BYTES, found * (KEY_BYTES + 1)])
    return Index(
        keys=keys.reshape(found, KEY_BYTES),
        states=states,
        digests=digests.reshape(found, KEY_BYTES),
        reasons={int(row): str(reason) for row, reason in facts["reasons"]},
    )


def content_digest(pixels: UInt8Array) -> UInt8Array:
    """(16,) of (C, H, W): the same for a picture in grey and in equal channels."""
    telling = pixels[:1] if is_colourless(pixels) else pixels
    found = blake2b(np.ascontiguousarray(telling).data, digest_size=KEY_BYTES).digest()
    return np.frombuffer(found, dtype=np.uint8)


def name_of(keys: UInt8Array) -> str:
    """Fit for a folder; another one wherever a key differs."""
    return blake2b(keys.tobytes(), digest_size=KEY_BYTES).hexdigest()


def row_key(path: str, size: int, changed_ns: int, box: Box | None) -> bytes:
    """16 bytes for a part of a file, as it was at a time."""
    part = "" if box is None else f"{box.x},{box.y},{box.width},{box.height}"
    text = f"{path}\0{size}\0{changed_ns}\0{part}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()


def full_path(listing: Listing, picture: Picture) -> str:
    """Absolute."""
    return os.path.join(listing.root, picture.path)  # noqa: PTH118  100,000 of them


def listed_keys(listing: Listing, paths: Sequence[str]) -> UInt8Array:
    """(N, 16) of all pictures, as they were when they were listed."""
    found = zip(paths, listing.pictures, strict=True)
    keys = b"".join(row_key(path, picture.size, picture.changed_ns, picture.box) for path, picture in found)
    return np.frombuffer(keys, dtype=np.uint8).reshape(-1, KEY_BYTES)


def _check(content: bytes) -> bytes:
    return blake2b(content, digest_size=_CHECK_BYTES).digest()

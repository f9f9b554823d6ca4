"""All images of a source before they are divided into what is trained on and what is tested on.

Legend: N images, M rows of pixels, C channels, H height, W width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reid_tui.data.dataset import IntArray, RoleArray, UInt8Array
    from reid_tui.data.findings import Finding

UNDIVIDED: Final = 0
"""Roles of images, beside `QUERY` and `GALLERY` and their sum: the source says nothing about this one."""
TRAIN: Final = 4
VALIDATION: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Every readable image of a source, in its order."""

    name: str
    spec: str
    source: str
    images: UInt8Array
    """(M, C, H, W); may be mapped."""
    rows: IntArray
    """(N,) rows of `images`."""
    digests: UInt8Array
    """(N, 16) of each image's pixels: equal where they are."""
    identities: IntArray
    """(N,) labels into `names`, or `DISTRACTOR`."""
    names: tuple[str, ...]
    """Of the identities, as the source spells them, in its order."""
    cameras: IntArray | None
    """(N,) labels into `camera_names`."""
    camera_names: tuple[str, ...]
    roles: RoleArray
    """(N,) `UNDIVIDED`, `TRAIN`, `VALIDATION`, `QUERY`, `GALLERY` or the sum of the last two."""
    paths: Sequence[str]
    """(N,) what each image is called in a message; not safe to print."""
    image_size: str | None
    findings: tuple[Finding, ...] = ()

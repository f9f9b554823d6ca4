"""All images of a source before they are divided into what is trained on and what is tested on.

Legend: N images, M rows of pixels, C channels, H height, W width.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.evaluation.labels import GALLERY, QUERY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reid_tui.data.dataset import Dataset, IntArray, RoleArray, UInt8Array
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
    root: str | None = None
    """Absolute folder that relative paths start from; None where the paths are no files."""
    findings: tuple[Finding, ...] = ()


def pooled(dataset: Dataset) -> Pool:
    """All images of a data set that is in memory, to divide them otherwise; they are copied."""
    parts = (("training", dataset.train), ("test", dataset.test))
    images = np.concatenate([split.images for _, split in parts])
    names = tuple(dict.fromkeys((*dataset.train_identity_names, *dataset.identity_names)))
    label = {name: number for number, name in enumerate(names)}
    own, other = (np.array([label[n] for n in part]) for part in (dataset.train_identity_names, dataset.identity_names))
    cameras = [split.cameras for _, split in parts if split.cameras is not None]
    return Pool(
        name=dataset.name,
        spec=dataset.spec,
        source=dataset.source,
        images=images,
        rows=np.arange(len(images)),
        digests=digests(images),
        identities=np.concatenate([own[dataset.train.identities], other[dataset.test.identities]]),
        names=names,
        cameras=np.concatenate(cameras) if cameras else None,
        camera_names=dataset.camera_names,
        roles=np.repeat(np.array([TRAIN, QUERY + GALLERY], np.int8), [len(dataset.train), len(dataset.test)]),
        paths=[f"{part} image {n}" for part, split in parts for n in range(len(split))],
        image_size=dataset.image_size,
    )


def digests(images: UInt8Array) -> UInt8Array:
    """(N, 16) of the pixels of (N, ...) images."""
    whole = b"".join(hashlib.blake2b(image, digest_size=16).digest() for image in images)
    return np.frombuffer(whole, np.uint8).reshape(-1, 16)

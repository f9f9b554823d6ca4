"""Images in memory with the identity, and where known the camera, of each. Owns no files; numpy only.

Legend: N images, C channels, H height, W width, K identities.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UInt8Array = NDArray[np.uint8]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ImageSet:
    """One split.

    Raises:
        ValueError: shapes or types do not fit together.
    """

    images: UInt8Array
    """(N, C, H, W) contiguous, C is 1 (grey) or 3 (RGB), 0..255."""
    identities: IntArray
    """(N,) labels 0..K-1 into the identity names of the split."""
    cameras: IntArray | None = None
    """(N,) camera of each image from 0, where the data has cameras."""

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.dtype != np.uint8 or not self.images.flags.c_contiguous:
            found = f"{self.images.dtype} {self.images.shape}"
            raise ValueError(f"images must be contiguous uint8 (N, C, H, W), not {found}")
        if self.images.shape[1] not in (1, 3):
            raise ValueError(f"images must have 1 or 3 channels, not {self.images.shape[1]}")
        for name, labels in (("identities", self.identities), ("cameras", self.cameras)):
            if labels is None:
                continue
            if labels.dtype != np.int64 or labels.shape != (len(self.images),):
                raise ValueError(f"{name} must be int64 ({len(self.images)},), not {labels.dtype} {labels.shape}")
            if len(labels) and labels.min() < 0:
                raise ValueError(f"{name} must not be negative")

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A data set by name: what is trained on and what it is tested on."""

    name: str
    train: ImageSet
    test: ImageSet
    identity_names: tuple[str, ...]
    """Of the test labels; printable."""
    train_identity_names: tuple[str, ...]
    """Of the training labels; the same as `identity_names` unless `unseen`."""
    source: str
    """Where it was found, and for `auto` why it was taken: one printable line."""
    unseen: bool
    """True where no test identity occurs in training."""
    fingerprint: str
    """SHA-256 (hex) over all arrays of both splits."""
    choice: str = ""
    """Why `auto` took this one, in a few words; empty where the person named it."""


def fingerprint(*splits: ImageSet) -> str:
    """SHA-256 (hex) over types, shapes and contents of all arrays, in order."""
    digest = hashlib.sha256()
    for split in splits:
        for array in (split.images, split.identities, split.cameras):
            if array is None:
                digest.update(b"none;")
            else:
                digest.update(f"{array.dtype.str}{array.shape};".encode())
                digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()

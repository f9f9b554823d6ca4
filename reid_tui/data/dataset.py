"""Images with the identity, and where known the camera, of each. Owns no files; numpy only.

Legend: N images of a split, M rows of pixels, C channels, H height, W width, K identities.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reid_tui.evaluation.labels import DISTRACTOR, GALLERY, QUERY, Labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reid_tui.data.findings import Finding

UInt8Array = NDArray[np.uint8]
IntArray = NDArray[np.int64]
RoleArray = NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class ImageSet:
    """One split.

    Raises:
        ValueError: shapes or types do not fit together.
    """

    images: UInt8Array
    """(M, C, H, W) contiguous, C is 1 (grey) or 3 (RGB), 0..255; may be mapped from a file that memory cannot hold."""
    identities: IntArray
    """(N,) labels 0..K-1 into the identity names of the split, or in a gallery `DISTRACTOR`."""
    cameras: IntArray | None = None
    """(N,) camera of each image from 0, where the data has cameras."""
    rows: IntArray | None = None
    """(N,) rows of `images` that are this split's; None: all of them, in their order."""
    roles: RoleArray | None = None
    """(N,) what a test image is used for, see `evaluation.labels`; None: query and gallery."""
    paths: Sequence[str] | None = None
    """(N,) of the pictures' files, below the data set's root or absolute; None where no file is one picture."""

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.dtype != np.uint8 or not self.images.flags.c_contiguous:
            found = f"{self.images.dtype} {self.images.shape}"
            raise ValueError(f"images must be contiguous uint8 (N, C, H, W), not {found}")
        if self.images.shape[1] not in (1, 3):
            raise ValueError(f"images must have 1 or 3 channels, not {self.images.shape[1]}")
        count = len(self.images) if self.rows is None else len(self.rows)
        lowest = {"identities": DISTRACTOR, "roles": QUERY}
        for name, dtype in (("identities", "int64"), ("cameras", "int64"), ("rows", "int64"), ("roles", "int8")):
            labels = getattr(self, name)
            if labels is None:
                continue
            if labels.dtype != dtype or labels.shape != (count,):
                raise ValueError(f"{name} must be {dtype} ({count},), not {labels.dtype} {labels.shape}")
            if len(labels) and labels.min() < lowest.get(name, 0):
                raise ValueError(f"{name} must not be negative")
        if self.rows is not None and count and self.rows.max() >= len(self.images):
            raise ValueError(f"rows must lie below {len(self.images)}, not at {self.rows.max()}")
        if self.roles is not None and count and self.roles.max() > QUERY + GALLERY:
            raise ValueError(f"roles must be sums of {QUERY} and {GALLERY}, not {self.roles.max()}")

    def __len__(self) -> int:
        return len(self.identities)

    @property
    def shape(self) -> tuple[int, int, int]:
        """C, H, W."""
        _, channels, height, width = self.images.shape
        return channels, height, width

    @property
    def labels(self) -> Labels:
        """What the images stand for where they are scored."""
        return Labels(self.identities, self.cameras, self.roles)

    def take(self, index: IntArray) -> UInt8Array:
        """Copy some images of the split.

        Args:
            index: (n,) places in the split.

        Returns:
            (n, C, H, W).
        """
        return self.images[index if self.rows is None else self.rows[index]]


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A data set: what is trained on and what it is tested on."""

    name: str
    """Short, made of letters, digits, dot, dash and underscore: what a run is called by."""
    train: ImageSet
    test: ImageSet
    """What the scores that count are of."""
    identity_names: tuple[str, ...]
    """Of the labels of `test`, then of those that only `seen` or `validation` have; printable."""
    train_identity_names: tuple[str, ...]
    """Of the training labels; printable."""
    source: str
    """Where it was found, and for `auto` why it was taken: one printable line."""
    unseen: bool
    """True where no identity of `test` occurs in training."""
    fingerprint: str
    """SHA-256 (hex) over all that is trained and tested on."""
    choice: str = ""
    """Why `auto` took this one, in a few words; empty where the person named it."""
    spec: str = ""
    """What `--data` says to open it again from anywhere; empty where its name does."""
    image_size: str | None = None
    """HxW to which its pictures were brought; None where they came in one size."""
    seen: ImageSet | None = None
    """Where `test` is of unseen identities: test images of those in training, if there are any."""
    validation: ImageSet | None = None
    """Images of identities that occur neither in training nor in a test: they choose the best checkpoint."""
    camera_names: tuple[str, ...] = ()
    """Of the camera labels; printable. Empty where they are numbered only."""
    held_out: tuple[str, ...] = ()
    """Identities kept out of training by request or by default, as their source spells them."""
    validating: tuple[str, ...] = ()
    """Those of `validation`, spelled the same."""
    findings: tuple[Finding, ...] = ()
    """What is to be known of the files before one trains on them."""
    root: str = ""
    """Absolute folder that relative paths of pictures start from."""

    def path_of(self, images: ImageSet, place: int) -> str:
        """Of one image's file, absolute; empty where no file is one picture. Not safe to print."""
        return "" if images.paths is None else str(Path(self.root) / images.paths[place])


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

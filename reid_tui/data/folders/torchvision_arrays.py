"""`torchvision:NAME` for sets that come as arrays, read by torchvision's own classes. Nothing is fetched."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from reid_tui.data.folders.torchvision_files import found, layout
from reid_tui.data.pool import TRAIN, Pool
from reid_tui.errors import DataError, cause
from reid_tui.evaluation.labels import GALLERY, QUERY
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reid_tui.data.catalog import Report
    from reid_tui.data.dataset import IntArray, UInt8Array

_Half = tuple["UInt8Array", "IntArray", tuple[str, ...]]
"""Images (N, C, H, W), labels (N,), and the labels' names."""
_EMNIST_SPLIT: Final = "balanced"
"""47 characters, as many images of each; of torchvision's six ways to divide EMNIST."""
_WANTED: Final = {
    "CIFAR10": ("batches.meta",),
    "CIFAR100": ("meta",),
    "SVHN": ("train_32x32.mat", "test_32x32.mat"),
    "EMNIST": tuple(
        f"emnist-{_EMNIST_SPLIT}-{half}-{kind}"
        for half in ("train", "test")
        for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
    ),
}


def pool(name: str, data_dir: str | None, report: Report) -> Pool:
    """All images of a set.

    Args:
        name: of one of `LAYOUTS` that comes as arrays.
        data_dir: folder searched first.
        report: told what is read.

    Raises:
        DataError: the files lie nowhere, or are damaged.
    """
    which = layout(name)
    root, folder = found(which, data_dir, _WANTED[which.name])
    where = printable(root / folder, 400)
    halves: dict[str, _Half] = {}
    for half in ("train", "test"):
        report(f"reading {which.name}, {half}, from {where}")
        halves[half] = _read(which.name, root, half)
    (train, train_labels, names), (test, test_labels, _) = halves["train"], halves["test"]
    images = np.concatenate((train, test))
    more = f", split {_EMNIST_SPLIT}" if which.name == "EMNIST" else ""
    return Pool(
        name=which.name.lower(),
        spec=f"torchvision:{which.name}",
        source=f"{which.name}{more} in {where}",
        images=images,
        rows=np.arange(len(images)),
        digests=_digests(images),
        identities=np.concatenate((train_labels, test_labels)),
        names=names,
        cameras=None,
        camera_names=(),
        roles=np.repeat(np.array([TRAIN, QUERY + GALLERY], np.int8), (len(train), len(test))),
        paths=[f"{half}/{number}" for half, read in halves.items() for number in range(len(read[0]))],
        image_size=None,
    )


def _read(name: str, root: Path, half: str) -> _Half:
    try:
        return _READERS[name](str(root), half)
    except ImportError as error:
        raise DataError(f"{name} needs scipy to read its files; install scipy") from error
    except (RuntimeError, ValueError, TypeError, AssertionError, OSError, EOFError, KeyError) as error:
        raise DataError(
            f"{name} in {printable(root, 400)} is damaged or not whole: {printable(cause(error))}; fetch it again"
        ) from error


def _cifar(name: str) -> Callable[[str, str], _Half]:
    def read(root: str, half: str) -> _Half:
        from torchvision import datasets  # type: ignore[import-untyped]

        # The files are pickles, which can run code. torchvision compares their MD5 with those it was published with
        # before it unpickles one; without that check they must not be read.
        there: Any = getattr(datasets, name)(root, train=half == "train", download=False)
        return (
            np.ascontiguousarray(there.data.transpose(0, 3, 1, 2)),
            np.asarray(there.targets, np.int64),
            tuple(there.classes),
        )

    return read


def _svhn(root: str, half: str) -> _Half:
    from torchvision import datasets

    there = datasets.SVHN(root, split=half, download=False)
    return np.ascontiguousarray(there.data), there.labels.astype(np.int64), tuple("0123456789")


def _emnist(root: str, half: str) -> _Half:
    from torchvision import datasets

    there: Any = datasets.EMNIST(root, split=_EMNIST_SPLIT, train=half == "train", download=False)
    # The files hold each image column by column.
    images = np.ascontiguousarray(there.data.numpy().swapaxes(1, 2)[:, None])
    return images, there.targets.numpy().astype(np.int64), tuple(there.classes)


_READERS: Final[dict[str, Callable[[str, str], _Half]]] = {
    "CIFAR10": _cifar("CIFAR10"),
    "CIFAR100": _cifar("CIFAR100"),
    "SVHN": _svhn,
    "EMNIST": _emnist,
}


def _digests(images: UInt8Array) -> UInt8Array:
    """(N, 16) of the pixels of each image."""
    return np.frombuffer(
        b"".join(hashlib.blake2b(image, digest_size=16).digest() for image in images), np.uint8
    ).reshape(len(images), 16)

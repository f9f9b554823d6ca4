"""The images of one split alone, for whoever only looks at a run: without a network, and in little memory."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from reid_tui.data import catalog
from reid_tui.errors import DataError
from reid_tui.text import printable

if TYPE_CHECKING:
    from reid_tui.config import DataOptions
    from reid_tui.data.dataset import ImageSet, UInt8Array


def open_split(options: DataOptions, split: str) -> ImageSet:
    """Open again what a run was trained or scored on.

    Args:
        options: of the run.
        split: as its events name it.

    Raises:
        DataError: the data is not here, is damaged, or is opened by torchvision only.
    """
    from reid_tui.data.idx.sets import SOURCES

    if options.data.startswith("torchvision:"):
        raise DataError(f"{printable(options.data)} is opened where the run trains only")
    if options.data in SOURCES and options.holdout is None and options.exclude is None:
        from reid_tui.data.idx.load import load_half

        found = load_half(SOURCES[options.data], options.data_dir, train=split == "train")
    else:
        dataset = catalog.load(options, lambda *_: None, opener=_no_network)
        parts = {"train": dataset.train, "seen": dataset.seen, "validation": dataset.validation}
        found = parts.get(split) or dataset.test
    return replace(found, images=_on_disk(found.images))


def _no_network(url: str, timeout_s: float) -> NoReturn:
    raise OSError(f"{url} is not fetched to look at a run")


def _on_disk(images: UInt8Array) -> UInt8Array:
    """The same, where they occupy memory as far as they are looked at."""
    if isinstance(images, np.memmap) or not images.size:
        return images
    with tempfile.TemporaryFile() as file:
        images.tofile(file)
        file.flush()
        return np.memmap(file, np.uint8, "r", shape=images.shape)

"""One set of the MNIST family: its four files found, verified, or fetched, as a `Dataset`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from reid_tui.data.dataset import Dataset, ImageSet, UInt8Array, fingerprint
from reid_tui.data.idx import download, locate
from reid_tui.data.idx.format import read_idx
from reid_tui.errors import DataError
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reid_tui.data.idx.sets import IdxSource


def load_idx(
    source: IdxSource,
    data_dir: str | None,
    report: Callable[[str], None],
    *,
    fetch_s: float,
    opener: download.Opener = download.open_https,
) -> Dataset:
    """Load a set into memory.

    Args:
        source: which one.
        data_dir: folder searched first, and where fetched files are kept. None: the environment's or the user's.
        report: told in one-line sentences what is going on.
        fetch_s: seconds in which files that lie nowhere may be fetched.
        opener: opens addresses for reading.

    Raises:
        FetchError: files neither found nor fetched.
        DataError: a damaged file, or a folder that is none.
    """
    where = locate.places(data_dir)
    folders = where.folders(source)
    deadline: float | None = None
    arrays: list[UInt8Array] = []
    origins: dict[str, None] = {}
    for file in source.files:
        path = locate.find(folders, file)
        if path is not None:
            report(f"reading {printable(path, 400)}")
            arrays.append(read_idx(path, file))
            origins[printable(path.parent, 400)] = None
            continue
        if deadline is None:
            deadline = time.monotonic() + fetch_s
        url = f"{source.url}{file.name}.gz"
        try:
            folder = _store(source, where)
            arrays.append(download.fetch(url, file, folder, deadline=deadline, report=report, opener=opener))
        except download.FetchError as error:
            raise _missing(source, file.name, where, error) from error
        origins[f"{source.url} (kept in {printable(folder, 400)})"] = None
    return _dataset(source, arrays, ", ".join(origins))


def load_half(source: IdxSource, data_dir: str | None, *, train: bool) -> ImageSet:
    """The training or the test images alone; for the other arguments see `load_idx`.

    Raises:
        DataError: the files are not here, or damaged.
    """
    folders = locate.places(data_dir).folders(source)
    arrays = []
    for file in source.files[:2] if train else source.files[2:]:
        path = locate.find(folders, file)
        if path is None:
            searched = ", ".join(printable(folder, 400) for folder in folders)
            raise DataError(f"{source.title} is not here: {file.name} lies in none of {searched}")
        arrays.append(read_idx(path, file))
    return ImageSet(arrays[0][:, None], arrays[1].astype(np.int64))


def _store(source: IdxSource, where: locate.Places) -> Path:
    if where.store is None:
        raise download.FetchError("there is no home folder to keep what is fetched")
    return where.store / source.name


def _missing(source: IdxSource, name: str, where: locate.Places, error: download.FetchError) -> download.FetchError:
    searched = ", ".join(printable(folder, 400) for folder in where.folders(source))
    found = f"is in none of {searched}" if searched else "has no folder to lie in"
    there = "one of these folders" if where.store else "a folder and name it with --data-dir"
    package = " or install Debian's dataset-fashion-mnist" if source.system else ""
    return download.FetchError(
        f"{source.title}: {name}.gz {found}, and {error}; remedy: put the four files into {there}{package}, or take "
        "--data pedestrians"
    )


def _dataset(source: IdxSource, arrays: list[UInt8Array], origin: str) -> Dataset:
    train_images, train_labels, test_images, test_labels = arrays
    train = ImageSet(train_images[:, None], train_labels.astype(np.int64))
    test = ImageSet(test_images[:, None], test_labels.astype(np.int64))
    return Dataset(
        name=source.name,
        train=train,
        test=test,
        identity_names=source.identity_names,
        train_identity_names=source.identity_names,
        source=f"{source.title} from {origin}",
        unseen=False,
        fingerprint=fingerprint(train, test),
    )

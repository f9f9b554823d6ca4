"""Data sets by name: searched, verified, fetched or generated. The one door into this package for the trainer."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.config import DATASETS
from reid_tui.data.dataset import Dataset, ImageSet, UInt8Array, fingerprint
from reid_tui.data.idx import download, locate
from reid_tui.data.idx.format import read_idx
from reid_tui.data.idx.sets import FASHION_MNIST, SOURCES
from reid_tui.errors import DataError
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reid_tui.data.idx.sets import IdxSource

AUTO: Final = "auto"
AUTO_FETCH_S: Final = 5.0
"""So long `auto` tries to fetch before it takes the generated set."""
FETCH_S: Final = 1800.0


def load(
    spec: str,
    data_dir: str | None,
    report: Callable[[str], None],
    *,
    opener: download.Opener = download.open_https,
    sources: Mapping[str, IdxSource] = SOURCES,
) -> Dataset:
    """Load a data set into memory.

    Args:
        spec: "auto" or one of `config.DATASETS`.
        data_dir: folder searched first, and where fetched files are kept. None: the environment's or the user's.
        report: told in one-line sentences what is going on.
        opener: opens addresses for reading.
        sources: the sets of idx files by name.

    Returns:
        The data set. For "auto" Fashion-MNIST where it is found or fetched within `AUTO_FETCH_S`, else pedestrians;
        `source` says which and why.

    Raises:
        DataError: unknown name, a damaged file (never passed over), or files neither found nor fetched.
    """
    if spec not in (AUTO, *DATASETS):
        raise DataError(f"--data must be one of {', '.join((AUTO, *DATASETS))}, not {printable(spec)!r}")
    if spec == "pedestrians":
        return _pedestrians("generated", report)
    where = locate.places(data_dir)
    if spec != AUTO:
        return _idx(sources[spec], where, report, FETCH_S, opener)
    try:
        found = _idx(sources[FASHION_MNIST.name], where, report, AUTO_FETCH_S, opener)
        return replace(found, choice="auto: found")
    except download.FetchError as error:
        reason = str(error.__cause__ or error)
        source = f"generated, because Fashion-MNIST was not found and not fetched: {reason}"
        return replace(_pedestrians(source, report), choice="auto: no Fashion-MNIST here")


def _pedestrians(source: str, report: Callable[[str], None]) -> Dataset:
    from reid_tui.data.pedestrians.generate import pedestrians

    report("drawing pedestrians")
    return pedestrians(source)


def _idx(
    source: IdxSource,
    where: locate.Places,
    report: Callable[[str], None],
    fetch_s: float,
    opener: download.Opener,
) -> Dataset:
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

"""Data: which folders are searched, and which sets are found in them whole. Nothing is fetched."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from reid_tui.data.idx.format import read_idx
from reid_tui.data.idx.locate import ENVIRONMENT, Places, find, places, user_folder
from reid_tui.data.idx.sets import FASHION_MNIST, SOURCES
from reid_tui.doctor.rows import NOTHING_TO_DO, Row, from_error
from reid_tui.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from reid_tui.data.idx.sets import IdxSource


def data_rows(data_dir: str | None, sources: Iterable[IdxSource] = tuple(SOURCES.values())) -> Iterator[Row]:
    """The folders, then each set."""
    topic = "data folders"
    try:
        where = places(data_dir)
    except DataError as error:
        yield from_error(topic, "problem", error)
        return
    if where.store is None:
        remedy = f"nothing is fetched; set HOME, or name a folder with --data-dir or {ENVIRONMENT}"
        yield Row(topic, "note", "there is no home folder, and none is named", remedy)
    named = [base for base in where.bases if base not in user_folder()]  # that one need not be there
    unread = [f"{base}: {reason}" for base in named if (reason := _unreadable(base))]
    if unread:
        remedy = f"make it, or name another with --data-dir or {ENVIRONMENT}"
        yield Row(topic, "problem", f"cannot read {', '.join(unread)}", remedy)
    elif where.store is not None:
        yield Row(topic, "ok", f"{', '.join(map(str, where.bases))}; what is fetched goes to {where.store}")
    for source in sources:
        yield _set(source, where)


def _unreadable(folder: Path) -> str:
    try:
        os.listdir(folder)  # noqa: PTH208
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _set(source: IdxSource, where: Places) -> Row:
    folders = where.folders(source)
    found = {file: path for file in source.files if (path := find(folders, file))}
    try:
        for file, path in found.items():
            read_idx(path, file)
    except DataError as error:
        return from_error(source.name, "problem", error)
    if len(found) == len(source.files):
        return Row(
            source.name, "ok", f"whole, in {', '.join(dict.fromkeys(str(path.parent) for path in found.values()))}"
        )
    missing = ", ".join(file.name for file in source.files if file not in found)
    text = f"not here: {missing}" if found else "not here"
    if source.name != FASHION_MNIST.name:
        return Row(source.name, "ok", f"{text}; fetched when a run asks for it")
    package = ", or install Debian's dataset-fashion-mnist" if source.system else ""
    remedy = (
        f"{NOTHING_TO_DO} with a network, which it is fetched from at first use; without one put the four files into "
        f"{where.store or 'a folder that --data-dir names'}{package}, or take --data pedestrians, as auto does"
    )
    return Row(source.name, "note", text, remedy)

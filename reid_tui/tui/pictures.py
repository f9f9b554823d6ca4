"""The images behind a snapshot: the trainer's own where it is in this process, else opened anew, without torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reid_tui.errors import DataError
from reid_tui.files import read_regular
from reid_tui.runs.directory import RunDirectory

if TYPE_CHECKING:
    from reid_tui.config import DataOptions
    from reid_tui.data.dataset import ImageSet, UInt8Array
    from reid_tui.training.events import EmbeddingsReady, IntArray, RunStarted

_LARGEST_CONFIG = 2**20


class Pictures:
    """Takes its time: to be asked in the thread aside only."""

    def __init__(self) -> None:
        self._opened: dict[tuple[DataOptions, str], ImageSet | DataError] = {}

    def take(self, gallery: EmbeddingsReady, started: RunStarted, places: IntArray) -> UInt8Array:
        """Copy some images of a full snapshot.

        Args:
            gallery: the snapshot.
            started: of the run.
            places: (n,) among its points.

        Returns:
            (n, C, H, W).

        Raises:
            DataError: the data is not here, or not that of the run; one line.
        """
        assert gallery.rows is not None
        return self.split(gallery, started).take(gallery.rows[places])

    def split(self, gallery: EmbeddingsReady, started: RunStarted) -> ImageSet:
        """All images of the snapshot's split.

        Raises:
            DataError: as `take`.
        """
        if gallery.images is not None:
            return gallery.images
        from reid_tui.data.one_split import open_split

        key = started.config.data_options(_data_dir(Path(started.run))), gallery.split
        if key not in self._opened:
            try:
                self._opened = {key: open_split(*key)}
            except DataError as error:
                self._opened = {key: error}
        found = self._opened[key]
        if isinstance(found, DataError):
            raise found
        _check(found, gallery)
        return found


def _check(images: ImageSet, gallery: EmbeddingsReady) -> None:
    rows, identities = gallery.rows, gallery.identities
    assert rows is not None and identities is not None  # noqa: PT018
    if rows.max(initial=-1) >= len(images) or not np.array_equal(images.identities[rows], identities):
        raise DataError("the data here is not what the run was trained on")


def _data_dir(run: Path) -> str | None:
    """Where the run was told to look for its data."""
    try:
        asked = json.loads(read_regular(RunDirectory(run).config, _LARGEST_CONFIG))["asked"].get("data_dir")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return asked if isinstance(asked, str) else None

"""The map's snapshots as they lie in a run's folder. Loads without torch."""

from __future__ import annotations

import dataclasses
import logging
import zipfile
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from reid_tui.training.events import EmbeddingsReady, FloatArray, IntArray

_LOG = logging.getLogger(__name__)
LARGEST: Final = 64 * 2**20
"""Bytes of a snapshot with its arrays unpacked: some two million images."""


def with_arrays(run: Path, event: EmbeddingsReady) -> EmbeddingsReady:
    """The event with its arrays from disk; as it is where they cannot be read or do not fit each other.

    Args:
        run: the run's folder.
        event: names a file in it.
    """
    path = run / "embeddings" / event.path.rpartition("/")[2]
    try:
        points, identities = _arrays(path)
    except (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        _LOG.warning("the snapshot %s cannot be read: %s", path, error)
        return event
    for array in (points, identities):
        array.flags.writeable = False
    return dataclasses.replace(event, points=points, identities=identities)


def _arrays(path: Path) -> tuple[FloatArray, IntArray]:
    """Points (N, 2) and identities (N,)."""
    with zipfile.ZipFile(path) as archive:
        if sum(item.file_size for item in archive.infolist()) > LARGEST:
            raise ValueError("larger than any snapshot")
    with np.load(path, allow_pickle=False) as kept:
        points, identities = kept["points"], kept["identities"]
    if points.ndim != 2 or points.shape[1] != 2 or identities.shape != points.shape[:1]:
        raise ValueError("shapes that do not fit")
    if points.dtype.kind != "f" or identities.dtype.kind != "i":
        raise ValueError("wrong types")
    return points, identities

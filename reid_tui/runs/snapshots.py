"""A run's map snapshots on disk, and which of the pictures that a log tells still count. Loads without torch."""

from __future__ import annotations

import dataclasses
import logging
import zipfile
from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.training.events import DistancesReady, EmbeddingsReady, Rewound, RunStarted

if TYPE_CHECKING:
    from pathlib import Path

    from reid_tui.training.events import AnyEvent, FloatArray, IntArray

_LOG = logging.getLogger(__name__)
LARGEST: Final = 64 * 2**20
"""Bytes of a snapshot with its arrays unpacked: some two million images."""
_REMEMBERED: Final = 8


class NewestPictures:
    """Maps and histograms, set aside while a log is read: the newest is shown, and none that a resume took back."""

    def __init__(self) -> None:
        self._maps: deque[EmbeddingsReady] = deque(maxlen=_REMEMBERED)
        self._histograms: deque[DistancesReady] = deque(maxlen=_REMEMBERED)

    def take(self, event: AnyEvent) -> bool:
        """Look at an event; whether it is a picture, and so set aside."""
        match event:
            case EmbeddingsReady():
                self._maps.append(event)
            case DistancesReady():
                self._histograms.append(event)
            case RunStarted() | Rewound():
                for pictures in (self._maps, self._histograms):
                    while pictures and pictures[-1].step > event.step:
                        pictures.pop()
                return False
            case _:
                return False
        return True

    def newest(self, run: Path) -> list[AnyEvent]:
        """At most one of each kind, the map with its arrays from the run's folder."""
        found: list[AnyEvent] = [with_arrays(run, event) for event in list(self._maps)[-1:]]
        return [*found, *list(self._histograms)[-1:]]


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

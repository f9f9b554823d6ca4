"""A run's map snapshots on disk, and which of the pictures that a log tells still count. Loads without torch."""

from __future__ import annotations

import dataclasses
import logging
import re
import zipfile
from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from reid_tui.training.events import DistancesReady, EmbeddingsReady, Rewound, RunStarted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from reid_tui.training.events import AnyEvent

Kind = TypeVar("Kind", EmbeddingsReady, DistancesReady)
_LOG = logging.getLogger(__name__)
LARGEST: Final = 64 * 2**20
"""Bytes of a snapshot with its arrays unpacked: some two million images."""
_REMEMBERED: Final = 8
_NAME: Final = re.compile(r"step-(\d{8,15})\.npz")
_KINDS: Final = {"points": "f", "identities": "i", "embeddings": "f", "rows": "i", "cameras": "i"}


class NewestPictures:
    """Maps and histograms, set aside while a log is read: the newest is shown, and none that a resume took back."""

    def __init__(self) -> None:
        self._maps: dict[tuple[str, bool], deque[EmbeddingsReady]] = {}
        """By split, and by whether they are full."""
        self._histograms: deque[DistancesReady] = deque(maxlen=_REMEMBERED)

    def take(self, event: AnyEvent) -> bool:
        """Look at an event; whether it is a picture, and so set aside."""
        match event:
            case EmbeddingsReady():
                self._maps.setdefault((event.split, event.full), deque(maxlen=_REMEMBERED)).append(event)
            case DistancesReady():
                self._histograms.append(event)
            case RunStarted() | Rewound():
                for pictures in self._maps.values():
                    _take_back(pictures, event.step)
                _take_back(self._histograms, event.step)
                return False
            case _:
                return False
        return True

    def newest(self, run: Path) -> list[AnyEvent]:
        """At most one of each kind, in their order, the maps with their arrays from the run's folder."""
        newest = sorted((maps[-1] for maps in self._maps.values() if maps), key=lambda event: event.seq)
        return [*(with_arrays(run, event) for event in newest), *list(self._histograms)[-1:]]


def _take_back(pictures: deque[Kind], step: int) -> None:
    while pictures and pictures[-1].step > step:
        pictures.pop()


def earlier_maps(run: Path, split: str, before: int, most: int) -> list[EmbeddingsReady]:
    """Maps from before a step that are still on disk, oldest first, without their embeddings.

    Args:
        run: the run's folder.
        split: that they are of.
        before: only those of earlier steps.
        most: of more, some at even distances; the first is among them.
    """
    try:
        names = sorted(path.name for path in (run / "embeddings").iterdir())
    except OSError:
        return []
    steps = {name: int(found[1]) for name in names if (found := _NAME.fullmatch(name))}
    known = [name for name, step in steps.items() if step < before]
    some = known[:: max(1, -(-len(known) // most))]
    events = (EmbeddingsReady(step=steps[name], split=split, path=f"embeddings/{name}") for name in some)
    read = (with_arrays(run, event, ("points", "identities", "rows")) for event in events)
    return [event for event in read if event.points is not None]


def with_arrays(run: Path, event: EmbeddingsReady, names: Collection[str] = _KINDS) -> EmbeddingsReady:
    """The event with its arrays from disk; as it is where they cannot be read or do not fit each other.

    Args:
        run: the run's folder.
        event: names a file in it.
        names: of the arrays.
    """
    path = run / "embeddings" / event.path.rpartition("/")[2]
    try:
        arrays = _arrays(path, names)
        _check(arrays)
    except (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        _LOG.warning("the snapshot %s cannot be read: %s", path, error)
        return event
    for array in arrays.values():
        array.flags.writeable = False
    loaded: dict[str, Any] = arrays
    return dataclasses.replace(event, **loaded)


def _arrays(path: Path, names: Collection[str]) -> dict[str, NDArray[np.generic]]:
    with zipfile.ZipFile(path) as archive:
        if sum(item.file_size for item in archive.infolist()) > LARGEST:
            raise ValueError("larger than any snapshot")
    with np.load(path, allow_pickle=False) as kept:
        return {name: kept[name] for name in names if name in kept}


def _check(arrays: Mapping[str, NDArray[np.generic]]) -> None:
    for name, array in arrays.items():
        if array.dtype.kind != _KINDS[name]:
            raise ValueError("wrong types")
        if array.ndim != (2 if name in ("points", "embeddings") else 1) or len(array) != len(arrays["points"]):
            raise ValueError("shapes that do not fit")
    half = "embeddings" in arrays and "rows" not in arrays
    if "identities" not in arrays or arrays["points"].shape[1] != 2 or half:
        raise ValueError("arrays that do not fit")

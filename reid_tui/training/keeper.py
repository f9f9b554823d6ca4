"""What a run keeps on disk besides its log: checkpoints and snapshots of the map."""

from __future__ import annotations

import bisect
import io
import logging
import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from reid_tui.errors import CheckpointError
from reid_tui.files import write_whole
from reid_tui.training.checkpoint import Checkpoint, TrainingState, load_checkpoint, prune, save_card, save_checkpoint
from reid_tui.training.saved import good, named
from reid_tui.training.scoring import LookedAt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from reid_tui.config import RunConfig
    from reid_tui.training.card import ModelCard
    from reid_tui.training.scoring import Picture

LOGGER = logging.getLogger("reid_tui")
SNAPSHOTS: Final = 200
"""Most moments of the map that a run keeps, resumed or not."""
_SNAPSHOT: Final = re.compile(r"step-(\d{8,12})\.npz")


class Keeper:
    """Writes into a run's folders. Paths that it returns are relative to the run."""

    def __init__(
        self,
        checkpoints: Path,
        embeddings: Path,
        config: RunConfig,
        data_fingerprint: str,
        home: Callable[[], Path] | None = None,
    ) -> None:
        """Take the two folders of one run, both existing.

        Args:
            checkpoints: one of them.
            embeddings: the other.
            config: of the run.
            data_fingerprint: of the data set.
            home: asked before each write where the run's folder lies by now, with both folders in it; it may raise
                OSError. None: always where it lay.
        """
        self._home = home
        self._checkpoints = checkpoints
        self._embeddings = embeddings
        self._config = config
        self._data_fingerprint = data_fingerprint
        found = (_SNAPSHOT.fullmatch(path.name) for path in embeddings.iterdir())
        self._moments = sorted(int(match[1]) for match in found if match)
        """Steps of the snapshots on disk."""

    def save(self, tensors: dict[str, Tensor], state: TrainingState, reason: str, card: ModelCard | None = None) -> str:
        """Write a checkpoint and remove those that need not be kept.

        Raises:
            OSError: the disk did not take it; what was there before still is.
            CheckpointError: what a divergence left would take the place of a good one.
        """
        self._go_home()
        path = save_checkpoint(self._checkpoints, tensors, state, self._config, self._data_fingerprint, reason, card)
        try:
            prune(self._checkpoints, state.step)
        except OSError as error:  # the checkpoint is there; the next save tries again
            LOGGER.warning("an old checkpoint could not be removed: %s", error)
        return f"{self._checkpoints.name}/{path.name}"

    def save_card(self, step: int, card: ModelCard) -> None:
        """Give the checkpoint of this step another card.

        Raises:
            OSError: the disk did not take it; it has its old one.
            CheckpointError: its manifest cannot be read.
        """
        self._go_home()
        save_card(self._path_of(step), card)

    def holds(self, step: int) -> bool:
        """Whether a checkpoint of this step is there; it may have been removed."""
        return self._path_of(step).is_file()

    def newest(self) -> str:
        """The newest good checkpoint, by its manifest; empty where there is none."""
        return next((f"{self._checkpoints.name}/{manifest.file}" for manifest in good(self._checkpoints)), "")

    def load(self, step: int) -> Checkpoint:
        """The good checkpoint of exactly this step.

        Raises:
            CheckpointError: there is none, or it does not verify; the steps of the others are told.
        """
        steps = [manifest.state.step for manifest in good(self._checkpoints)]
        if step not in steps:
            raise CheckpointError(f"no good checkpoint of step {step}; {named(steps)}")
        return load_checkpoint(self._path_of(step))

    def snapshot(self, step: int, picture: Picture) -> str:
        """Keep a picture of the map: npz with `points` (N, 2) float32 and `identities` (N,) int64.

        A full one also with `embeddings` (N, D) float32, `rows` (N,) int64, and `cameras` (N,) int64 where there are.

        Of more than `SNAPSHOTS` the one whose neighbours lie closest together goes; the first one and this one stay.

        Raises:
            OSError: the disk did not take it.
        """
        self._go_home()
        self._make_room(step)
        path = self._path(step)
        _write(path, LookedAt(picture.points, picture.identities, picture.gallery))
        if step not in self._moments:
            bisect.insort(self._moments, step)
        return f"{self._embeddings.name}/{path.name}"

    def training_snapshot(self, step: int, shown: LookedAt) -> str:
        """Keep one of training images, in the same way; only the newest of them stays.

        Raises:
            OSError: the disk did not take it.
        """
        self._go_home()
        path = self._embeddings / f"train-{step:08d}.npz"
        _write(path, shown)
        for other in self._embeddings.glob("train-*.npz"):
            if other != path:
                other.unlink(missing_ok=True)
        return f"{self._embeddings.name}/{path.name}"

    def folder(self) -> Path:
        """Of the run, where it lies by now.

        Raises:
            OSError: it can be neither found nor made.
        """
        self._go_home()
        return self._checkpoints.parent

    def _path_of(self, step: int) -> Path:
        return self._checkpoints / f"step-{step:08d}.json"

    def _go_home(self) -> None:
        if self._home is not None:
            folder = self._home()
            self._checkpoints, self._embeddings = folder / self._checkpoints.name, folder / self._embeddings.name

    def _path(self, step: int) -> Path:
        return self._embeddings / f"step-{step:08d}.npz"

    def _make_room(self, step: int) -> None:
        """Remove snapshots until there is room for one of this step."""
        while len(self._moments) >= SNAPSHOTS and step not in self._moments:
            later = [*self._moments[2:], max(step, self._moments[-1])]
            gaps = [after - before for before, after in zip(self._moments, later, strict=False)]
            oldest_closest = gaps.index(min(gaps)) + 1
            self._path(self._moments[oldest_closest]).unlink(missing_ok=True)
            del self._moments[oldest_closest]


def _write(path: Path, shown: LookedAt) -> None:
    arrays: dict[str, Any] = {"points": shown.points, "identities": shown.identities}
    if shown.gallery is not None:
        kept = shown.gallery._asdict()
        arrays |= {name: kept[name] for name in ("embeddings", "rows", "cameras") if kept[name] is not None}
    content = io.BytesIO()
    np.savez(content, **arrays)
    write_whole(path, content.getvalue(), durable=False)

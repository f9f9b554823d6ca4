"""What a run keeps on disk besides its log: checkpoints and snapshots of the map."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from reid_tui.files import write_whole
from reid_tui.training.checkpoint import TrainingState, manifests, prune, save_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from reid_tui.config import RunConfig
    from reid_tui.training.scoring import Picture


class Keeper:
    """Writes into a run's folders. Paths that it returns are relative to the run."""

    def __init__(self, checkpoints: Path, embeddings: Path, config: RunConfig, data_fingerprint: str) -> None:
        """Take the two folders of one run, both existing."""
        self._checkpoints = checkpoints
        self._embeddings = embeddings
        self._config = config
        self._data_fingerprint = data_fingerprint

    def save(self, tensors: dict[str, Tensor], state: TrainingState, reason: str) -> str:
        """Write a checkpoint and remove those that need not be kept.

        Raises:
            OSError: the disk did not take it; what was there before still is.
        """
        path = save_checkpoint(self._checkpoints, tensors, state, self._config, self._data_fingerprint, reason)
        prune(self._checkpoints)
        return f"{self._checkpoints.name}/{path.name}"

    def newest(self) -> str:
        """The newest checkpoint, by its manifest; empty where there is none."""
        found = manifests(self._checkpoints)
        return f"{self._checkpoints.name}/{found[0].stem}.safetensors" if found else ""

    def snapshot(self, step: int, picture: Picture) -> str:
        """Keep a picture of the map: npz with `points` (N, 2) float32 and `identities` (N,) int64.

        Raises:
            OSError: the disk did not take it.
        """
        path = self._embeddings / f"step-{step:08d}.npz"
        content = io.BytesIO()
        np.savez(content, points=picture.points, identities=picture.identities)
        write_whole(path, content.getvalue(), durable=False)
        return f"{self._embeddings.name}/{path.name}"

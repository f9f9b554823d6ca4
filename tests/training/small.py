"""Checkpoints of a few bytes, and the size of a run that is killed again and again."""

from __future__ import annotations

from pathlib import Path

import torch

from reid_tui.config import RunConfig, RunOptions, resolve
from reid_tui.training.checkpoint import TrainingState, save_checkpoint

EPOCHS = 32
PER_EPOCH = 8


def small_config() -> RunConfig:
    return resolve(RunOptions(), "fashion-mnist", 6)


def state_at(step: int) -> TrainingState:
    return TrainingState(
        step=step,
        epoch_loss_sum=1.5,
        epoch_pairs=64,
        pairs_seen=64 * step,
        margin=1.25,
        lr=1e-3,
        skipped=0,
        skipped_in_row=0,
        wall_s=12.5,
        map=None,
    )


def save_small(folder: Path, step: int, value: int, reason: str = "epoch") -> Path:
    """A checkpoint of a few bytes whose tensor says which one it is."""
    return save_checkpoint(folder, {"a": torch.full((3,), value)}, state_at(step), small_config(), "data", reason)

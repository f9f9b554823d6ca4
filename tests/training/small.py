"""Checkpoints of a few bytes, and the size of a run that is killed again and again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from reid_tui.config import RunConfig, RunOptions, resolve
from reid_tui.training.checkpoint import TrainingState, save_checkpoint

EPOCHS = 32
PER_EPOCH = 8


def small_config() -> RunConfig:
    return resolve(RunOptions(), "fashion-mnist", 6)


def state_at(step: int, **changes: Any) -> TrainingState:
    state = TrainingState(
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
    return dataclasses.replace(state, **changes)


def save_small(folder: Path, step: int, value: int, reason: str = "epoch", **changes: Any) -> Path:
    """A checkpoint of a few bytes whose tensor says which one it is."""
    tensors = {"a": torch.full((3,), value)}
    return save_checkpoint(folder, tensors, state_at(step, **changes), small_config(), "data", reason)

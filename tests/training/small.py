"""Checkpoints of a few bytes, the size of a run that is killed again and again, and data with every split."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reid_tui.config import RunConfig, RunOptions, resolve
from reid_tui.data.dataset import Dataset, ImageSet, fingerprint
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


def patterns(identities: range, each: int, rng: np.random.Generator, **fields: Any) -> ImageSet:
    """Noisy images of 28x28, labelled from 0; the pattern of an identity is always the same."""
    templates = np.random.default_rng(7).integers(0, 256, (16, 1, 28, 28))[identities.start : identities.stop]
    labels = np.repeat(np.arange(len(templates)), each)
    images = np.clip(templates[labels] + rng.normal(0, 40, (len(labels), 1, 28, 28)), 0, 255).astype(np.uint8)
    order = rng.permutation(len(labels))
    return ImageSet(np.ascontiguousarray(images[order]), labels[order].astype(np.int64), **fields)


def divided_dataset() -> Dataset:
    """Six identities in training and in `seen`, three unseen, three that validate; ten images each to test."""
    rng = np.random.default_rng(3)
    train, seen = patterns(range(6), 20, rng), patterns(range(6), 10, rng)
    unseen, validation = patterns(range(6, 9), 10, rng), patterns(range(9, 12), 10, rng)
    names = tuple(f"pattern {i}" for i in range(6))
    mark = fingerprint(train, unseen, seen, validation)
    more = {"seen": seen, "validation": validation}
    return Dataset("divided", train, unseen, names, names, "made for tests", unseen=True, fingerprint=mark, **more)

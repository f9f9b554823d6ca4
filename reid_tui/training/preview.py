"""Training images as a run sees them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from reid_tui.config import augment_kinds
from reid_tui.data.dataset import ImageSet
from reid_tui.learning.augment import Augmentation
from reid_tui.learning.networks import to_input

if TYPE_CHECKING:
    from reid_tui.data.dataset import Dataset

MOST: Final = 4096
"""Training images that are augmented to be shown."""


def augmented(dataset: Dataset, augment: str, seed: int) -> Dataset:
    """A data set with training images as the first step of a run with this seed would see them.

    Args:
        dataset: its training images are replaced.
        augment: as `config.parse_augment` gives it.
        seed: of the run.
    """
    shown = np.linspace(0, len(dataset.train) - 1, min(len(dataset.train), MOST)).astype(np.int64)
    images = to_input(torch.from_numpy(dataset.train.take(shown)))
    seen = Augmentation(augment_kinds(augment)).augment(images, seed=seed, step=0)
    pixels = np.ascontiguousarray(seen.mul(255).round().to(torch.uint8).contiguous().numpy())
    cameras = None if dataset.train.cameras is None else dataset.train.cameras[shown]
    return replace(dataset, train=ImageSet(pixels, dataset.train.identities[shown], cameras))

"""What a batch costs, by a slow loop over its images."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from reid_tui.data.dataset import ImageSet
from reid_tui.data.pairs import EpochPairs
from reid_tui.training.learner import Learner

if TYPE_CHECKING:
    from reid_tui.config import RunConfig

IMAGES = 6
IDENTITIES = np.array([0, 0, 0, 1, 2, 2], np.int64)
"""Image 3 is alone."""


@pytest.fixture
def learner(tiny_config: RunConfig) -> Learner:
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, 1, 28, 28)).astype(np.uint8)
    config = dataclasses.replace(tiny_config, pairs="batch")
    return Learner(config, ImageSet(pixels, IDENTITIES), torch.device("cpu"))


def by_hand(learner: Learner, images: list[int]) -> float:
    pixels = learner._images.batch(np.array(images))
    points = learner.network(pixels.float() / 255).detach().double()
    same, different = [], []
    for a in range(len(images)):
        for b in range(a + 1, len(images)):
            distance = float((points[a] - points[b]).norm())
            if IDENTITIES[images[a]] == IDENTITIES[images[b]]:
                same.append(distance**2)
            else:
                different.append(max(0.0, 1 - distance) ** 2)
    return (sum(same) / max(len(same), 1) + sum(different) / max(len(different), 1)) / 2


@pytest.mark.parametrize(
    ("first", "second", "counted"),
    [
        ([0, 3, 4], [3, 0, 3], [0, 3, 4, 0]),
        ([0, 4, 1], [1, 5, 0], [0, 4, 1, 1, 5, 0]),
        ([3, 4], [4, 3], [3, 4, 4]),
    ],
)
def test_of_all_pairs_an_identitys_only_image_is_none_with_itself(
    learner: Learner, first: list[int], second: list[int], counted: list[int]
) -> None:
    pairs = EpochPairs(np.array(first), np.array(second), IDENTITIES[first] == IDENTITIES[second])
    assert learner.loss(pairs).item() == pytest.approx(by_hand(learner, counted), rel=1e-5)

"""Every loss with every miner on torchvision's trunks: the loss falls, and a resume gives the same bits."""

from __future__ import annotations

import dataclasses
import functools
import math
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch

from reid_tui.config import RunConfig
from reid_tui.data.dataset import Dataset, ImageSet, fingerprint
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training.checkpoint import load_checkpoint
from reid_tui.training.learner import Learner
from tests.training.rig import Rig
from tests.training.test_what_is_learned import COMBINED, CPU, tiny_run

CHEAPEST: Final = "shufflenet_v2_x0_5"
QUICK: Final = (
    ("mobilenet_v3_small", 36),
    ("squeezenet1_1", 36),
    ("mnasnet0_5", 36),
    ("mobilenet_v2", 36),
    ("resnet18", 36),
)
"""A trunk of each family, and the side of the images that it is given."""
SLOW: Final = (
    ("regnet_y_400mf", 36),
    ("efficientnet_b0", 36),
    ("densenet121", 64),
    ("convnext_tiny", 64),
    ("swin_t", 36),
)
"""The same, of families that have no quick one. Those left out take gigabytes, or minutes at the sizes they need."""


@functools.cache
def people(side: int) -> ImageSet:
    """Six noisy patterns, four images each."""
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(6), 4)
    coarse = rng.integers(0, 256, (6, 1, 4, 4)).repeat(side // 4, 2).repeat(side // 4, 3)[labels]
    return ImageSet(np.clip(coarse + rng.normal(0, 20, coarse.shape), 0, 255).astype(np.uint8), labels)


def run_of(model: str, **asked: Any) -> RunConfig:
    return tiny_run(model=model, batch_size=8, embedding_dim=8, lr=1e-4, bnneck=True, average_weights=0.5, **asked)


def same_bits(one: Learner, other: Learner) -> None:
    here, there = one.tensors(), other.tensors()
    assert here.keys() == there.keys()
    assert all(torch.equal(value, there[name]) for name, value in here.items())


def learns(config: RunConfig, images: ImageSet) -> None:
    """One batch, trained on again, costs less; taken up after the first step, it costs the same."""
    learner = Learner(config, images, CPU)
    pairs = learner.draw(0)[: config.batch_size]
    losses = [learner.step(pairs).loss]
    half = {name: value.clone() for name, value in learner.tensors().items()}
    losses += [learner.step(pairs).loss for _ in range(2)]
    assert all(map(math.isfinite, losses))
    assert min(losses[1:]) < losses[0]
    again = Learner(config, images, CPU)
    again.restore(half)
    assert [again.step(pairs).loss for _ in range(2)] == losses[1:]
    same_bits(learner, again)


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "miner"), COMBINED)
def test_every_loss_is_learned_by_a_trunk(loss: str, miner: str) -> None:
    learns(run_of(CHEAPEST, loss=loss, miner=miner), people(36))


@pytest.mark.parametrize(("model", "side"), [*QUICK, *(pytest.param(*trunk, marks=pytest.mark.slow) for trunk in SLOW)])
def test_a_trunk_of_each_family_learns(model: str, side: int) -> None:
    learns(run_of(model, loss="proxy-anchor"), people(side))


@pytest.mark.slow
def test_stopped_and_resumed_is_never_stopped(tmp_path: Path) -> None:
    images = people(36)
    names = tuple(f"pattern {i}" for i in range(6))
    dataset = Dataset(
        "six", images, images, names, names, "made", unseen=False, fingerprint=fingerprint(images, images)
    )
    config = dataclasses.replace(run_of("mobilenet_v3_small", loss="proxy-anchor", augment="reid"), steps=4)
    whole = Rig(config, dataset, tmp_path / "a")
    assert isinstance(whole.run(), ev.Finished)
    begun = Rig(config, dataset, tmp_path / "b")
    begun.at[2] = lambda: begun.inbox.put(cmd.Stop())
    begun.run()
    checkpoint = load_checkpoint(tmp_path / "b" / "checkpoints" / "step-00000002.json")
    rest = Rig(config, dataset, tmp_path / "b")
    rest.trainer.restore(checkpoint.manifest.state, checkpoint.tensors)
    rest.run()
    assert sorted(rest.losses()) == [3, 4]
    assert rest.losses() == {step: loss for step, loss in whole.losses().items() if step > 2}
    assert rest.told(ev.Evaluated)[-1] == whole.told(ev.Evaluated)[-1]
    same_bits(whole.learner, rest.learner)

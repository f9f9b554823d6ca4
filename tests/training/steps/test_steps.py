"""A step as a tutorial would write it, without anything that is kept between two of them, gives the same bits."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from reid_tui.config import RunConfig, RunOptions, augment_kinds, resolve
from reid_tui.data.dataset import Dataset, ImageSet
from reid_tui.learning.augment import Augmentation
from reid_tui.learning.distances import pair_distance
from reid_tui.learning.losses import LOSSES
from reid_tui.learning.networks import build_network
from reid_tui.learning.objectives import build_objective
from reid_tui.learning.optimizers import build_optimizer
from reid_tui.training.learner import Learner
from tests.conftest import IDENTITIES

CPU = torch.device("cpu")
SIZE = 16
STEPS = 4
RUNS = [
    {},
    {"precision": "bf16"},
    {"model": "bn", "miner": "margin", "average_weights": 0.5},
    {"model": "small", "loss": "supcon", "augment": "reid", "optimizer": "sgd"},
    {"miner": "distance", "loss": "triplet", "optimizer": "adamw", "weight_decay": 0.1},
    {"loss": "arcface", "bnneck": True},
]


def run_of(**asked: Any) -> RunConfig:
    return resolve(RunOptions(batch_size=SIZE, seed=3, lr=3e-3, **asked), "fashion-mnist", IDENTITIES)


def plainly(config: RunConfig, train: ImageSet, learner: Learner) -> tuple[list[float], dict[str, Tensor]]:
    """Losses and weights of some steps; of the learner only its pairs are taken."""
    channels, height, width = train.shape
    network = build_network(config.network, channels, height, width, config.seed)
    parameters = list(network.parameters())
    objective = None
    if config.pairs == "batch":
        objective = build_objective(
            config.loss, config.miner, classes=IDENTITIES, dim=config.embedding_dim, seed=config.seed
        )
        parameters += objective.parameters()
    optimizer = build_optimizer(config.optimizer, parameters, config.lr, config.weight_decay, CPU)
    pairs, margin, losses = learner.draw(0), torch.tensor(config.margin), []
    for step in range(STEPS):
        of_step = pairs[step * SIZE : (step + 1) * SIZE]
        index = np.concatenate([of_step.first_P, of_step.second_P])
        images = torch.from_numpy(train.images[index]).float().to(memory_format=torch.channels_last) / 255
        images = Augmentation(augment_kinds(config.augment)).augment(images, seed=config.seed, step=step)
        with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bf16"):
            points = network(images)
        points = points.float()
        if objective is None:
            distance = pair_distance(*points.chunk(2))
            loss = LOSSES[config.loss].of_drawn(distance, torch.from_numpy(of_step.same_P), margin)
        else:
            labels = torch.from_numpy(train.identities[index])
            loss = objective(points, labels, torch.from_numpy(index), margin, step).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, network.state_dict()


@pytest.mark.slow
@pytest.mark.parametrize("asked", RUNS, ids=lambda asked: " ".join(map(str, asked.values())) or "tutorial")
def test_steps_are_those_of_a_plain_loop_to_the_bit(asked: dict[str, Any], tiny: Dataset) -> None:
    config = run_of(**asked)
    learner = Learner(config, tiny.train, CPU)
    losses, weights = plainly(config, tiny.train, learner)
    pairs = learner.draw(0)
    taken = [learner.step(pairs[step * SIZE : (step + 1) * SIZE], step) for step in range(STEPS)]
    assert [result.loss for result in taken] == losses
    assert all(torch.equal(value, weights[name]) for name, value in learner.network.state_dict().items())


@pytest.mark.parametrize("model", ["tutorial", "bn"])
def test_batches_of_any_size_follow_each_other(model: str, tiny: Dataset) -> None:
    """What is kept between two steps has room for a whole batch; a shorter or a larger one is as good."""
    config = run_of(model=model)
    kept, pairs = Learner(config, tiny.train, CPU), Learner(config, tiny.train, CPU).draw(0)
    sizes = [range(16), range(16, 21), range(21, 60), range(60, 76)]
    for part in sizes:
        anew = Learner(config, tiny.train, CPU)
        anew.restore(kept.tensors())
        of_step = pairs[part.start : part.stop]
        assert kept.step(of_step, 0).loss == anew.step(of_step, 0).loss
        assert all(torch.equal(value, anew.tensors()[name]) for name, value in kept.tensors().items())


def test_looking_at_another_batch_between_two_steps_changes_no_bit(tiny: Dataset) -> None:
    config = dataclasses.replace(run_of(model="bn"), augment="light")
    one, two = Learner(config, tiny.train, CPU), Learner(config, tiny.train, CPU)
    pairs = one.draw(0)
    for step in range(3):
        two.loss_ahead(pairs[60:90], step)
        assert one.step(pairs[:16], step) == two.step(pairs[:16], step)

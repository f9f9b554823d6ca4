"""Steps that never wait for the device are those that wait, to within what a learning rate of 32 bits leaves open.

On the CPU, where nothing is captured: all but the graph itself.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch

from reid_tui.config import RunConfig, RunOptions, resolve
from reid_tui.data.dataset import Dataset
from reid_tui.learning.averages import WeightAverage
from reid_tui.training.learner import Learner
from reid_tui.training.steps import device
from reid_tui.training.steps.costs import Costs
from reid_tui.training.steps.device import DeviceSteps, can_stay_on_device
from tests.conftest import IDENTITIES

CPU = torch.device("cpu")
RUNS = [
    {},
    {"model": "bn", "miner": "margin", "average_weights": 0.9},
    {"loss": "triplet", "augment": "light", "optimizer": "adamw", "weight_decay": 0.1},
]


def learner_of(tiny: Dataset, asked: dict[str, Any], *, waits: bool) -> Learner:
    config: RunConfig = resolve(RunOptions(batch_size=16, seed=3, **asked), "fashion-mnist", IDENTITIES)
    learner = Learner(config, tiny.train, CPU)
    if not waits:
        assert can_stay_on_device(learner.parts)
        learner._steps = DeviceSteps(learner.parts, Costs(learner.parts))
    return learner


def apart(one: Learner, two: Learner) -> float:
    """How far the weights are from each other, of their norm; what Adam made of rounding is in a few of them."""
    assert one.tensors().keys() == two.tensors().keys()
    vectors = [torch.cat([part.detach().flatten() for part in some.scored.parameters()]) for some in (one, two)]
    return float((vectors[0] - vectors[1]).norm() / vectors[0].norm())


@pytest.mark.parametrize("asked", RUNS, ids=str)
def test_several_at_once_are_those_taken_one_by_one(asked: dict[str, Any], tiny: Dataset) -> None:
    """Margin and learning rate are turned, the rate goes by a schedule, and a shorter batch comes last."""
    one, several = (learner_of(tiny, asked, waits=waits) for waits in (True, False))
    pairs, factors = one.draw(0), np.array([*np.linspace(0.2, 1, 7), 0.5])
    batches = [pairs[16 * index : 16 * index + 16] for index in range(7)] + [pairs[112:119]]
    losses = []
    for part in (slice(0, 3), slice(3, 8)):
        losses += several.advance(batches[part], part.start, factors[part].tolist())
        several.margin, several.lr = 1.7, 3e-4
    expected = []
    for index, batch in enumerate(batches):
        if index == 3:
            one.margin, one.lr = 1.7, 3e-4
        expected.append(one.step(batch, index, factors[index]))
    assert [result.loss for result in losses] == pytest.approx([result.loss for result in expected], rel=1e-4)
    assert [result.teaching for result in losses] == pytest.approx([result.teaching for result in expected], abs=0.02)
    assert apart(one, several) < 1e-3


def test_so_many_are_taken_as_last_50_ms(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    one, several = (learner_of(tiny, {}, waits=waits) for waits in (True, False))
    for longest, at_once in ((0.0, 1), (1e9, device.MOST)):
        monkeypatch.setattr(device, "LONGEST_S", longest)
        several.advance([several.draw(0)[:16]], 0, [1.0])
        assert (several.at_once, one.at_once) == (at_once, 1)


@pytest.mark.parametrize("asked", RUNS, ids=str)
def test_one_that_is_not_finite_changes_nothing(asked: dict[str, Any], tiny: Dataset) -> None:
    one, several = (learner_of(tiny, asked, waits=waits) for waits in (True, False))
    pairs = one.draw(0)
    first, second = pairs[:16], pairs[16:32]
    several.advance([first], 0, [1.0])
    before = {name: value.clone() for name, value in several.tensors().items()}
    several.margin = math.inf
    assert [result.applied for result in several.advance([second, first], 1, [1.0, 1.0])] == [False, False]
    assert all(torch.equal(value, before[name]) for name, value in several.tensors().items())
    several.margin = 1.0
    assert [result.applied for result in several.advance([second], 3, [1.0])] == [True]
    one.step(first, 0)
    one.step(second, 3)
    assert apart(one, several) < 1e-3


def test_held_back_a_step_changes_nothing(tiny: Dataset) -> None:
    """As it is when it is captured."""
    learner = learner_of(tiny, RUNS[1], waits=False)
    learner.advance([learner.draw(0)[:16]], 0, [1.0])
    before = {name: value.clone() for name, value in learner.tensors().items()}
    steps = learner._steps
    assert isinstance(steps, DeviceSteps)
    steps._held.fill_(1)
    learner.advance([learner.draw(0)[16:32]], 1, [1.0])
    assert all(torch.equal(value, before[name]) for name, value in learner.tensors().items())


@pytest.mark.parametrize(
    "asked",
    [{"loss": "supcon"}, {"miner": "distance"}, {"optimizer": "sgd"}, {"rotations": True}],
    ids=str,
)
def test_what_needs_the_host_does_not_stay(asked: dict[str, Any], tiny: Dataset) -> None:
    config = resolve(RunOptions(batch_size=16, **asked), "fashion-mnist", IDENTITIES)
    assert not can_stay_on_device(Learner(config, tiny.train, CPU).parts)
    older = dataclasses.replace(resolve(RunOptions(), "fashion-mnist", IDENTITIES), pairs="batch")
    assert not can_stay_on_device(Learner(older, tiny.train, CPU).parts)


def test_an_average_follows_by_a_share_on_the_device() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    one, two = WeightAverage(network, 0.9), WeightAverage(network, 0.9)
    with torch.no_grad():
        network[0].weight.add_(1)
    one.update(one.share(4))
    two.update(torch.tensor(two.share(4)))
    assert all(torch.equal(value, two.tensors()[name]) for name, value in one.tensors().items())


@pytest.mark.parametrize(("rate", "agrees"), [(None, True), (0.5, False)], ids=["as captured", "with a frozen rate"])
def test_a_replay_is_held_against_the_step_and_both_are_undone(rate: float | None, agrees: bool, tiny: Dataset) -> None:
    learner = learner_of(tiny, RUNS[1], waits=False)
    steps = learner._steps
    assert isinstance(steps, DeviceSteps)
    learner.advance([learner.draw(0)[:16]], 0, [1.0])
    queue = steps._given([learner.draw(0)[16:32]], 1, [1e-3])

    class Graph:
        def replay(self) -> None:
            if rate is not None:
                queue.numbers_K2[:, 0] = rate
            steps._one(queue)

    before = {name: value.clone() for name, value in learner.tensors().items()}
    assert steps._agrees(Graph(), queue) is agrees
    assert all(torch.equal(value, before[name]) for name, value in learner.tensors().items())

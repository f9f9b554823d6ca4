"""A step on CUDA is the step on the CPU, to within what the order of sums and the precision leave open.

Adam lets rounding grow: weights that differ by 1e-7 before 20 steps on the CPU differ by up to 7e-4 of their norm after
them with drawn pairs and by 2e-2 with all pairs, bf16 on the CPU by 1.2e-1, TF32 by 6e-2. A margin and a learning rate
that are turned on the way change the losses by 0.65 and the weights by 7e-2.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from reid_tui.config import RunOptions, resolve
from reid_tui.data.dataset import Dataset
from reid_tui.data.pairs import pairs_of_step
from reid_tui.training.learner import Learner
from tests.conftest import IDENTITIES

pytestmark = pytest.mark.gpu

STEPS = 20
MARGIN_AT, LR_AT = 5, 10
TOLERANCE = {  # of a loss, and of the weights' norm
    ("fp32", "random"): (2e-4, 4e-3),
    ("fp32", "batch"): (3e-3, 4e-2),
    ("bf16", "random"): (3e-2, 0.2),
    ("bf16", "batch"): (3e-2, 0.2),
}


class Trained(NamedTuple):
    losses: np.ndarray
    weights: np.ndarray


def train(data: Dataset, device: torch.device, *, turned: bool, **settings: Any) -> Trained:
    asked = RunOptions(epochs=3, batch_size=16, seed=3, **settings)
    config = dataclasses.replace(resolve(asked, "fashion-mnist", IDENTITIES), precision=asked.precision)
    learner = Learner(config, data.train, device)
    losses = []
    for step in range(STEPS):
        if turned and step == MARGIN_AT:
            learner.margin = 1.7
        if turned and step == LR_AT:
            learner.lr = 3e-4
        losses.append(learner.step(pairs_of_step(data.train.identities, config.seed, step + 1, 16)).loss)
    weights = torch.cat([parameter.detach().flatten().cpu() for parameter in learner.network.parameters()])
    return Trained(np.array(losses), weights.numpy())


def apart(one: Trained, two: Trained) -> tuple[float, float]:
    loss = np.abs(one.losses - two.losses).max()
    return float(loss), float(np.linalg.norm(one.weights - two.weights) / np.linalg.norm(two.weights))


@pytest.mark.parametrize("turned", [False, True], ids=["plain", "margin and lr turned"])
@pytest.mark.parametrize(("precision", "pairs"), TOLERANCE)
def test_steps_are_those_of_the_cpu(
    precision: str,
    pairs: str,
    turned: bool,
    tiny: Dataset,
    cuda: torch.device,
    record_property: Callable[[str, object], None],
) -> None:
    there = train(tiny, cuda, turned=turned, precision=precision, pairs=pairs)
    here = train(tiny, torch.device("cpu"), turned=turned, precision="fp32", pairs=pairs)
    loss, weights = apart(there, here)
    record_property("losses differ by, weights differ by", f"{loss:.2e}, {weights:.2e}")
    assert loss <= TOLERANCE[precision, pairs][0]
    assert weights <= TOLERANCE[precision, pairs][1]
    if turned:
        assert apart(there, train(tiny, cuda, turned=False, precision=precision, pairs=pairs))[0] > 0.3


def test_a_step_that_is_not_finite_changes_nothing(tiny: Dataset, cuda: torch.device) -> None:
    learner = Learner(
        resolve(RunOptions(batch_size=16, precision="fp32"), "fashion-mnist", IDENTITIES), tiny.train, cuda
    )
    pairs = pairs_of_step(tiny.train.identities, 0, 1, 16)
    assert learner.step(pairs).applied
    with torch.no_grad():
        learner.network.get_parameter("fc2.weight").fill_(1e30)
    before = learner.tensors()
    assert not learner.step(pairs).applied
    assert all(torch.equal(value, before[name]) for name, value in learner.tensors().items())

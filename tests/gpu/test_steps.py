"""A step on CUDA is the step on the CPU, to within what the order of sums and the precision leave open.

Adam lets rounding grow. After 20 steps on the CPU whose gradients were each wrong by 1e-6, losses differ by up to 1e-4
and weights by 4e-4 of their norm with drawn pairs, by 8e-4 and 2e-2 with all pairs; with TF32 by 8e-3 and 4e-2 or more,
with bf16 by 7e-2 and 0.12. A margin and a learning rate that are turned on the way change the losses by 0.65.
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
    ("fp32", "random"): (1e-3, 1e-2),
    ("fp32", "batch"): (1e-2, 4e-2),  # on an H100 at most 5.1e-3 and 3.2e-2
    ("bf16", "random"): (0.1, 0.25),
    ("bf16", "batch"): (0.1, 0.25),
}


class Trained(NamedTuple):
    losses: np.ndarray
    weights: np.ndarray


def train(data: Dataset, device: torch.device, *, turned: bool, **settings: Any) -> Trained:
    asked = RunOptions(epochs=3, batch_size=16, seed=4, **settings)
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

"""A step on CUDA is the step on the CPU, to within what the order of sums and the precision leave open.

Adam lets rounding grow. After 20 steps on the CPU whose gradients were each wrong by 1e-6, losses differ by up to 1e-4
and weights by 4e-4 of their norm with drawn pairs, by 8e-4 and 2e-2 with all pairs; with TF32 by 8e-3 and 4e-2 or more,
with bf16 by 7e-2 and 0.12; and where a rounded value chooses another place in a pooling, by more. In float64 nothing of
this hides a fault. A margin and a learning rate that are turned on the way change the losses by 0.65.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from reid_tui.config import RunOptions, resolve
from reid_tui.data.dataset import Dataset
from reid_tui.data.pairs import pairs_of_step
from reid_tui.training.learner import Learner
from reid_tui.training.steps.device import DeviceSteps
from tests.conftest import IDENTITIES
from tests.training.together.ranks import built_double

pytestmark = pytest.mark.gpu

STEPS = 20
MARGIN_AT, LR_AT = 5, 10
TOLERANCE = {  # of a loss, and of the weights' norm
    ("fp32", "random"): (5e-3, 5e-2),  # on an H200 at most 2.7e-3 and 2.9e-2
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


@pytest.mark.parametrize("pairs", ["random", "batch"])
def test_in_float64_steps_are_those_of_the_cpu(
    pairs: str,
    tiny: Dataset,
    cuda: torch.device,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    monkeypatch.setattr("reid_tui.training.learner.build_network", built_double)
    there, here = (
        train(tiny, device, turned=True, precision="fp32", pairs=pairs) for device in (cuda, torch.device("cpu"))
    )
    loss, weights = apart(there, here)
    record_property("losses differ by, weights differ by", f"{loss:.2e}, {weights:.2e}")
    assert loss <= 1e-5
    assert weights <= 1e-4


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


@pytest.mark.parametrize("pairs", ["random", "batch"])
def test_steps_are_replayed_from_a_graph_and_waited_for_once(pairs: str, tiny: Dataset, cuda: torch.device) -> None:
    asked = RunOptions(batch_size=16, precision="fp32", pairs=pairs, model="bn", augment="light", average_weights=0.9)
    config = resolve(asked, "fashion-mnist", IDENTITIES)
    several, one = Learner(config, tiny.train, cuda), Learner(config, tiny.train, cuda)
    batches = [pairs_of_step(tiny.train.identities, 0, step + 1, 16) for step in range(7)]
    first = several.advance(batches[:1], 0, [1.0])
    with warnings.catch_warnings(record=True) as waits:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            rest = several.advance(batches[1:], 1, [1.0, 0.9, 0.8, 0.7, 0.6, 0.5])
        finally:
            torch.cuda.set_sync_debug_mode("default")
    waits = [wait for wait in waits if "prototype" not in str(wait.message)]  # torch says once that it may miss some
    assert len(waits) == 1, [(str(wait.message), wait.lineno) for wait in waits]
    assert isinstance(several._steps, DeviceSteps)
    assert several._steps._graph is not None
    factors = (1.0, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
    expected = [one.step(batch, step, factors[step]) for step, batch in enumerate(batches)]
    assert [result.loss for result in [*first, *rest]] == [result.loss for result in expected]
    assert all(torch.equal(value, one.tensors()[name]) for name, value in several.tensors().items())


def test_what_is_taken_up_again_is_captured_again(tiny: Dataset, cuda: torch.device) -> None:
    config = resolve(RunOptions(batch_size=16, precision="fp32"), "fashion-mnist", IDENTITIES)
    learner, whole = Learner(config, tiny.train, cuda), Learner(config, tiny.train, cuda)
    batches = [pairs_of_step(tiny.train.identities, 0, step + 1, 16) for step in range(4)]
    learner.advance(batches[:2], 0, [1.0, 1.0])
    kept = {name: value.clone() for name, value in learner.tensors().items()}
    learner.advance(batches[2:], 2, [1.0, 1.0])
    learner.restore(kept)
    losses = [result.loss for result in learner.advance(batches[2:], 2, [1.0, 1.0])]
    assert losses == [result.loss for result in whole.advance(batches, 0, [1.0] * 4)[2:]]
    assert all(torch.equal(value, whole.tensors()[name]) for name, value in learner.tensors().items())

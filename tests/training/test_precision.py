"""What `--precision auto` chooses on a CPU, with a clock that says what it is told, and what it leaves as it was."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from reid_tui.config import RunConfig, RunOptions, resolve
from reid_tui.data.dataset import Dataset
from reid_tui.training import precision as module
from reid_tui.training.learner import Learner
from reid_tui.training.precision import with_fastest_precision
from reid_tui.training.steps.costs import Costs
from reid_tui.training.steps.eager import EagerSteps
from reid_tui.training.steps.parts import StepResult
from reid_tui.training.steps.precision import computing_in
from tests.conftest import IDENTITIES

CPU = torch.device("cpu")


def auto(**asked: Any) -> RunConfig:
    return resolve(RunOptions(batch_size=16, precision="auto", seed=3, **asked), "fashion-mnist", IDENTITIES)


@pytest.fixture
def lasting(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Callable[[], float]]:
    """A clock that a step moves on by what its precision is to take, for each pair."""
    now = [0.0]

    def set_to(fp32: float, bf16: float, inside: float) -> Callable[[], float]:
        seconds = {"fp32": fp32, "bf16": bf16, "bf16-mkldnn": inside}
        take = EagerSteps.take

        def timed(steps: EagerSteps, batches: Any, *more: Any) -> list[StepResult]:
            now[0] += seconds[steps._parts.config.precision] * len(batches[0])
            return take(steps, batches, *more)

        monkeypatch.setattr(EagerSteps, "take", timed)
        return lambda: now[0]

    return set_to


Lasting = Callable[..., Callable[[], float]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seconds", "chosen", "gain"),
    [
        ((3e-3, 1e-3, 2e-3), "bf16", 3.0),
        ((3e-3, 2e-3, 1.5e-3), "bf16-mkldnn", 2.0),
        ((3e-3, 2.95e-3, 2.9e-3), "fp32", 1.0),
        ((3e-3, 9.5e-3, 4e-3), "fp32", 1.0),
    ],
)
def test_the_fastest_is_taken_where_it_gains_something(
    seconds: tuple[float, float, float], chosen: str, gain: float, lasting: Lasting, tiny: Dataset
) -> None:
    config = with_fastest_precision(auto(), tiny.train, lasting(*seconds))
    assert (config.precision, config.precision_gain) == (chosen, gain)
    assert "fp32 48.0 ms" in config.precision_why
    assert dataclasses.replace(config, precision="auto", precision_gain=0, precision_why="") == auto()


def test_one_that_is_hopeless_is_not_tried_with_a_whole_batch(
    lasting: Lasting, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = lasting(1e-3, 0.5, 1e-3)
    config = with_fastest_precision(auto(), tiny.train, clock)
    assert "bf16 not (500 times as slow with 4 pairs)" in config.precision_why
    assert clock() < 0.5 * 2 * module.PILOT + 1


def test_of_a_slow_network_a_part_of_the_batch_is_timed(lasting: Lasting, tiny: Dataset) -> None:
    config = with_fastest_precision(auto(), tiny.train, lasting(8e-3, 4e-3, 4e-3))
    assert config.precision_why.startswith("7 pairs took fp32 56.0 ms, bf16 28.0 ms")


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [2.0, math.nan, 0.0, -1.0])
@pytest.mark.parametrize("pairs", ["random", "batch"])
def test_wrong_values_are_never_taken(
    wrong: float, pairs: str, lasting: Lasting, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of a kernel would be: embeddings, and with them loss or gradient, are off."""
    points = Costs.points

    def spoiled(costs: Costs, batch: Any) -> torch.Tensor:
        right = points(costs, batch)
        return right * wrong if costs._autocast else right

    monkeypatch.setattr(Costs, "points", spoiled)
    config = with_fastest_precision(auto(pairs=pairs, model="bn"), tiny.train, lasting(3e-3, 1e-3, 2e-3))
    assert config.precision == "bf16-mkldnn"
    assert "bf16 not (wrong values: loss" in config.precision_why


def test_a_kernel_that_there_is_not_is_not_taken(
    lasting: Lasting, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = Costs.points

    def missing(costs: Costs, batch: Any) -> torch.Tensor:
        if costs._autocast:
            raise RuntimeError("not implemented for 'BFloat16'")
        return points(costs, batch)

    monkeypatch.setattr(Costs, "points", missing)
    config = with_fastest_precision(auto(), tiny.train, lasting(3e-3, 1e-3, 2e-3))
    assert config.precision == "bf16-mkldnn"
    assert "not implemented for 'BFloat16'" in config.precision_why


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"model": "bn", "miner": "distance"}, {"loss": "arcface", "augment": "reid"}])
def test_the_run_begins_as_it_would_have_without(settings: dict[str, Any], tiny: Dataset) -> None:
    fp32 = dataclasses.replace(auto(**settings), precision="fp32")
    before = torch.random.get_rng_state(), np.random.get_state()[1].tolist()
    first = Learner(fp32, tiny.train, CPU)
    chosen = with_fastest_precision(auto(**settings), tiny.train)
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]
    second = Learner(dataclasses.replace(chosen, precision="fp32"), tiny.train, CPU)
    pairs = first.draw(0)
    assert np.array_equal(second.draw(0).first_P, pairs.first_P)
    assert repr(first.step(pairs[:16])) == repr(second.step(pairs[:16]))  # NaN is not equal to itself
    assert all(torch.equal(value, second.tensors()[name]) for name, value in first.tensors().items())


@pytest.fixture
def switch() -> Iterator[Callable[[], tuple[str, str]]]:
    mkldnn: Any = torch.backends.mkldnn
    yield lambda: (mkldnn.conv.fp32_precision, mkldnn.matmul.fp32_precision)
    assert mkldnn.conv.fp32_precision != "bf16"


def test_the_switch_of_the_whole_process_is_put_back(switch: Callable[[], tuple[str, str]], tiny: Dataset) -> None:
    before = switch()
    seen = []
    learner = Learner(dataclasses.replace(auto(), precision="bf16-mkldnn"), tiny.train, CPU)
    learner.network.register_forward_hook(lambda *_: seen.append(switch()))
    learner.network.get_parameter("fc1.weight").register_hook(lambda _: seen.append(switch()))
    assert learner.step(learner.draw(0)[:16]).applied
    learner.loss_ahead(learner.draw(0)[:16])
    assert seen == [("bf16", "bf16")] * 3
    assert switch() == before
    with pytest.raises(ZeroDivisionError), computing_in("bf16-mkldnn"):
        raise ZeroDivisionError
    assert switch() == before


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bf16", "bf16-mkldnn"])
@pytest.mark.parametrize("model", ["tutorial", "bn"])
def test_losses_are_those_of_fp32_within_3_percent(precision: str, model: str, tiny: Dataset) -> None:
    losses = []
    for name in ("fp32", precision):
        config = dataclasses.replace(auto(model=model), precision=name)
        learner = Learner(config, tiny.train, CPU)
        pairs = [learner.draw(epoch)[:16] for epoch in range(12)]
        losses.append(np.mean([learner.step(of_step, step).loss for step, of_step in enumerate(pairs)]))
    assert losses[1] == pytest.approx(losses[0], rel=0.03)

"""Tensors that verified and do not fit end in one error, and nothing has changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch

from reid_tui.config import RunConfig
from reid_tui.data.dataset import Dataset
from reid_tui.errors import CheckpointError
from reid_tui.training.learner import Learner
from reid_tui.training.scoring import Scorer


@pytest.fixture
def learner(tiny: Dataset, tiny_config: RunConfig) -> Learner:
    learner = Learner(tiny_config, tiny.train, torch.device("cpu"))
    for parameter in learner.network.parameters():
        parameter.grad = torch.ones_like(parameter)
    learner.optimizer.step()
    return learner


CHANGES: tuple[tuple[str, Callable[[dict[str, torch.Tensor]], object]], ...] = (
    ("nothing", lambda t: t.clear()),
    ("no weights", lambda t: [t.pop(name) for name in list(t) if name.startswith("network.")]),
    ("a weight missing", lambda t: t.pop("network.fc2.bias")),
    ("a weight too many", lambda t: t.update({"network.x\x1b[2J\n": torch.zeros(1)})),
    ("a weight of another shape", lambda t: t.update({"network.fc2.bias": torch.zeros(1)})),
    ("a weight of another type", lambda t: t.update({"network.fc2.bias": torch.zeros(2, dtype=torch.float64)})),
    ("a weight of whole numbers", lambda t: t.update({"network.fc2.bias": torch.zeros(2, dtype=torch.int32)})),
    ("no step", lambda t: t.pop("adam.0.step")),
    ("a step of another shape", lambda t: t.update({"adam.0.step": torch.zeros(3)})),
    ("no average", lambda t: t.pop("adam.1.exp_avg")),
    ("no state of one", lambda t: [t.pop(name) for name in list(t) if name.startswith("adam.2.")]),
    ("an average of another type", lambda t: t.update({"adam.0.exp_avg": t["adam.0.exp_avg"].bool()})),
    ("an average of another shape", lambda t: t.update({"adam.0.exp_avg_sq": torch.zeros(1)})),
)


@pytest.mark.parametrize("change", [item[1] for item in CHANGES], ids=[item[0] for item in CHANGES])
def test_a_learner_is_left_as_it_was(change: Callable[[dict[str, torch.Tensor]], object], learner: Learner) -> None:
    before = {name: value.clone() for name, value in learner.tensors().items()}
    tensors = {name: value.clone() + 1 for name, value in before.items()}
    change(tensors)
    with pytest.raises(CheckpointError) as error:
        learner.restore(tensors)
    assert str(error.value).isprintable()
    after = learner.tensors()
    assert all(torch.equal(after[name], value) for name, value in before.items())


@pytest.mark.parametrize(
    "tensors",
    [
        {"basis": torch.zeros(5, 2, dtype=torch.float64)},
        {"mean": torch.zeros(5, dtype=torch.float64)},
        {"basis": torch.zeros(4, 2, dtype=torch.float64), "mean": torch.zeros(4, dtype=torch.float64)},
        {"basis": torch.zeros(5, 2, dtype=torch.bfloat16), "mean": torch.zeros(5, dtype=torch.float64)},
        {"basis": torch.full((5, 2), torch.nan, dtype=torch.float64), "mean": torch.zeros(5, dtype=torch.float64)},
    ],
)
def test_the_map_is_left_as_it_was(tensors: dict[str, torch.Tensor], tiny: Dataset, tiny_config: RunConfig) -> None:
    scorer = Scorer(tiny, dataclasses.replace(tiny_config, embedding_dim=5), torch.device("cpu"))
    with pytest.raises(CheckpointError, match="projection"):
        scorer.restore({f"projection.{name}": value for name, value in tensors.items()})
    assert scorer.tensors() == {}

"""Several processes take the steps that one takes. Real processes, connected by gloo."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from reid_tui.config.ranks import Rank
from reid_tui.training.together.group import Group
from tests.training.together.ranks import in_processes, taught

STEPS = 50
DOUBLE: list[dict[str, Any]] = [
    {"double": True, "batch_size": 17},  # of 120 pairs one is left for the last step of an epoch
    {"double": True, "model": "bn", "pairs": "batch", "augment": "reid", "average_weights": 0.9},
    {"double": True, "loss": "arcface", "pairs": "batch", "normalize": True},
    {"double": True, "loss": "triplet", "miner": "semihard", "pairs": "batch", "batch_size": 7},
]
SINGLE: dict[str, Any] = {"optimizer": "sgd"}
"""Adam divides by the size of a gradient, and so makes of rounding what it makes of a gradient."""
CASES = [*DOUBLE, SINGLE]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=[2, 3])
def learned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Tensor]]:
    """By so many processes, in each case."""
    return in_processes(tmp_path_factory.mktemp("ranks") / "met", request.param, CASES, STEPS)


@pytest.fixture(scope="module")
def alone() -> list[dict[str, Tensor]]:
    """By one process, in each case."""
    return [taught(case, STEPS) for case in CASES]


def test_they_learn_what_one_process_learns(learned: list[dict[str, Tensor]], alone: list[dict[str, Tensor]]) -> None:
    for case, together, expected in zip(CASES, learned, alone, strict=True):
        assert together.keys() == expected.keys()
        for name, value in expected.items():
            exact = "double" in case and "normalize" not in case and name != "points"  # those two are float32
            limit = 1e-10 if exact else 1e-5
            apart = (together[name].double() - value.double()).abs().max().item()
            assert apart <= limit * max(1.0, value.double().abs().max().item()), f"{case} {name}: {apart:g}"


@pytest.mark.parametrize(("count", "block"), [(33, 1), (2, 1), (0, 1), (1000, 256), (256, 256), (1, 256)])
def test_each_thing_is_one_process_s(count: int, block: int) -> None:
    group = object.__new__(Group)
    group.rank = Rank(1, 3, 1, 3)
    parts = group.parts(count, block)
    assert group.part(count, block) == parts[1]
    assert torch.equal(torch.cat([torch.arange(count)[part] for part in parts]), torch.arange(count))
    assert all(part.start % block == 0 or part.start == count for part in parts)

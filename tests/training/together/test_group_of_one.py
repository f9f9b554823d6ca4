"""A group of one process, in this very process: what several do together is what one does, up to rounding."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from reid_tui.config import RunOptions, resolve
from reid_tui.config.ranks import Rank
from reid_tui.data.dataset import Dataset
from reid_tui.errors import LostProcessError
from reid_tui.training import commands as cmd
from reid_tui.training.channels import CommandBox
from reid_tui.training.learner import Learner
from reid_tui.training.together.group import Group, Task, Work
from tests.conftest import IDENTITIES
from tests.training.together.ranks import built_double

CPU = torch.device("cpu")
CASES: list[dict[str, Any]] = [
    {"model": "bn", "augment": "reid", "average_weights": 0.9},
    {"optimizer": "sgd", "miner": "margin", "bnneck": True},
]


def group_of_one(folder: Path, device: torch.device = CPU) -> Group:
    meeting = str(folder / "meeting")
    return Group(Rank(0, 1, 0, 1, meeting), dist.FileStore(meeting, 1), device)  # type: ignore[attr-defined]


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    made = group_of_one(tmp_path)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a rounded value would choose another place in a pooling."""
    monkeypatch.setattr("reid_tui.training.learner.build_network", built_double)


def check_steps(asked: dict[str, Any], tiny: Dataset, group: Group, device: torch.device, within: float = 1e-9) -> None:
    config = resolve(RunOptions(batch_size=16, seed=3, **asked), "fashion-mnist", IDENTITIES)
    alone, together = Learner(config, tiny.train, device), Learner(config, tiny.train, device, group=group)
    pairs = alone.draw(0)
    for step in range(4):
        batch = pairs[16 * step : 16 * step + 16]
        assert together.step(batch, step).loss == pytest.approx(alone.step(batch, step).loss, rel=1e-4)
    for name, value in alone.tensors().items():
        torch.testing.assert_close(together.tensors()[name], value, rtol=within, atol=within)


@pytest.mark.parametrize("asked", CASES, ids=str)
def test_steps_are_those_of_one_process(asked: dict[str, Any], tiny: Dataset, group: Group) -> None:
    check_steps(asked, tiny, group, CPU)


@pytest.mark.parametrize("pairs", ["random", "batch"])
def test_a_step_that_is_not_finite_changes_nothing(pairs: str, tiny: Dataset, group: Group) -> None:
    config = resolve(RunOptions(batch_size=16, model="bn", pairs=pairs), "fashion-mnist", IDENTITIES)
    learner = Learner(config, tiny.train, CPU, group=group)
    before = {name: value.clone() for name, value in learner.tensors().items()}
    learner.margin = math.inf
    assert not learner.step(learner.draw(0)[:16]).applied
    assert all(torch.equal(value, before[name]) for name, value in learner.tensors().items())


def test_a_step_in_which_a_process_is_lost_changes_nothing(
    tiny: Dataset, group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also not the running statistics, which the step before has left."""
    config = resolve(RunOptions(batch_size=16, model="bn"), "fashion-mnist", IDENTITIES)
    learner = Learner(config, tiny.train, CPU, group=group)
    pairs = learner.draw(0)
    learner.step(pairs[:16], 0)
    before = {name: value.clone() for name, value in learner.tensors().items()}

    def lose(*_: object) -> None:
        raise RuntimeError("[/gloo/pair.cc:545] Connection closed by peer [127.0.0.1]:1. This is typical. GLHF")

    monkeypatch.setattr("reid_tui.training.together.steps.PairCosts.of_points", lose)
    with pytest.raises(LostProcessError, match="is gone: Connection closed by peer"):
        learner.step(pairs[16:32], 1)
    assert all(torch.equal(value, before[name]) for name, value in learner.tensors().items())
    assert not dist.is_initialized()


def test_what_is_no_lost_process_is_told_as_it_is(group: Group) -> None:
    """And nobody waits for the rest of the work."""
    with pytest.raises(ValueError, match="mine"), group.doing(Task(Work.STEP)):
        raise ValueError("mine")
    assert not dist.is_initialized()


def test_another_thread_s_finding_ends_a_pause() -> None:
    inbox = CommandBox()
    inbox.put(cmd.Pause())
    inbox.fail(LostProcessError("process 1 is gone"))
    with pytest.raises(LostProcessError, match="process 1"):
        inbox.get()

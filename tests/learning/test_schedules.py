from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, MultiStepLR, OneCycleLR

from reid_tui.config import SCHEDULES
from reid_tui.errors import UsageError
from reid_tui.learning.schedules import SHORTEST, check_schedule, factor


def sgd() -> torch.optim.SGD:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)


def of_torch(optimizer: torch.optim.SGD, schedulers: list[LRScheduler], steps: int) -> list[float]:
    rates = []
    for step in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for scheduler in schedulers if step < steps - 1 else []:
            scheduler.step()
    return rates


def ours(schedule: str, steps: int, epoch_steps: int = 1000) -> list[float]:
    return [0.5 * factor(schedule, step, steps, epoch_steps=epoch_steps) for step in range(steps)]


@pytest.mark.parametrize("steps", [4, 10, 11, 384, 1000])
def test_onecycle_equals_torchs(steps: int) -> None:
    optimizer = sgd()
    scheduler = OneCycleLR(optimizer, max_lr=0.5, total_steps=steps, cycle_momentum=False)
    assert ours("onecycle", steps) == pytest.approx(of_torch(optimizer, [scheduler], steps), rel=1e-9)


@pytest.mark.parametrize("steps", [1, 2, 10, 384])
def test_cosine_equals_torchs(steps: int) -> None:
    optimizer = sgd()
    scheduler = CosineAnnealingLR(optimizer, T_max=steps)
    assert ours("cosine", steps) == pytest.approx(of_torch(optimizer, [scheduler], steps), rel=1e-9)


@pytest.mark.parametrize(("steps", "epoch_steps", "rising"), [(200, 100, 20), (400, 3, 30), (384, 16, 38)])
def test_warmup_step_equals_torchs(steps: int, epoch_steps: int, rising: int) -> None:
    optimizer = sgd()
    up = LinearLR(optimizer, start_factor=1 / rising, total_iters=rising - 1)
    down = MultiStepLR(optimizer, milestones=[steps // 2, steps * 3 // 4])
    found = ours("warmup-step", steps, epoch_steps)
    assert found == pytest.approx(of_torch(optimizer, [up, down], steps), rel=1e-9)


@given(st.sampled_from(SCHEDULES), st.integers(1, 3000), st.integers(0, 4000), st.integers(1, 500))
def test_every_factor_is_above_zero_and_at_most_one(schedule: str, total: int, step: int, epoch_steps: int) -> None:
    value = factor(schedule, step, total, epoch_steps=epoch_steps)
    assert 0 < value <= 1
    if step >= total:
        assert value == factor(schedule, total - 1, total, epoch_steps=epoch_steps)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_base_is_reached(schedule: str) -> None:
    assert max(factor(schedule, step, SHORTEST, epoch_steps=1) for step in range(SHORTEST)) == 1


def test_a_longer_run_follows_its_new_curve() -> None:
    before, after = (factor("cosine", 99, total, epoch_steps=10) for total in (100, 200))
    assert before < 0.001
    assert after == pytest.approx(0.508, abs=1e-3)


@pytest.mark.parametrize(("schedule", "step", "total", "epoch_steps"), [("wave", 0, 9, 1), ("cosine", -1, 9, 1)])
def test_what_is_no_place_in_a_schedule(schedule: str, step: int, total: int, epoch_steps: int) -> None:
    with pytest.raises(ValueError, match="no place in a schedule"):
        factor(schedule, step, total, epoch_steps=epoch_steps)


def test_a_run_that_has_no_room_for_its_schedule() -> None:
    check_schedule("constant", 1)
    check_schedule("onecycle", SHORTEST)
    for schedule in SCHEDULES[1:]:
        with pytest.raises(UsageError, match=f"--schedule {schedule} needs a run of at least 10 steps, .* has 9"):
            check_schedule(schedule, 9)

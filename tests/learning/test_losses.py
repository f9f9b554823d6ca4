from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from reid_tui import config
from reid_tui.learning.distances import pair_distance
from reid_tui.learning.losses import LOSSES, balanced_contrastive_loss, contrastive_loss, half_means


def slow_loss(distance_P: Tensor, same_P: Tensor, margin: float) -> float:
    total = 0.0
    for distance, same in zip(distance_P.tolist(), same_P.tolist(), strict=True):
        total += distance**2 if same else max(0.0, margin - distance) ** 2
    return total / max(1, len(distance_P))


def margin_of(value: float) -> Tensor:
    return torch.tensor(value)


def test_by_hand() -> None:
    distance_P = torch.tensor([0.5, 0.5, 2.0, 2.0])
    same_P = torch.tensor([True, False, True, False])
    # 0.25, (1 - 0.5)^2 = 0.25, 4, nothing beyond the margin
    assert contrastive_loss(distance_P, same_P, margin_of(1.0)).item() == pytest.approx(4.5 / 4)


pairs = st.lists(st.tuples(st.floats(0, 5, width=32), st.booleans()), min_size=1, max_size=40)


@given(pairs, st.floats(0.1, 4))
def test_equals_the_slow_loop(items: list[tuple[float, bool]], margin: float) -> None:
    distance_P, same_P = torch.tensor([d for d, _ in items]), torch.tensor([s for _, s in items])
    loss = contrastive_loss(distance_P, same_P, margin_of(margin)).item()
    assert loss >= 0
    assert loss == pytest.approx(slow_loss(distance_P, same_P, margin), rel=1e-4, abs=1e-6)


@given(pairs, st.floats(0.1, 2), st.floats(0, 2))
def test_never_falls_when_the_margin_rises(items: list[tuple[float, bool]], margin: float, more: float) -> None:
    distance_P, same_P = torch.tensor([d for d, _ in items]), torch.tensor([s for _, s in items])
    low = contrastive_loss(distance_P, same_P, margin_of(margin))
    high = contrastive_loss(distance_P, same_P, margin_of(margin + more))
    assert high >= low


@given(pairs)
def test_order_of_pairs_does_not_matter(items: list[tuple[float, bool]]) -> None:
    distance_P, same_P = torch.tensor([d for d, _ in items]), torch.tensor([s for _, s in items])
    there = contrastive_loss(distance_P, same_P, margin_of(1.0)).item()
    back = contrastive_loss(distance_P.flip(0), same_P.flip(0), margin_of(1.0)).item()
    assert there == pytest.approx(back, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("loss", [contrastive_loss, balanced_contrastive_loss])
def test_no_pairs_is_a_zero_that_back_propagates(loss: type) -> None:
    points = torch.zeros(0, 2, requires_grad=True)
    value = loss(pair_distance(points, points), torch.zeros(0, dtype=torch.bool), margin_of(1.0))
    value.backward()
    assert value.item() == 0


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("loss", [contrastive_loss, balanced_contrastive_loss])
def test_gradient_is_finite_where_points_coincide(loss: type, same: bool) -> None:
    first = torch.ones(3, 2, requires_grad=True)
    second = torch.ones(3, 2, requires_grad=True)
    loss(pair_distance(first, second), torch.full((3,), same), margin_of(1.0)).backward()
    assert torch.isfinite(first.grad).all()
    assert torch.isfinite(second.grad).all()


def test_gradient_against_finite_differences() -> None:
    torch.manual_seed(0)
    first = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    second = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    same_P = torch.tensor([True, False] * 3)
    margin = torch.tensor(4.0, dtype=torch.float64)
    for loss in (contrastive_loss, balanced_contrastive_loss):
        assert torch.autograd.gradcheck(lambda a, b, f=loss: f(pair_distance(a, b), same_P, margin), (first, second))


def test_balanced_equals_plain_with_as_many_of_both() -> None:
    distance_P = torch.rand(20, generator=torch.Generator().manual_seed(1)) * 2
    same_P = torch.arange(20) % 2 == 0
    plain = contrastive_loss(distance_P, same_P, margin_of(1.0)).item()
    assert balanced_contrastive_loss(distance_P, same_P, margin_of(1.0)).item() == pytest.approx(plain)


def test_balanced_weighs_rare_same_pairs_as_much() -> None:
    distance_P = torch.tensor([2.0, *[0.5] * 9])
    same_P = torch.tensor([True, *[False] * 9])
    assert balanced_contrastive_loss(distance_P, same_P, margin_of(1.0)).item() == pytest.approx((4 + 0.25) / 2)


@pytest.mark.parametrize("same", [True, False])
def test_balanced_with_one_kind_only(same: bool) -> None:
    distance_P = torch.tensor([0.5, 0.5])
    loss = balanced_contrastive_loss(distance_P, torch.full((2,), same), margin_of(1.0))
    assert loss.item() == pytest.approx(0.125)


def test_every_loss_of_pairs_can_be_named() -> None:
    assert set(LOSSES) <= set(config.LOSSES)


def test_half_means_of_nothing_is_a_zero_that_back_propagates() -> None:
    cost_P = torch.ones(4, requires_grad=True)
    none_P = torch.zeros(4, dtype=torch.bool)
    value = half_means(cost_P, none_P, cost_P, none_P)
    value.backward()
    assert value.item() == 0
    assert (cost_P.grad == 0).all()

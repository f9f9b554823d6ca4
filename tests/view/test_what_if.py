"""What another margin would do: the histogram's answer against the distances themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from reid_tui.config import RunConfig, RunOptions, resolve
from reid_tui.evaluation.histogram import distance_histogram
from reid_tui.learning.losses import contrastive_loss
from reid_tui.training.events import DistancesReady
from reid_tui.view.what_if import half_teach, what_if, what_if_lines, why_not_half
from tests.view.samples import spread01


def config(**options: object) -> RunConfig:
    return resolve(RunOptions(**options), "fashion-mnist", 10)  # type: ignore[arg-type]


def measured(count: int = 40_000) -> tuple[np.ndarray, np.ndarray]:
    """Distances of as many same as different pairs."""
    far, kind = spread01(count, 0.618_034), np.arange(count) % 2 == 0
    return np.where(kind, 0.6 * far, 0.2 + 1.7 * far**1.2), kind


def ready(distances_P: np.ndarray, same_P: np.ndarray, margin: float = 1.0) -> DistancesReady:
    histogram = distance_histogram(distances_P, same_P, margin)
    return DistancesReady(step=938, split="test", **histogram._asdict())


@pytest.mark.parametrize("margin", [0.1, 0.5, 1.0, 1.43, 1.9])
def test_what_it_says_is_what_the_distances_say(margin: float) -> None:
    distances_P, same_P = measured()
    told = what_if(ready(distances_P, same_P), margin, loss="contrastive", miner="all")
    inside = np.maximum(margin - distances_P[~same_P], 0)
    push, pull = inside.mean(), distances_P[same_P].mean()
    loss = contrastive_loss(torch.from_numpy(distances_P), torch.from_numpy(same_P), torch.tensor(margin)).item()
    assert told.costing == pytest.approx((inside > 0).mean(), abs=0.006)
    assert told.loss == pytest.approx(loss, rel=0.005)
    assert told.pushing == pytest.approx(push / (push + pull), abs=0.003)


def test_where_only_pairs_that_cost_something_count_the_mean_is_theirs() -> None:
    distances_P, same_P = measured()
    told = what_if(ready(distances_P, same_P), 0.8, loss="contrastive", miner="margin")
    inside = 0.8 - distances_P[~same_P & (distances_P < 0.8)]
    assert told.loss == pytest.approx(((distances_P[same_P] ** 2).mean() + (inside**2).mean()) / 2, rel=0.005)
    assert told.pushing == pytest.approx(inside.mean() / (inside.mean() + distances_P[same_P].mean()), abs=0.003)


def test_by_hand() -> None:
    """Same pairs spread over 0..1; half of the different ones over 1..2, half over 2..3."""
    event = DistancesReady(step=1, split="test", edges=(0.0, 1.0, 2.0, 3.0), same=(8, 0, 0), different=(0, 4, 4))
    told = what_if(event, 2.5, loss="contrastive", miner="all")
    assert told.costing == pytest.approx(0.5 + 0.25)
    push = 0.5 * 1.0 + 0.5 * 0.5 * 0.25
    cost = 0.5 * (1.5**3 - 0.5**3) / 3 + 0.5 * 0.5**3 / 3
    assert told.loss == pytest.approx((1 / 3 + cost) / 2)
    assert told.pushing == pytest.approx(push / (push + 0.5))
    assert half_teach(event, config()) == 2.0


@pytest.mark.parametrize("miner", ["hard", "semihard", "distance"])
def test_a_miner_that_chooses_by_distance_leaves_the_loss_untold(miner: str) -> None:
    told = what_if(ready(*measured()), 0.94, loss="contrastive", miner=miner)
    assert told.costing == pytest.approx(0.5, abs=0.003)
    assert math.isnan(told.loss)
    assert math.isnan(told.pushing)
    lines = what_if_lines(ready(*measured()), config(miner=miner), 1.0, 1.05)
    assert not any("expected" in line for line in lines)
    assert any(miner in line for line in lines)


@pytest.mark.parametrize("loss", ["triplet", "margin"])
def test_of_a_margin_that_is_no_distance_of_a_pair_nothing_is_said(loss: str) -> None:
    event = ready(*measured())
    assert all(map(math.isnan, what_if(event, 1.0, loss=loss, miner="hard")))
    assert math.isnan(half_teach(event, config(loss=loss)))
    assert what_if_lines(event, config(loss=loss), 1.0, 2.0) == [why_not_half(event, config(loss=loss))]
    assert "distances of pairs do not tell" in why_not_half(event, config(loss=loss))


def test_half_of_the_different_pairs_lie_within_what_is_suggested() -> None:
    distances_P, same_P = measured()
    event = ready(distances_P, same_P)
    half = half_teach(event, config())
    assert half == pytest.approx(float(np.median(distances_P[~same_P])), abs=0.01)
    assert what_if(event, half, loss="contrastive", miner="all").costing == pytest.approx(0.5, abs=0.005)
    assert half == float(f"{half:.3g}")


def test_it_ends_where_the_margin_ends() -> None:
    event = DistancesReady(step=1, split="test", edges=(0.0, 2.0, 4.0), same=(1, 0), different=(0, 5))
    assert half_teach(event, config()) == 3.0
    assert half_teach(event, config(normalize=True)) == 2.0


@pytest.mark.parametrize(
    "event",
    [
        DistancesReady(step=1, split="test", edges=(), same=(), different=()),
        DistancesReady(step=1, split="test", edges=(0.0, 1.0), same=(3,), different=(0,)),
        DistancesReady(step=1, split="test", edges=(0.0, 0.0), same=(3,), different=(3,)),
        DistancesReady(step=1, split="test", edges=(0.0, math.nan), same=(3,), different=(3,)),
        DistancesReady(step=1, split="test", edges=(0.0, 1.0), same=(3, 4), different=(3, 3)),
    ],
)
def test_distances_of_nothing(event: DistancesReady) -> None:
    assert all(map(math.isnan, what_if(event, 1.0, loss="contrastive", miner="all")))
    assert math.isnan(half_teach(event, config()))
    assert why_not_half(event, config())
    assert what_if_lines(event, config(), 1.0, 1.1)


def test_before_the_first_evaluation_and_while_nothing_can_be_set() -> None:
    assert what_if_lines(None, config(), 1.0, 2.0) == [why_not_half(None, config())]
    lines = what_if_lines(ready(*measured()), config(), 1.0, math.nan)
    assert "different cost    53 %       \u2013" in lines
    assert all(len(line) <= 30 for line in lines)


def test_every_row_fits_the_dialog() -> None:
    distances_P, same_P = measured()
    event = ready(999 * distances_P, same_P, 999.0)
    assert all(len(line) <= 30 for line in what_if_lines(event, config(), 999.5, 0.00123))

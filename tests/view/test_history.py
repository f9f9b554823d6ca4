from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reid_tui.view.history import MAX_POINTS, MAX_RARE, EpochMean, History, Mark
from tests.view.samples import evaluated


def test_appends_in_order_and_drops_what_cannot_be_drawn() -> None:
    history = (
        History().with_losses([1, 2, 3], [0.5, math.nan, 0.3]).with_losses([3, 4, 2, 5], [9.0, 0.2, 9.0, math.inf])
    )
    assert history.steps.tolist() == [1, 3, 4]
    assert history.losses.tolist() == [0.5, 0.3, 0.2]


def test_arrays_cannot_be_written() -> None:
    history = History().with_losses([1], [0.5]).with_evaluation(evaluated(1))
    for array in (history.steps, history.losses, history.smoothed(0.5), history.score_points("test").map):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_an_earlier_history_never_changes() -> None:
    first = History().with_losses(range(1, 101), [0.5] * 100)
    seen = first.steps.copy()
    longer = first.with_losses(range(101, 151), [0.4] * 50)
    other = first.with_losses(range(200, 250), [0.1] * 50)
    first.with_losses(range(101, 30_001), [0.3] * 29_900)
    assert np.array_equal(first.steps, seen)
    assert longer.steps[-1] == 150
    assert set(longer.losses[100:]) == {0.4}
    assert other.steps[100] == 200
    assert set(other.losses[100:]) == {0.1}


@given(st.lists(st.integers(1, 4000), min_size=1, max_size=40))
def test_bounded_with_first_and_last_kept_in_rising_order(batches: list[int]) -> None:
    history, step = History(), 0
    for size in [*batches, 25_000]:
        history = history.with_losses(range(step + 1, step + size + 1), [1.0] * size)
        step += size
    steps = history.steps
    assert len(steps) <= MAX_POINTS
    assert steps[0] == 1
    assert steps[-1] > step - 2 * history.resolution
    assert (np.diff(steps) > 0).all()


def test_density_stays_even_over_a_long_run() -> None:
    history = History()
    for start in range(0, 1_000_000, 5000):
        history = history.with_losses(range(start + 1, start + 5001), [1.0] * 5000)
    gaps = np.diff(history.steps)
    assert len(history.steps) > MAX_POINTS // 4
    assert gaps.max() <= 2 * history.resolution


def test_cut_forgets_what_lies_beyond_and_goes_on() -> None:
    full = (
        History()
        .with_losses(range(1, 101), [0.5] * 100)
        .with_epoch(EpochMean(1, 50, 0.5))
        .with_epoch(EpochMean(2, 100, 0.4))
        .with_evaluation(evaluated(50))
        .with_evaluation(evaluated(100))
        .with_mark(Mark(40, "margin", 1.0, 1.1))
        .with_mark(Mark(90, "margin", 1.1, 1.2))
    )
    cut = full.cut(60, margin=1.1, lr=1e-3)
    assert cut.steps[-1] == 60
    assert (len(cut.epochs), len(cut.evaluations), len(cut.marks)) == (1, 1, 1)
    again = cut.with_losses([61, 62], [0.1, 0.2])
    assert again.losses[-2:].tolist() == [0.1, 0.2]
    assert full.losses[60] == 0.5


def test_smoothing_is_the_bias_corrected_moving_average() -> None:
    losses = [1.0, 3.0, 2.0, 5.0]
    got = History().with_losses([1, 2, 3, 4], losses).smoothed(0.5)
    total = weight = 0.0
    for value, loss in zip(got, losses, strict=True):
        total, weight = 0.5 * total + 0.5 * loss, 0.5 * weight + 0.5
        assert value == pytest.approx(total / weight)
    assert History().with_losses([1, 2], [1.0, 2.0]).smoothed(0.0).tolist() == [1.0, 2.0]


def test_smoothing_goes_on_where_it_ended() -> None:
    losses = np.random.default_rng(0).random(700)
    grown, seen = History(), []
    for start in range(0, 700, 70):
        grown = grown.with_losses(range(start, start + 70), losses[start : start + 70])
        seen.append((grown, grown.smoothed(0.9).copy()))
    whole = History().with_losses(range(700), losses).smoothed(0.9)
    for history, smoothed in seen:
        assert smoothed.tolist() == history.smoothed(0.9).tolist() == whole[: history.length].tolist()
    assert np.shares_memory(grown.smoothed(0.9), grown.smoothed(0.9))
    cut = grown.cut(100, margin=1.0, lr=1e-3).with_losses([101, 102], [9.0, 9.0])
    afresh = History().with_losses(range(103), [*losses[:101], 9.0, 9.0])
    assert cut.smoothed(0.9).tolist() == afresh.smoothed(0.9).tolist()
    assert grown.smoothed(0.9).tolist() == whole.tolist()


def test_smoothing_weighs_a_point_by_the_steps_it_stands_for() -> None:
    every = History().with_losses(range(1, 401), [1.0] * 200 + [0.0] * 200)
    thinned = History().with_losses(range(2, 402, 2), [1.0] * 100 + [0.0] * 100)
    assert thinned.smoothed(0.98)[-1] == pytest.approx(every.smoothed(0.98)[-1], abs=0.01)


def test_marks_of_one_pause_become_one() -> None:
    history = History()
    for old, new in ((1.0, 1.05), (1.05, 1.1)):
        history = history.with_mark(Mark(10, "margin", old, new))
    history = history.with_mark(Mark(10, "lr", 1e-3, 1e-4)).with_mark(Mark(10, "margin", 1.1, 1.2))
    assert history.marks == (Mark(10, "lr", 1e-3, 1e-4), Mark(10, "margin", 1.0, 1.2))
    back = history.with_mark(Mark(10, "margin", 1.2, 1.0))
    assert back.marks == (Mark(10, "lr", 1e-3, 1e-4),)


def test_rare_items_are_bounded_too() -> None:
    history = History()
    for step in range(1, 3 * MAX_RARE):
        history = history.with_evaluation(evaluated(step))
    assert len(history.evaluations) <= MAX_RARE
    assert [item.step for item in history.evaluations[-2:]] == [3 * MAX_RARE - 2, 3 * MAX_RARE - 1]
    assert history.evaluations[0].step == 1


def test_of_splits_that_take_turns_each_keeps_its_share_at_the_same_steps() -> None:
    history = History()
    for step in range(1, MAX_RARE):
        for split in ("seen", "unseen"):
            history = history.with_evaluation(evaluated(step, split=split))
    assert len(history.evaluations) <= MAX_RARE
    seen, unseen = (history.score_points(split).steps.tolist() for split in ("seen", "unseen"))
    assert seen[-1] == unseen[-1] == MAX_RARE - 1
    assert abs(len(seen) - len(unseen)) <= 2
    assert max(np.diff(unseen, prepend=0)) <= 8, "nor is there a gap"


def test_scores_of_one_split_by_step() -> None:
    history = History()
    for item in (evaluated(5, map=0.1), evaluated(9, map=0.2), evaluated(9, split="seen"), evaluated(9, map=0.3)):
        history = history.with_evaluation(item)
    points = history.score_points("test")
    assert points.steps.tolist() == [5, 9]
    assert points.map.tolist() == [0.1, 0.3]
    assert history.score_points("none").steps.tolist() == []


def test_recent_loss_is_a_mean_up_to_a_step() -> None:
    history = History().with_losses([1, 2, 3, 4], [4.0, 2.0, 1.0, 1.0])
    assert history.recent_loss(points=2) == 1.0
    assert history.recent_loss(until=2) == 3.0
    assert math.isnan(history.recent_loss(until=0))

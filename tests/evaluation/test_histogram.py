"""Counts per bin, and the range they lie in."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reid_tui.evaluation.histogram import distance_histogram, round_up


def test_hand_counted() -> None:
    distances = np.array([0.0, 0.1, 0.5, 1.4, 1.5, 0.6])
    same = np.array([True, True, True, False, False, False])
    edges, same_counts, different_counts = distance_histogram(distances, same, margin=1.0, bins=3)
    assert edges == (0.0, 0.5, 1.0, 1.5)
    assert same_counts == (2, 1, 0)
    assert different_counts == (0, 1, 2)


@given(
    values=st.lists(st.floats(0, 1e6), max_size=50),
    margin=st.floats(1e-3, 1000),
    bins=st.integers(1, 60),
)
def test_every_pair_is_in_one_bin_and_the_margin_inside(values: list[float], margin: float, bins: int) -> None:
    same = np.arange(len(values)) % 3 == 0
    histogram = distance_histogram(np.array(values), same, margin, bins)
    assert len(histogram.edges) == bins + 1
    assert len(histogram.same) == len(histogram.different) == bins
    assert sum(histogram.same) == same.sum()
    assert sum(histogram.different) == (~same).sum()
    assert histogram.edges[-1] >= 1.5 * margin * (1 - 1e-12)
    assert all(type(edge) is float for edge in histogram.edges)
    assert all(type(count) is int for count in histogram.same + histogram.different)


def test_the_last_bin_takes_what_lies_beyond() -> None:
    distances = np.append(np.full(999, 0.1), 500.0)
    histogram = distance_histogram(distances, np.ones(1000, dtype=bool), margin=1.0)
    assert histogram.edges[-1] == 1.5
    assert histogram.same[-1] == 1


@pytest.mark.parametrize(
    ("value", "rounded"), [(1.5, 1.5), (1.51, 2), (0.032, 0.04), (8.1, 10), (100, 100), (101, 125)]
)
def test_ranges_are_round(value: float, rounded: float) -> None:
    assert round_up(value) == pytest.approx(rounded)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -0.1])
def test_refuses_impossible_distances(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        distance_histogram(np.array([0.5, bad]), np.array([True, False]), margin=1.0)

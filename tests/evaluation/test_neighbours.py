"""What lies nearest is the same whether all distances were measured or few."""

from __future__ import annotations

from unittest.mock import Mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_tui.evaluation import neighbours as module
from reid_tui.evaluation import products
from reid_tui.evaluation.labels import Labels
from reid_tui.evaluation.neighbours import NOBODY, Neighbours, neighbours
from tests.evaluation.crowds import KINDS, crowd


def both_ways(points: torch.Tensor, labels: Labels, sides_N: np.ndarray) -> tuple[Neighbours, Neighbours]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"GROUP": 7, "BLOCK": 64, "MEASURED": 20}.items():
            patch.setattr(products, name, value)
        patch.setattr(module, "SMALLEST_GALLERY", 1)
        patch.setattr(module, "MOST_PER_QUERY", 1000)
        few = neighbours(points, labels, sides_N)
        patch.setattr(module, "SMALLEST_GALLERY", 10**9)
        return few, neighbours(points, labels, sides_N)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    dim=st.sampled_from([1, 2, 40]),
    kind=st.sampled_from(sorted(KINDS)),
    divided=st.booleans(),
)
def test_few_measured_distances_find_what_all_find(seed: int, dim: int, kind: str, divided: bool) -> None:
    points, labels = crowd(seed, 150, dim, kind)
    side_N = np.where(labels.identities_N >= 0, labels.identities_N % 2, NOBODY) if divided else np.full(150, NOBODY)
    few, whole = both_ways(points, labels, side_N.astype(np.int8))
    assert few.queries.tolist() == whole.queries.tolist()
    for name in ("wrong", "right", "known", "strange"):
        found, expected = getattr(few, name), getattr(whole, name)
        assert found.distance_Q.tobytes() == expected.distance_Q.tobytes(), name
        assert found.match_Q.tolist() == expected.match_Q.tolist(), name
        there_Q = np.isfinite(found.distance_Q)
        if kind == "clouds" and dim > 1:
            assert found.place_Q[there_Q].tolist() == expected.place_Q[there_Q].tolist(), name
        first, second = points[few.queries[there_Q]], points[found.place_Q[there_Q]]
        measured = products.euclidean(first[:, None], second[:, None])[:, 0, 0].numpy()
        assert measured.tobytes() == found.distance_Q[there_Q].tobytes(), name


def test_few_distances_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    points, labels = crowd(0, 6000, 16, "clouds")
    direct = Mock(side_effect=products.euclidean)
    monkeypatch.setattr(products, "euclidean", direct)
    monkeypatch.setattr(module, "MOST_PER_QUERY", 1000)
    monkeypatch.setattr(module, "SMALLEST_GALLERY", 1000)
    some = Labels(labels.identities_N, labels.cameras_N, np.where(np.arange(6000) % 100, 2, 1).astype(np.int8))
    found = neighbours(points, some, np.full(6000, NOBODY, np.int8))
    pairs = sum(len(call.args[0]) for call in direct.call_args_list)
    own = (some.identities_N[some.queries, None] == some.identities_N[some.gallery]).sum()
    assert {call.args[0].ndim for call in direct.call_args_list} == {3}
    assert pairs < own + 50 * len(found.queries) < len(found.queries) * len(some.gallery) / 4

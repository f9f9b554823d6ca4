"""Ranks by counting are those by sorting, to the last one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reid_tui.evaluation import counting, products, retrieval
from reid_tui.evaluation.counting import counted_hits, counting_pays
from reid_tui.evaluation.labels import GALLERY, QUERY, Labels
from reid_tui.evaluation.ranking import ranked_hits
from reid_tui.evaluation.retrieval import query_scores
from tests.evaluation.crowds import KINDS, crowd


@pytest.fixture(autouse=True, scope="module")
def _small_parts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"PAIRS": 90, "QUERIES": 50}.items():
            patch.setattr(counting, name, value)
        for name, value in {"GROUP": 7, "BLOCK": 64, "MEASURED": 20}.items():
            patch.setattr(products, name, value)
        yield


def asking(labels: Labels) -> np.ndarray:
    return labels.queries[labels.matches() > 0]


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 10_000), dim=st.sampled_from([1, 2, 5, 40]), kind=st.sampled_from(sorted(KINDS)))
def test_equals_the_sort(seed: int, dim: int, kind: str) -> None:
    points, labels = crowd(seed, 150, dim, kind)
    queries = asking(labels)
    counted = list(counted_hits(points, labels, queries))
    by_sort = list(ranked_hits(points, labels, queries, len(queries)))
    assert np.concatenate([hits.rank_H for hits in counted]).tolist() == by_sort[0].rank_H.tolist()
    lengths = [np.bincount(hits.query_H) for hits in (*counted, *by_sort)]
    assert np.concatenate(lengths[:-1]).tolist() == lengths[-1].tolist()


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How many distances were measured: those of pairs, and those of all queries of a group to all of a block."""
    counts = {"pairs": 0, "whole blocks": 0}
    direct = products.euclidean

    def counted(first: Tensor, second: Tensor) -> Tensor:
        counts["pairs" if first.ndim == 3 else "whole blocks"] += first.shape[:-1].numel() * second.shape[-2]
        return direct(first, second)

    monkeypatch.setattr(products, "euclidean", counted)
    return counts


def own_pairs(labels: Labels, queries: np.ndarray) -> int:
    return int((labels.identities_N[queries, None] == labels.identities_N[labels.gallery]).sum())


def test_few_distances_are_measured(measured: dict[str, int]) -> None:
    points, labels = crowd(0, 1500, 16, "clouds")
    queries = asking(labels)[:40]
    assert list(counted_hits(points, labels, queries))
    assert measured["whole blocks"] == 0
    assert measured["pairs"] < 3 * own_pairs(labels, queries) < len(queries) * len(labels.gallery) / 2


def test_where_all_is_left_open_each_distance_is_measured_once(measured: dict[str, int]) -> None:
    points, labels = crowd(0, 1500, 8, "collapsed")
    queries = asking(labels)[:50]
    assert list(counted_hits(points, labels, queries))
    assert measured == {"pairs": own_pairs(labels, queries), "whole blocks": len(queries) * len(labels.gallery)}


def test_a_large_gallery_with_few_matches_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(5000, 3, generator=generator)
    few, many = Labels(np.arange(5000) % 1000), Labels(np.arange(5000) % 10)
    assert counting_pays(points, few, few.queries)
    assert not counting_pays(points, many, many.queries)
    assert not counting_pays(points[:4000], few.of(np.arange(4000)), np.arange(4000))
    assert not counting_pays(points * 1e20, few, few.queries)
    some = np.full(5000, GALLERY, np.int8)
    some[::100] = QUERY
    labels = Labels(few.identities_N, None, some)
    counted = query_scores(points, labels)
    monkeypatch.setattr(retrieval, "counting_pays", lambda *_: False)
    by_sort = query_scores(points, labels)
    assert counted.first_Q.tolist() == by_sort.first_Q.tolist()
    for name in ("precision_Q", "trapezoid_Q", "inverse_penalty_Q"):
        assert getattr(counted, name).tobytes() == getattr(by_sort, name).tobytes()


def test_what_go_on_raises_ends_it() -> None:
    points, labels = crowd(0, 500, 4, "clouds")
    go_on = Mock(side_effect=[*[None] * 20, TimeoutError])
    with pytest.raises(TimeoutError):
        list(counted_hits(points, labels, asking(labels), go_on))


@pytest.mark.parametrize("ends", [False, True])
def test_products_are_in_float32_and_the_caller_has_its_settings_again(ends: bool) -> None:
    points, labels = crowd(1, 500, 8, "clouds")
    matmul, threads = torch.backends.mkldnn.matmul, torch.get_num_threads()  # type: ignore[attr-defined]
    before = matmul.fp32_precision
    seen = []

    def go_on() -> None:
        seen.append((torch.get_num_threads(), matmul.fp32_precision))
        if ends:
            raise TimeoutError

    try:
        torch.set_num_threads(2)
        matmul.fp32_precision = "bf16"
        with pytest.raises(TimeoutError) if ends else nullcontext():
            assert list(counted_hits(points, labels, asking(labels), go_on))
        assert (torch.get_num_threads(), matmul.fp32_precision) == (2, "bf16")
    finally:
        torch.set_num_threads(threads)
        matmul.fp32_precision = before
    assert set(seen) == {(1, "ieee")}

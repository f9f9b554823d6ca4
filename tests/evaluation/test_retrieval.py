"""Rank-1 and mAP against a slow loop, cases by hand, and torchmetrics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor
from torchmetrics.functional.retrieval import retrieval_average_precision

from reid_tui.evaluation.retrieval import (
    BYTES_PER_PAIR,
    MAX_BYTES,
    RetrievalScores,
    queries_per_chunk,
    retrieval_scores,
)


def slow_scores(points: Tensor, identities: Tensor, cameras: Tensor | None = None) -> tuple[float, float, int]:
    """The definition, image by image. Distances of whole numbers are exact, so that ties are ties here too."""
    rank1: list[bool] = []
    precisions: list[float] = []
    for query in range(len(points)):
        gallery = []
        for other in range(len(points)):
            same = bool(identities[other] == identities[query])
            if other == query or (cameras is not None and same and cameras[other] == cameras[query]):
                continue
            gallery.append((math.dist(points[query].tolist(), points[other].tolist()), other, same))
        hits = [same for _, _, same in sorted(gallery)]
        if not any(hits):
            continue
        at_hits = [sum(hits[: rank + 1]) / (rank + 1) for rank, hit in enumerate(hits) if hit]
        rank1.append(hits[0])
        precisions.append(sum(at_hits) / len(at_hits))
    if not rank1:
        return math.nan, math.nan, 0
    return sum(rank1) / len(rank1), sum(precisions) / len(precisions), len(rank1)


def assert_equals_loop(points: Tensor, identities: Tensor, cameras: Tensor | None = None, **limits: int) -> None:
    scores = retrieval_scores(points, identities, cameras, **limits)
    assert (scores.rank1, scores.map, scores.queries) == pytest.approx(
        slow_scores(points, identities, cameras), rel=1e-12, nan_ok=True
    )


def clouds(images: int, identities: int, dim: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(identities, (images,), generator=generator)
    centres = torch.randn(identities, dim, generator=generator)
    return centres[labels] + torch.randn(images, dim, generator=generator), labels


def test_hand_computed_ranking() -> None:
    # On a line: A at 0, B at 1, A at 3, B at 7.
    # A0: B, A, B -> 1/2.  B1: A, A, B -> 1/3.  A3: B, A, B -> 1/2.  B7: A, B, A -> 1/2.
    scores = retrieval_scores(torch.tensor([[0.0], [1.0], [3.0], [7.0]]), torch.tensor([0, 1, 0, 1]))
    assert scores.rank1 == 0.0
    assert scores.map == pytest.approx((1 / 2 + 1 / 3 + 1 / 2 + 1 / 2) / 4)
    assert scores.queries == 4


@pytest.mark.parametrize("with_cameras", [False, True])
@pytest.mark.parametrize("dim", [1, 2, 16])
def test_equals_the_loop(dim: int, with_cameras: bool) -> None:
    points, identities = clouds(90, 7, dim, seed=dim)
    cameras = torch.arange(90) % 3 if with_cameras else None
    assert_equals_loop(points, identities, cameras)


@settings(max_examples=60, deadline=None)
@given(
    points=hnp.arrays(np.int64, (14, 2), elements=st.integers(0, 2)),
    identities=hnp.arrays(np.int64, 14, elements=st.integers(0, 3)),
    cameras=st.none() | hnp.arrays(np.int64, 14, elements=st.integers(0, 1)),
)
def test_equals_the_loop_where_most_distances_are_equal(
    points: np.ndarray, identities: np.ndarray, cameras: np.ndarray | None
) -> None:
    assert_equals_loop(
        torch.tensor(points, dtype=torch.float32),
        torch.tensor(identities),
        None if cameras is None else torch.tensor(cameras),
    )


def test_equals_torchmetrics() -> None:
    points, identities = clouds(60, 5, 3, seed=8)
    expected = []
    for query in range(60):
        others = torch.arange(60) != query
        distances = (points[others] - points[query]).norm(dim=1)
        nearness = 1 / (1 + distances)  # torchmetrics wants scores above 0
        expected.append(retrieval_average_precision(nearness, identities[others] == identities[query]))
    assert retrieval_scores(points, identities).map == pytest.approx(float(torch.stack(expected).mean()), rel=1e-5)


def test_a_query_never_finds_itself() -> None:
    # Every image lies exactly on one of another identity; its own distance 0 must not count as a hit.
    points = torch.tensor([[0.0], [0.0], [5.0], [5.0]])
    scores = retrieval_scores(points, torch.tensor([0, 1, 0, 1]))
    assert scores.rank1 == 0.0


def test_ties_are_ranked_by_gallery_index() -> None:
    points = torch.zeros(3, 1)
    # A A B: both A find each other first. A B A: both A find B first where it comes before the other A.
    assert retrieval_scores(points, torch.tensor([0, 0, 1])).rank1 == 1.0
    assert retrieval_scores(points, torch.tensor([0, 1, 0])) == RetrievalScores(rank1=0.5, map=0.75, queries=2)


def test_images_of_the_own_camera_leave_the_gallery() -> None:
    # Identity 0: cameras 0, 0, 1 at 0, 1, 10. Identity 1: camera 0 at 4. Queries 0 and 1 pass over each other, meet the
    # stranger of their own camera (he stays) and then the positive: precision 1/2. The third finds the stranger first
    # and then both: (1/2 + 2/3) / 2. The stranger has no positive and is not counted.
    points = torch.tensor([[0.0], [1.0], [10.0], [4.0]])
    scores = retrieval_scores(points, torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 1, 0]))
    assert scores.queries == 3
    assert scores.rank1 == 0.0
    assert scores.map == pytest.approx((1 / 2 + 1 / 2 + (1 / 2 + 2 / 3) / 2) / 3)


def test_one_identity_is_perfect_and_only_strangers_are_undefined() -> None:
    points, _ = clouds(12, 3, 2, seed=1)
    assert retrieval_scores(points, torch.zeros(12, dtype=torch.long)) == RetrievalScores(
        rank1=1.0, map=1.0, queries=12
    )
    nothing = retrieval_scores(points, torch.arange(12))
    assert nothing.queries == 0
    assert math.isnan(nothing.rank1)
    assert math.isnan(nothing.map)
    assert retrieval_scores(torch.zeros(0, 2), torch.zeros(0, dtype=torch.long)).queries == 0


def test_one_camera_leaves_no_positive() -> None:
    points, identities = clouds(12, 3, 2, seed=1)
    assert retrieval_scores(points, identities, torch.zeros(12, dtype=torch.long)).queries == 0


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), power=st.integers(-8, 8))
def test_order_and_scale_do_not_matter(seed: int, power: int) -> None:
    points, identities = clouds(40, 4, 3, seed)
    cameras = torch.arange(40) % 2
    order = torch.randperm(40, generator=torch.Generator().manual_seed(seed))
    scores = retrieval_scores(points, identities, cameras)
    moved = retrieval_scores(points[order] * 2.0**power, identities[order], cameras[order])
    assert (moved.rank1, moved.queries) == (scores.rank1, scores.queries)
    assert moved.map == pytest.approx(scores.map, rel=1e-12)
    assert 0 <= scores.map <= 1


def test_chunks_of_one_query_score_the_same() -> None:
    points, identities = clouds(50, 4, 2, seed=3)
    narrow = retrieval_scores(points, identities, max_bytes=50 * BYTES_PER_PAIR)
    whole = retrieval_scores(points, identities)
    assert narrow.rank1 == whole.rank1
    assert narrow.map == pytest.approx(whole.map, rel=1e-12)


@pytest.mark.parametrize("images", [1, 100, 10_000, 1_000_000])
def test_a_chunk_stays_within_the_limit(images: int) -> None:
    for limit in (MAX_BYTES, images * BYTES_PER_PAIR):
        chunk = queries_per_chunk(images, limit)
        assert chunk >= 1
        assert chunk * images * BYTES_PER_PAIR <= limit
    with pytest.raises(ValueError, match="max_bytes"):
        queries_per_chunk(images, images * BYTES_PER_PAIR - 1)


def test_what_is_allocated_stays_within_the_limit() -> None:
    points, identities = clouds(1500, 1, 2, seed=4)
    limit = 64 * 1500 * BYTES_PER_PAIR
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True, acc_events=True
    ) as profile:
        retrieval_scores(points, identities, torch.arange(1500) % 2, max_bytes=limit)
    alive = peak = 0
    for event in sorted(profile.profiler.kineto_results.events(), key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            alive += event.nbytes()
            peak = max(peak, alive)
    assert limit / 4 < peak <= limit + 64 * 1500  # the arrays of N values that every chunk shares


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_refuses_what_is_not_finite(bad: float) -> None:
    points = torch.zeros(4, 2)
    points[1, 0] = bad
    with pytest.raises(ValueError, match="finite"):
        retrieval_scores(points, torch.zeros(4, dtype=torch.long))


def test_refuses_labels_of_another_length() -> None:
    with pytest.raises(ValueError, match="identities"):
        retrieval_scores(torch.zeros(4, 2), torch.zeros(3, dtype=torch.long))
    with pytest.raises(ValueError, match="cameras"):
        retrieval_scores(torch.zeros(4, 2), torch.zeros(4, dtype=torch.long), torch.zeros(5, dtype=torch.long))
    with pytest.raises(ValueError, match="embeddings"):
        retrieval_scores(torch.zeros(4), torch.zeros(4, dtype=torch.long))


def test_neither_gradients_nor_inputs_are_touched() -> None:
    points, identities = clouds(10, 2, 2, seed=5)
    before = points.clone()
    retrieval_scores(points.requires_grad_(), identities)
    assert torch.equal(points, before)

"""CMC, mAP and mINP against the protocol word by word, cases by hand, scikit-learn and torchmetrics."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import average_precision_score
from torch import Tensor
from torchmetrics.functional.retrieval import retrieval_average_precision

from reid_tui.evaluation import ranking
from reid_tui.evaluation.labels import DISTRACTOR, GALLERY, JUNK, QUERY, Labels
from reid_tui.evaluation.ranking import (
    BYTES_PER_HIT,
    BYTES_PER_IMAGE,
    CHUNK_LIMIT,
    MAX_BYTES,
    queries_per_chunk,
)
from reid_tui.evaluation.retrieval import RetrievalScores, query_scores, retrieval_scores
from tests.evaluation.slow import slow_scores

BOTH = QUERY + GALLERY


def labels_of(identities: Any, cameras: Any = None, roles: Any = None) -> Labels:
    return Labels(
        np.array(identities, dtype=np.int64),
        None if cameras is None else np.array(cameras, dtype=np.int64),
        None if roles is None else np.array(roles, dtype=np.int8),
    )


def scores_of(points: Tensor, labels: Labels, **limits: int) -> RetrievalScores:
    return retrieval_scores(query_scores(points, labels, **limits), labels)


def assert_equals_loop(points: Tensor, labels: Labels) -> None:
    expected = slow_scores(points, labels)
    found = dataclasses.asdict(scores_of(points, labels))
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-12, nan_ok=True)


def clouds(images: int, identities: int, dim: int, seed: int) -> tuple[Tensor, np.ndarray]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(identities, (images,), generator=generator)
    centres = torch.randn(identities, dim, generator=generator)
    return centres[labels] + torch.randn(images, dim, generator=generator), labels.numpy()


def on_a_line(places: list[float]) -> Tensor:
    return torch.tensor(places)[:, None]


def all_kinds(seed: int, images: int = 120) -> tuple[Tensor, Labels]:
    """Junk, distractors, roles and cameras, without ties."""
    points, identities = clouds(images, 9, 4, seed)
    identities = np.where(identities == 7, JUNK, np.where(identities == 8, DISTRACTOR, identities))
    generator = np.random.default_rng(seed)
    roles = generator.choice([QUERY, GALLERY, BOTH], images)
    return points, labels_of(identities, generator.integers(0, 3, images), roles)


# Cases by hand.


def test_matches_at_ranks_1_2_4_and_7() -> None:
    labels = labels_of([0, 0, 0, 1, 0, 1, 1, 0], roles=[QUERY, *[GALLERY] * 7])
    scores = scores_of(on_a_line([0, 1, 2, 3, 4, 5, 6, 7]), labels)
    assert scores.map == pytest.approx(0.830357, abs=5e-7)
    assert scores.map_trapezoid == pytest.approx(0.811012, abs=5e-7)
    assert scores.minp == pytest.approx(0.571429, abs=5e-7)
    assert scores.protocol == "query and gallery"
    assert (scores.queries, scores.gallery) == (1, 7)


def test_images_of_the_query_by_its_own_camera_leave_its_gallery() -> None:
    identities, cameras = zip((1, 1), (1, 1), (2, 2), (1, 2), (1, 1), (3, 1), (1, 3), strict=True)
    labels = labels_of(identities, cameras, [QUERY, *[GALLERY] * 6])
    points = on_a_line([0, 1, 2, 3, 4, 5, 6])
    scores = scores_of(points, labels)
    assert (scores.rank1, scores.map, scores.minp) == (0.0, 0.5, 0.5)
    assert query_scores(points, labels).first_Q.tolist() == [2]
    assert scores.protocol == "query and gallery, other cameras only"


def test_at_one_distance_those_that_do_not_match_rank_first() -> None:
    labels = labels_of([0, 0, 0, *range(1, 9)], roles=[QUERY, *[GALLERY] * 10])
    scores = scores_of(on_a_line([0] + [1] * 10), labels)
    assert (scores.rank1, scores.rank5, scores.rank10) == (0.0, 0.0, 1.0)
    assert scores.map == pytest.approx((1 / 9 + 2 / 10) / 2)


def test_leave_one_out_on_a_line() -> None:
    # A at 0, B at 1, A at 3, B at 7. A0: B, A, B -> 1/2. B1: A, A, B -> 1/3. A3: B, A, B -> 1/2. B7: A, B, A -> 1/2.
    scores = scores_of(on_a_line([0, 1, 3, 7]), labels_of([0, 1, 0, 1]))
    assert scores.rank1 == 0.0
    assert scores.map == pytest.approx((1 / 2 + 1 / 3 + 1 / 2 + 1 / 2) / 4)
    assert (scores.protocol, scores.queries, scores.gallery) == ("leave-one-out", 4, 4)


def test_leave_one_out_with_cameras() -> None:
    # Identity 0: cameras 0, 0, 1 at 0, 1, 10. Identity 1: camera 0 at 4. Queries 0 and 1 pass over each other, meet the
    # stranger of their own camera (he stays) and then the match: precision 1/2. The third finds the stranger first and
    # then both: (1/2 + 2/3) / 2. The stranger has no match and is not counted.
    scores = scores_of(on_a_line([0, 1, 10, 4]), labels_of([0, 0, 0, 1], [0, 0, 1, 0]))
    assert (scores.queries, scores.queries_without_match) == (3, 1)
    assert scores.rank1 == 0.0
    assert scores.map == pytest.approx((1 / 2 + 1 / 2 + (1 / 2 + 2 / 3) / 2) / 3)
    assert scores.protocol == "leave-one-out, other cameras only"


def test_a_query_never_finds_itself() -> None:
    # Every image lies exactly on one of another identity; its own distance 0 must not count as a hit.
    assert scores_of(on_a_line([0, 0, 5, 5]), labels_of([0, 1, 0, 1])).rank1 == 0.0
    in_both = labels_of([0, 0, 1], roles=[BOTH, GALLERY, GALLERY])
    assert scores_of(on_a_line([0, 2, 1]), in_both).rank1 == 0.0


def test_junk_leaves_every_gallery_and_distractors_stay() -> None:
    points, roles = on_a_line([0, 1, 2, 3]), [BOTH, BOTH, BOTH, BOTH]
    junk = scores_of(points, labels_of([0, JUNK, JUNK, 0], roles=roles))
    assert (junk.rank1, junk.queries, junk.queries_without_match, junk.gallery) == (1.0, 2, 0, 2)
    distractors = scores_of(points, labels_of([0, DISTRACTOR, DISTRACTOR, 0], roles=roles))
    assert (distractors.rank1, distractors.map) == (0.0, 1 / 3)
    assert (distractors.queries, distractors.queries_without_match, distractors.gallery) == (2, 0, 4)


def test_beyond_the_gallery_the_curve_stays_where_it_ended() -> None:
    scores = scores_of(on_a_line([0, 1, 2, 5]), labels_of([0, 1, 1, 0], roles=[QUERY, *[GALLERY] * 3]))
    assert (scores.rank1, scores.rank5, scores.rank10, scores.rank20) == (0.0, 1.0, 1.0, 1.0)


def test_a_collapsed_network_scores_near_0() -> None:
    scores = scores_of(torch.full((200, 8), 0.3), labels_of(np.arange(200) // 2))
    assert (scores.rank1, scores.rank20) == (0.0, 0.0)
    assert scores.map == pytest.approx(1 / 199)


def test_one_identity_is_perfect_and_only_strangers_are_undefined() -> None:
    points, _ = clouds(12, 3, 2, seed=1)
    one = scores_of(points, labels_of([0] * 12))
    assert (one.rank1, one.map, one.map_trapezoid, one.minp, one.queries) == (1.0, 1.0, 1.0, 1.0, 12)
    for labels in (labels_of(range(12)), labels_of([0] * 12, [0] * 12), labels_of([JUNK] * 12)):
        nothing = scores_of(points, labels)
        assert nothing.queries == 0
        assert all(math.isnan(value) for value in (nothing.rank1, nothing.rank20, nothing.map, nothing.minp))
    assert scores_of(torch.zeros(0, 2), labels_of([])).queries == 0


# Against others.


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_equals_the_loop(seed: int) -> None:
    points, labels = all_kinds(seed)
    for part in (
        labels,
        labels_of(labels.identities_N, labels.cameras_N),
        labels_of(labels.identities_N, None, labels.roles_N),
        labels_of(labels.identities_N),
    ):
        assert_equals_loop(points, part)


KINDS = st.sampled_from([JUNK, DISTRACTOR, 0, 0, 1, 2])


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    points=hnp.arrays(np.int64, (14, 2), elements=st.integers(0, 2)),
    identities=hnp.arrays(np.int64, 14, elements=KINDS),
    cameras=st.none() | hnp.arrays(np.int64, 14, elements=st.integers(0, 1)),
    roles=st.none() | hnp.arrays(np.int8, 14, elements=st.sampled_from([QUERY, GALLERY, BOTH])),
)
def test_equals_the_loop_where_most_distances_are_equal(
    points: np.ndarray, identities: np.ndarray, cameras: np.ndarray | None, roles: np.ndarray | None
) -> None:
    assert_equals_loop(torch.tensor(points, dtype=torch.float32), Labels(identities, cameras, roles))


def test_equals_scikit_learn_and_torchmetrics() -> None:
    points, identities = clouds(60, 5, 3, seed=8)
    learned, measured = [], []
    for query in range(60):
        others = np.arange(60) != query
        distances = (points[others] - points[query]).norm(dim=1)
        matches = identities[others] == identities[query]
        learned.append(average_precision_score(matches, -distances.numpy()))
        # torchmetrics drops what has no score above 0
        measured.append(float(retrieval_average_precision(1 / (1 + distances), torch.from_numpy(matches))))
    found = scores_of(points, labels_of(identities)).map
    assert found == pytest.approx(np.mean(learned), rel=1e-12)
    assert found == pytest.approx(np.mean(measured), rel=1e-5)


# What must not matter, to the bit.


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), power=st.integers(-20, 20), ties=st.booleans())
def test_order_and_scale_do_not_matter(seed: int, power: int, ties: bool) -> None:
    points, labels = all_kinds(seed, 60)
    points = points.round() if ties else points
    order = np.random.default_rng(seed).permutation(60)
    assert scores_of(points[order] * 2.0**power, labels.of(order)) == scores_of(points, labels)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_scores_are_ordered(seed: int) -> None:
    points, labels = all_kinds(seed, 60)
    queries = query_scores(points, labels)
    curve = [(queries.first_Q <= k).mean() for k in range(1, 80)]
    assert curve == sorted(curve)
    assert curve[-1] == 1.0
    for share_Q in (queries.precision_Q, queries.trapezoid_Q, queries.inverse_penalty_Q):
        assert (share_Q > 0).all()
        assert (share_Q <= 1).all()
    assert (queries.trapezoid_Q <= queries.precision_Q).all()
    assert (queries.trapezoid_Q >= queries.precision_Q / 2).all()


@pytest.mark.parametrize("dim", [1, 3, 70])
def test_chunks_and_blocks_do_not_matter(dim: int, monkeypatch: pytest.MonkeyPatch) -> None:
    points, labels = all_kinds(3, 90)
    points = torch.cat([points] * 18, dim=1)[:, :dim]
    whole = query_scores(points, labels)
    monkeypatch.setattr(ranking, "BLOCK_BYTES", 4 * dim * 7)
    hits = int(labels.matches().max())
    narrow = query_scores(points, labels, max_bytes=2 * (len(labels.gallery) * BYTES_PER_IMAGE + hits * BYTES_PER_HIT))
    for field in dataclasses.fields(whole):
        assert np.array_equal(getattr(whole, field.name), getattr(narrow, field.name)), field.name


def test_equal_images_are_at_distance_0_wherever_they_lie() -> None:
    # In other ways to compute distances the copy of a far point is not at 0, and its place in the batch tells where.
    points = torch.randn(300, 64, generator=torch.Generator().manual_seed(0)) * 1e-3 + 1e3
    points[150:] = points[:150]
    assert scores_of(points, labels_of(np.arange(300) % 150)).rank1 == 1.0
    assert scores_of(points, labels_of(np.arange(300) % 75)).rank1 == 1.0


@pytest.mark.parametrize(("near", "far"), [(1e20, 3e38), (1e-30, 1e-28), (1e-42, 1e-40)])
def test_distances_that_float32_cannot_tell_apart_do_not_flatter(near: float, far: float) -> None:
    labels = labels_of([0, 0, 1], roles=[QUERY, GALLERY, GALLERY])
    assert scores_of(on_a_line([0.0, near, far]), labels).rank1 == 0.0
    assert scores_of(on_a_line([-0.0, -near, 0.0]), labels).rank1 == 0.0


def test_zeros_of_both_signs_are_one_place() -> None:
    labels = labels_of([0, 0, 1], roles=[QUERY, GALLERY, GALLERY])
    assert scores_of(on_a_line([0.0, -0.0, 0.0]), labels).rank1 == 0.0
    assert scores_of(on_a_line([0.0, 0.0, -0.0]), labels).rank1 == 0.0


# Room and interruptions.


@pytest.mark.parametrize("images", [1, 100, 10_000, 1_000_000])
def test_a_chunk_stays_within_the_limit(images: int) -> None:
    need = images * BYTES_PER_IMAGE + 3 * BYTES_PER_HIT
    for limit in (MAX_BYTES, need):
        assert 1 <= queries_per_chunk(images, 3, limit) <= CHUNK_LIMIT
        assert queries_per_chunk(images, 3, limit) * need <= limit
    with pytest.raises(ValueError, match="max_bytes"):
        queries_per_chunk(images, 3, need - 1)


@pytest.mark.parametrize("identities", [1, 500])
def test_what_is_allocated_stays_within_the_limit(identities: int) -> None:
    points, _ = clouds(1500, 1, 2, seed=4)
    labels = labels_of(np.arange(1500) % identities, np.arange(1500) // 700)
    hits = int(labels.matches().max())
    limit = 64 * (1500 * BYTES_PER_IMAGE + hits * BYTES_PER_HIT)
    tracemalloc.start()
    query_scores(points, labels, max_bytes=limit)
    numpy_peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True, acc_events=True
    ) as profile:
        query_scores(points, labels, max_bytes=limit)
    alive = peak = 0
    for event in sorted(profile.profiler.kineto_results.events(), key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            alive += event.nbytes()
            peak = max(peak, alive)
    shared = 200 * 1500  # arrays of N values
    assert limit / 4 < peak + numpy_peak <= limit + shared


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Sets torch's number of threads, for the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_any_number_of_threads_finds_the_same(threads: Callable[[int], None]) -> None:
    points, identities = clouds(300, 7, 3, seed=5)
    found = []
    for number in (1, 2, 5):
        threads(number)
        found.append(query_scores(points, labels_of(identities)))
    for name in ("first_Q", "precision_Q", "trapezoid_Q", "inverse_penalty_Q"):
        assert len({getattr(scores, name).tobytes() for scores in found}) == 1


def test_the_rows_are_shared_among_the_threads(threads: Callable[[int], None]) -> None:
    points, identities = clouds(100, 4, 2, seed=6)
    own = []
    for number in (1, 2):
        threads(number)
        rows = Mock(side_effect=lambda: time.sleep(0.001))
        query_scores(points, labels_of(identities), go_on=rows)
        own.append(rows.call_count)
    assert own[1] < own[0]


def test_what_go_on_raises_leaves_no_thread_behind(threads: Callable[[int], None]) -> None:
    threads(4)
    points, identities = clouds(100, 4, 2, seed=6)
    with pytest.raises(InterruptedError):
        query_scores(points, labels_of(identities), go_on=Mock(side_effect=InterruptedError))
    assert not [thread for thread in threading.enumerate() if "ranking" in thread.name]


@pytest.mark.parametrize("after", [1, 2, 100])
def test_go_on_comes_before_each_part_and_what_it_raises_ends_the_work(
    after: int, threads: Callable[[int], None]
) -> None:
    threads(1)
    points, identities = clouds(100, 4, 2, seed=6)
    calls: list[int] = []

    def go_on() -> None:
        calls.append(1)
        if len(calls) == after:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        query_scores(points, labels_of(identities), go_on=go_on)


# Refusals.


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_refuses_what_is_not_finite(bad: float) -> None:
    points = torch.zeros(4, 2)
    points[1, 0] = bad
    with pytest.raises(ValueError, match="finite"):
        query_scores(points, labels_of([0] * 4))


def test_refuses_what_is_not_finite_in_float32() -> None:
    with pytest.raises(ValueError, match="finite"):
        query_scores(torch.full((4, 2), 1e300, dtype=torch.float64), labels_of([0] * 4))


def test_refuses_labels_of_another_length() -> None:
    with pytest.raises(ValueError, match="identities"):
        query_scores(torch.zeros(4, 2), labels_of([0] * 3))
    with pytest.raises(ValueError, match="cameras"):
        query_scores(torch.zeros(4, 2), labels_of([0] * 4, [0] * 5))
    with pytest.raises(ValueError, match="roles"):
        query_scores(torch.zeros(4, 2), labels_of([0] * 4, None, [1] * 5))
    with pytest.raises(ValueError, match="embeddings"):
        query_scores(torch.zeros(4), labels_of([0] * 4))


def test_neither_gradients_nor_inputs_are_touched() -> None:
    points, identities = clouds(10, 2, 2, seed=5)
    before = points.clone()
    identities.flags.writeable = False
    query_scores(points.requires_grad_(), Labels(identities))
    assert torch.equal(points, before)

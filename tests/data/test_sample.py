from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_tui.data.sample import balanced_sample, retrieval_sample
from reid_tui.evaluation.labels import DISTRACTOR, GALLERY, JUNK, QUERY, Labels


@settings(max_examples=80, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 9), min_size=1, max_size=8),
    count=st.integers(0, 60),
    seed=st.integers(0, 2**63 - 1),
)
def test_every_prefix_is_as_balanced_as_the_images_allow(sizes: list[int], count: int, seed: int) -> None:
    identities = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes)).astype(np.int64)
    chosen = balanced_sample(identities, count, seed)
    assert chosen.dtype == np.int64
    assert len(chosen) == min(count, len(identities)) == len(set(chosen.tolist()))
    for length in range(len(chosen) + 1):
        found = np.bincount(identities[chosen[:length]], minlength=len(sizes))
        unfinished = found[found < np.array(sizes)]
        assert not len(unfinished) or found.max() <= unfinished.min() + 1


def test_sample_is_fixed_by_the_seed_and_varies_with_it() -> None:
    identities = np.repeat(np.arange(10), 100).astype(np.int64)
    first = balanced_sample(identities, 50, 4)
    assert np.array_equal(first, balanced_sample(identities, 50, 4))
    assert not np.array_equal(first, balanced_sample(identities, 50, 5))
    assert np.bincount(identities[first]).tolist() == [5] * 10


def test_smaller_sample_is_a_prefix_of_a_larger_one() -> None:
    identities = np.repeat(np.arange(3), 20).astype(np.int64)
    assert np.array_equal(balanced_sample(identities, 10, 0), balanced_sample(identities, 40, 0)[:10])


def test_negative_count_is_a_callers_mistake() -> None:
    with pytest.raises(ValueError, match="negative"):
        balanced_sample(np.zeros(3, dtype=np.int64), -1, 0)


def divided(seed: int, people: int = 30, images: int = 900) -> Labels:
    """Queries and a gallery as Market-1501 has them: four cameras, junk, and every fifth image a distractor."""
    generator = np.random.default_rng(seed)
    identities = generator.integers(0, people, images)
    roles = generator.choice([QUERY, GALLERY], images, p=[0.15, 0.85]).astype(np.int8)
    of_gallery = roles == GALLERY
    identities[of_gallery & (generator.random(images) < 0.2)] = DISTRACTOR
    identities[of_gallery & (generator.random(images) < 0.1)] = JUNK
    return Labels(identities, generator.integers(0, 4, images), roles)


def test_without_roles_it_is_the_balanced_sample() -> None:
    identities = np.random.default_rng(0).integers(0, 9, 200)
    for cameras in (None, identities % 3):
        sample = retrieval_sample(Labels(identities, cameras), 70, 5)
        assert np.array_equal(sample, balanced_sample(identities, 70, 5))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cameras", [True, False])
def test_every_query_of_every_prefix_has_a_match_but_the_last(seed: int, cameras: bool) -> None:
    labels = divided(seed)
    labels = labels if cameras else Labels(labels.identities_N, None, labels.roles_N)
    chosen = retrieval_sample(labels, 200, seed)
    assert chosen.dtype == np.int64
    assert len(chosen) == 200 == len(set(chosen.tolist()))
    assert not (labels.identities_N[chosen] == JUNK).any()
    for length in range(1, 200):
        matches = labels.of(chosen[:length]).matches()
        assert (matches == 0).sum() <= 1


def test_identities_count_alike_and_a_tenth_are_distractors() -> None:
    labels = divided(1)
    chosen = retrieval_sample(labels, 200, 0)
    identities, roles = labels.identities_N[chosen], labels.roles_N[chosen]  # type: ignore[index]
    assert (identities == DISTRACTOR).tolist() == [False] * 180 + [True] * 20
    _, queries = np.unique(identities[roles == QUERY], return_counts=True)
    _, finds = np.unique(identities[(roles == GALLERY) & (identities >= 0)], return_counts=True)
    assert queries.max() == 2
    assert finds.max() == 6
    assert (finds == 6).sum() >= 20


def test_images_of_other_cameras_than_the_queries_come_first() -> None:
    identities = np.zeros(30, dtype=np.int64)
    cameras = np.array([0, 0, *[0] * 20, *[1] * 8])
    roles = np.array([QUERY] * 2 + [GALLERY] * 28, dtype=np.int8)
    chosen = retrieval_sample(Labels(identities, cameras, roles), 8, 0)
    assert cameras[chosen[roles[chosen] == GALLERY]].tolist() == [1] * 6


def test_few_identities_give_again_until_nothing_is_left() -> None:
    labels = divided(2, people=2, images=100)
    chosen = retrieval_sample(labels, 1000, 0)
    people = labels.identities_N >= 0
    asked = set(labels.queries[labels.matches() > 0].tolist())
    found = set(labels.gallery[people[labels.gallery]].tolist())
    distractors = labels.identities_N == DISTRACTOR
    assert set(chosen.tolist()) == asked | found | set(np.flatnonzero(distractors).tolist())
    assert np.array_equal(chosen, retrieval_sample(labels, 1000, 0))
    assert not np.array_equal(chosen[:20], retrieval_sample(labels, 1000, 1)[:20])


def test_a_query_without_a_match_is_not_taken() -> None:
    identities, roles = np.array([0, 0, 1, 2, 2]), np.array([QUERY, GALLERY, QUERY, QUERY, GALLERY], dtype=np.int8)
    chosen = retrieval_sample(Labels(identities, np.array([0, 1, 0, 3, 3]), roles), 10, 0)
    assert chosen.tolist() == [0, 1]
    with pytest.raises(ValueError, match="negative"):
        retrieval_sample(Labels(identities, None, roles), -1, 0)


def test_images_that_are_query_and_gallery_are_taken_once() -> None:
    labels = Labels(np.arange(40) % 4, np.arange(40) % 3, np.full(40, QUERY + GALLERY, dtype=np.int8))
    chosen = retrieval_sample(labels, 100, 0)
    assert sorted(chosen.tolist()) == list(range(40))
    assert (labels.of(chosen[:16]).matches() > 0).all()

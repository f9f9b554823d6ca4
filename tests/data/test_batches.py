from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_tui.data.batches import draw_batches, small_identities
from reid_tui.data.pairs import draw_epoch, steps_per_epoch
from reid_tui.errors import DataError, UsageError


@st.composite
def drawings(draw: Any) -> tuple[np.ndarray, int, int, int]:
    """Identities of very different sizes and with gaps between their labels, a batch's size, K, an epoch."""
    sizes = draw(st.lists(st.integers(0, 9) | st.integers(10, 60), min_size=2, max_size=14))
    sizes[0], sizes[-1] = max(1, sizes[0]), max(1, sizes[-1])
    labels = np.repeat(np.arange(len(sizes)), sizes)
    in_a_batch = draw(st.integers(2, 40))
    per_identity = draw(st.integers(1, in_a_batch // 2))
    return np.random.default_rng(len(labels)).permutation(labels), in_a_batch, per_identity, draw(st.integers(0, 99))


def groups_of(batches: np.ndarray, per_identity: int) -> list[list[np.ndarray]]:
    return [np.split(batch, range(per_identity, len(batch), per_identity)) for batch in batches]


@settings(max_examples=150, deadline=None)
@given(drawings())
def test_an_epoch_is_whole_batches_of_groups_and_as_many_forwards_as_of_random_pairs(drawn: Any) -> None:
    labels, in_a_batch, per_identity, epoch = drawn
    batches = draw_batches(labels, in_a_batch, per_identity, 3, epoch)
    assert batches.shape == (-(-2 * len(labels) // in_a_batch), in_a_batch)
    assert batches.dtype == np.int64
    sizes = np.bincount(labels)
    for groups in groups_of(batches, per_identity):
        shown = []
        for group in groups:
            assert len(set(labels[group])) == 1
            shown.append(labels[group[0]])
            times = np.bincount(group)[group]
            assert times.max() <= -(-len(group) // min(sizes[shown[-1]], len(group)))
        identities = np.count_nonzero(sizes)
        assert len(set(shown)) == min(len(groups), identities)


@settings(max_examples=150, deadline=None)
@given(drawings())
def test_images_are_seen_equally_often_up_to_one_within_an_identity_and_up_to_a_group_between_two(drawn: Any) -> None:
    labels, in_a_batch, per_identity, epoch = drawn
    batches = draw_batches(labels, in_a_batch, per_identity, 3, epoch)
    seen = np.bincount(batches.ravel(), minlength=len(labels))
    for identity in set(labels):
        assert np.ptp(seen[labels == identity]) <= 1
    sizes = np.bincount(labels)
    firsts = batches[:, ::per_identity]
    groups = np.bincount(labels[firsts].ravel(), minlength=len(sizes))
    enough = np.minimum(-(-sizes // per_identity), len(batches))
    if np.count_nonzero(sizes) < firsts.shape[1]:
        low, high = np.full_like(sizes, len(batches)), np.full_like(sizes, firsts.size)
    else:
        low, high = enough * (enough.sum() <= firsts.size), np.full_like(sizes, len(batches))
    there = sizes > 0
    assert (groups[there] >= low[there]).all()
    assert (groups[there] <= high[there]).all()
    most = ((groups - 1) / np.maximum(sizes, 1))[there & (groups > low)]
    least = ((groups + 1) / np.maximum(sizes, 1))[there & (groups < high)]
    if len(most) and len(least):
        assert most.max() < least.min() + 1e-9


@pytest.mark.parametrize(
    ("identities", "images", "per_identity"), [(10, 600, 4), (10, 64, 8), (751, 17, 4), (80, 2, 4)]
)
def test_equal_identities_are_seen_about_twice(identities: int, images: int, per_identity: int) -> None:
    labels = np.tile(np.arange(identities), images)
    seen = np.bincount(draw_batches(labels, 128, per_identity, 0, 0).ravel(), minlength=len(labels))
    assert seen.min() >= 1
    assert seen.max() <= 4
    assert abs(seen.mean() - 2) < 128 / len(labels)


def test_an_identity_of_most_images_is_once_in_every_batch_if_others_can_fill_it() -> None:
    labels = np.array([0] * 900 + list(range(1, 101)))
    batches = draw_batches(labels, 32, 4, 0, 0)
    assert (np.count_nonzero(labels[batches] == 0, axis=1) == 4).all()


def test_draw_depends_on_seed_and_epoch_alone() -> None:
    labels = np.tile(np.arange(30), 20)
    reference = draw_batches(labels, 32, 4, 5, 2)
    assert np.array_equal(reference, draw_batches(labels, 32, 4, 5, 2))
    for seed, epoch in ((5, 3), (6, 2), (2, 5)):
        assert not np.array_equal(reference, draw_batches(labels, 32, 4, seed, epoch))
    assert len(reference) == steps_per_epoch(len(labels), 16)


def test_generators_of_pairs_and_batches_never_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    states = []
    philox = np.random.Philox

    def noted(**given: Any) -> np.random.Philox:
        made = philox(**given)
        states.append(made.state["state"])
        return made

    monkeypatch.setattr(np.random, "Philox", noted)
    labels = np.arange(40) // 4
    draw_epoch(labels, 5, 2)
    draw_batches(labels, 8, 4, 5, 2)
    assert np.array_equal(states[0]["key"], states[1]["key"])
    assert states[0]["counter"][3] != states[1]["counter"][3]


def test_an_image_comes_back_in_other_company() -> None:
    labels = np.repeat(np.arange(32), 400)
    groups = draw_batches(labels, 128, 4, 0, 0).reshape(-1, 4)
    assert len({tuple(sorted(group)) for group in groups.tolist()}) > 0.99 * len(groups)


def test_identities_and_images_meet_ever_different_ones() -> None:
    labels = np.repeat(np.arange(200), 20)
    identities_together = np.zeros((200, 200))
    images_together = np.zeros((20, 20))
    for epoch in range(40):
        batches = draw_batches(labels, 40, 4, 1, epoch)
        for batch in labels[batches[:, ::4]]:
            identities_together[np.ix_(batch, batch)] += 1
        for group in batches.reshape(-1, 4):
            images_together[np.ix_(group % 20, group % 20)] += 1
    for together, tolerance in ((identities_together, 6), (images_together, 6)):
        apart = together[~np.eye(len(together), dtype=bool)]
        assert np.abs(apart - apart.mean()).max() < tolerance * np.sqrt(apart.mean())


def test_two_batches_of_an_epoch_rarely_share_many_identities() -> None:
    labels = np.repeat(np.arange(200), 20)
    shown = labels[draw_batches(labels, 40, 4, 1, 0)[:, ::4]]
    shared = [len(set(a) & set(b)) for i, a in enumerate(shown) for b in shown[:i]]
    assert max(shared) <= 6  # of 10; drawn at random, 0.5 on average
    assert abs(np.mean(shared) - 0.5) < 0.1


def test_identities_smaller_than_a_group_are_counted() -> None:
    assert small_identities(np.array([0, 0, 0, 2, 2, 5, 7, 7, 7, 7]), 3) == 2
    assert small_identities(np.array([0, 0, 3, 3]), 2) == 0


@pytest.mark.parametrize("labels", [[], [0], [4, 4, 4]])
def test_fewer_than_two_identities_is_a_data_error(labels: list[int]) -> None:
    with pytest.raises(DataError, match=f"at least 2 identities, not of {len(set(labels))}"):
        draw_batches(np.array(labels, dtype=np.int64), 8, 4, 0, 0)


@pytest.mark.parametrize("per_identity", [0, 5, 9])
def test_a_batch_has_room_for_two_identities(per_identity: int) -> None:
    with pytest.raises(UsageError, match=f"must be 1 to 4 in batches of 8 images, not {per_identity}"):
        draw_batches(np.arange(8) // 2, 8, per_identity, 0, 0)

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_tui.data.pairs import draw_epoch, pairs_of_step, steps_per_epoch
from reid_tui.errors import DataError

if TYPE_CHECKING:
    from reid_tui.data.dataset import Dataset

UNEVEN = np.repeat(np.arange(10), [600, 300, 900, 100, 50, 1200, 700, 10, 140, 2000]).astype(np.int64)


def shuffled(labels: np.ndarray, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).permutation(labels)


@settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(st.integers(0, 12), min_size=2, max_size=60).filter(lambda found: len(set(found)) > 1),
    seed=st.integers(0, 2**63 - 1),
    epoch=st.integers(0, 1000),
)
def test_every_image_is_once_the_first_and_same_is_true_of_equal_identities_only(
    labels: list[int], seed: int, epoch: int
) -> None:
    identities = np.array(labels, dtype=np.int64)
    drawn = draw_epoch(identities, seed, epoch)
    assert np.array_equal(np.sort(drawn.first_P), np.arange(len(labels)))
    assert drawn.same_P.dtype == np.bool_
    assert np.array_equal(drawn.same_P, identities[drawn.first_P] == identities[drawn.second_P])


def test_half_of_the_pairs_are_the_same_identity() -> None:
    identities = shuffled(np.repeat(np.arange(10), 6000).astype(np.int64))
    share = np.mean([draw_epoch(identities, 0, epoch).same_P.mean() for epoch in range(5)])
    assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(5 * 60_000)


def test_same_partner_is_uniform_in_its_identity() -> None:
    identities = shuffled(np.repeat(np.arange(3), 4).astype(np.int64))
    counts = np.zeros((12, 12))
    for epoch in range(3000):
        drawn = draw_epoch(identities, 7, epoch)
        np.add.at(counts, (drawn.first_P[drawn.same_P], drawn.second_P[drawn.same_P]), 1)
    group = identities[:, None] == identities
    assert (counts[~group] == 0).all()
    found, expected = counts[group], 3000 / 2 / 4
    assert np.abs(found - expected).max() < 5 * np.sqrt(expected)


def test_different_partner_is_uniform_over_the_other_identities_whatever_their_size() -> None:
    identities = shuffled(UNEVEN)
    counts = np.zeros((10, 10))
    for epoch in range(40):
        drawn = draw_epoch(identities, 3, epoch)
        other = ~drawn.same_P
        np.add.at(counts, (identities[drawn.first_P[other]], identities[drawn.second_P[other]]), 1)
    assert (np.diag(counts) == 0).all()
    for row, found in enumerate(counts):
        rest = np.delete(found, row)
        expected = rest.sum() / 9
        assert np.abs(rest - expected).max() < 5 * np.sqrt(expected)


def test_different_partner_is_uniform_in_the_identity_that_was_drawn() -> None:
    identities = np.array([0] * 300 + [1] * 5, dtype=np.int64)
    counts = np.zeros(305)
    for epoch in range(60):
        drawn = draw_epoch(identities, 11, epoch)
        np.add.at(counts, drawn.second_P[~drawn.same_P], 1)
    small = counts[300:]
    assert np.abs(small - small.mean()).max() < 5 * np.sqrt(small.mean())


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(1, 3), min_size=2, max_size=12), seed=st.integers(0, 99), epoch=st.integers(0, 99))
def test_an_identitys_only_image_is_never_a_same_pair(sizes: list[int], seed: int, epoch: int) -> None:
    identities = shuffled(np.repeat(np.arange(len(sizes)), sizes).astype(np.int64))
    drawn = draw_epoch(identities, seed, epoch)
    alone = (np.bincount(identities) == 1)[identities[drawn.first_P]]
    assert not drawn.same_P[alone].any()
    assert (identities[drawn.second_P[alone]] != identities[drawn.first_P[alone]]).all()


def test_pairs_of_data_whose_identities_have_several_images_each_are_what_they_always_were() -> None:
    drawn = draw_epoch(shuffled(UNEVEN), 5, 2)
    parts = (drawn.first_P, drawn.second_P, drawn.same_P)
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()
    assert digest == "362547ba57ebae14e00e893741b12120cb8252bec40f972460522983d1ca7582"


def test_labels_that_do_not_occur_are_no_identities() -> None:
    identities = np.array([2, 2, 7, 7, 7], dtype=np.int64)
    drawn = draw_epoch(identities, 0, 0)
    assert set(identities[drawn.second_P]) <= {2, 7}


def test_draw_depends_on_seed_and_epoch_alone() -> None:
    identities = shuffled(UNEVEN)
    reference = draw_epoch(identities, 5, 2)
    again = draw_epoch(identities, 5, 2)
    assert np.array_equal(reference.first_P, again.first_P)
    assert np.array_equal(reference.second_P, again.second_P)
    for seed, epoch in ((5, 3), (6, 2), (2, 5)):
        assert not np.array_equal(reference.first_P, draw_epoch(identities, seed, epoch).first_P)


@pytest.mark.parametrize("batch_size", [1, 7, 64, 100, 1000])
def test_pairs_of_a_step_are_its_slice_of_the_epoch(batch_size: int) -> None:
    identities = shuffled(UNEVEN[:100] % 3 + np.arange(100) % 4)
    steps = steps_per_epoch(100, batch_size)
    for epoch in range(2):
        whole = draw_epoch(identities, 9, epoch)
        parts = [pairs_of_step(identities, 9, epoch * steps + index + 1, batch_size) for index in range(steps)]
        assert [len(part) for part in parts[:-1]] == [batch_size] * (steps - 1)
        assert len(parts[-1]) == 100 - batch_size * (steps - 1)
        assert np.array_equal(np.concatenate([part.first_P for part in parts]), whole.first_P)
        assert np.array_equal(np.concatenate([part.second_P for part in parts]), whole.second_P)
        assert np.array_equal(np.concatenate([part.same_P for part in parts]), whole.same_P)


def test_tutorial_takes_938_steps() -> None:
    assert steps_per_epoch(60_000, 64) == 938


@pytest.mark.parametrize("labels", [[], [0], [4, 4, 4]])
def test_fewer_than_two_identities_is_a_data_error(labels: list[int]) -> None:
    with pytest.raises(DataError, match=f"at least 2 identities, not of {len(set(labels))}"):
        draw_epoch(np.array(labels, dtype=np.int64), 0, 0)


@pytest.mark.parametrize(("images", "batch_size"), [(0, 4), (4, 0)])
def test_no_images_or_no_batch_is_a_callers_mistake(images: int, batch_size: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        steps_per_epoch(images, batch_size)


def test_steps_count_from_one() -> None:
    with pytest.raises(ValueError, match="from 1"):
        pairs_of_step(UNEVEN, 0, 0, 4)


def test_on_the_real_training_images(fashion_mnist: Dataset) -> None:
    identities = fashion_mnist.train.identities
    drawn = draw_epoch(identities, 0, 0)
    assert len(drawn) == 60_000
    assert abs(drawn.same_P.mean() - 0.5) < 0.01
    other = ~drawn.same_P
    table = np.zeros((10, 10))
    np.add.at(table, (identities[drawn.first_P[other]], identities[drawn.second_P[other]]), 1)
    assert (np.diag(table) == 0).all()
    assert np.abs(table[~np.eye(10, dtype=bool)] - 30_000 / 90).max() < 5 * np.sqrt(30_000 / 90)

"""Epochs without some images: nothing left out is the same draw, and what is left out is in no pair."""

from __future__ import annotations

import numpy as np
import pytest

from reid_tui.data.batches import draw_batches
from reid_tui.data.leaving_out import batches_without, pairs_without
from reid_tui.data.pairs import draw_epoch
from reid_tui.errors import DataError

IDENTITIES = np.random.default_rng(5).integers(0, 7, 200)
NONE = np.zeros(0, np.int64)
OUT = np.array([3, 50, 199])


def test_nothing_left_out_is_the_same_draw() -> None:
    one, other = pairs_without(IDENTITIES, NONE, 3, 4), draw_epoch(IDENTITIES, 3, 4)
    for name in ("first_P", "second_P", "same_P"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    batches = draw_batches(IDENTITIES, 32, 4, 3, 4)
    np.testing.assert_array_equal(batches_without(IDENTITIES, NONE, 32, 4, 3, 4), batches)


def test_only_pairs_with_what_is_left_out_are_others() -> None:
    whole, left = draw_epoch(IDENTITIES, 3, 4), pairs_without(IDENTITIES, OUT, 3, 4)
    touched = np.isin(whole.first_P, OUT) | np.isin(whole.second_P, OUT)
    assert 3 <= touched.sum() < 20
    for name in ("first_P", "second_P"):
        np.testing.assert_array_equal(getattr(left, name)[~touched], getattr(whole, name)[~touched])
        assert not np.isin(getattr(left, name), OUT).any()
    np.testing.assert_array_equal(left.same_P, IDENTITIES[left.first_P] == IDENTITIES[left.second_P])
    again = pairs_without(IDENTITIES, OUT, 3, 4)
    np.testing.assert_array_equal(again.second_P, left.second_P)


def test_batches_are_as_many_and_as_large() -> None:
    out = np.arange(40)
    left = batches_without(IDENTITIES, out, 32, 4, 3, 4)
    assert left.shape == draw_batches(IDENTITIES, 32, 4, 3, 4).shape
    assert not np.isin(left, out).any()


def test_most_of_them_left_out() -> None:
    out = np.flatnonzero(IDENTITIES > 1)
    left = pairs_without(IDENTITIES, out, 3, 4)
    assert len(left) == 200
    assert not np.isin(np.concatenate([left.first_P, left.second_P]), out).any()
    with pytest.raises(DataError, match="at least 2 identities"):
        pairs_without(IDENTITIES, np.flatnonzero(IDENTITIES > 0), 3, 4)

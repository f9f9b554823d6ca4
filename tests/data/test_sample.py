from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_tui.data.sample import balanced_sample


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

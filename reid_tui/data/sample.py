"""A fixed sample of images in which every identity counts alike. Numpy only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from reid_tui.data.dataset import IntArray


def balanced_sample(identities_N: IntArray, count: int, seed: int) -> IntArray:
    """Choose images round robin over the identities, each identity's images in a seeded order.

    Every prefix is balanced too: while no identity has run out, counts differ by at most one.

    Args:
        identities_N: (N,) int64 >= 0.
        count: images wanted, >= 0.
        seed: of the choice, >= 0.

    Returns:
        (M,) int64 distinct indices, M = min(count, N).

    Raises:
        ValueError: negative `count`.
    """
    if count < 0:
        raise ValueError(f"count must not be negative, not {count}")
    rng = np.random.Generator(np.random.Philox(key=np.array([seed, 0], dtype=np.uint64)))
    shuffled_N = rng.permutation(len(identities_N))
    grouped_N = shuffled_N[np.argsort(identities_N[shuffled_N], kind="stable")]
    counts_K = np.bincount(identities_N)
    starts_K = np.cumsum(counts_K) - counts_K
    round_N = np.arange(len(identities_N)) - np.repeat(starts_K, counts_K)
    return grouped_N[np.argsort(round_N, kind="stable")][:count].astype(np.int64, copy=False)

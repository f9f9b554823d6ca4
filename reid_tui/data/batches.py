"""Batches of P identities with W images each, a whole epoch at a time, from nothing but (labels, seed, epoch).

Counter based, as `pairs`: any epoch can be drawn without those before it. An epoch costs as many image forwards as one
of random pairs: each image is seen about twice.

An epoch is dealt out twice in the same way: groups of identities over batches, then images of an identity over its
groups. Each deal starts from a regular one that is as even as can be, and is then mixed by trades that keep it so.

Legend: N images, K identities, B images of a batch, P groups of a batch, Q groups of an epoch, W images of a group.
Numpy only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.errors import DataError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reid_tui.data.dataset import IntArray

    FloatArray = NDArray[np.float64]

_STREAM: Final = 1
"""Last word of the generator's counter; pairs are drawn with 0."""
_IMAGE_ROUNDS: Final = 4
"""Trades that a group's images go through: each exchanges about half of them."""


def draw_batches(identities_N: IntArray, images_per_batch: int, per_identity: int, seed: int, epoch: int) -> IntArray:
    """Draw the batches of one epoch.

    A batch is `images_per_batch // per_identity` groups of `per_identity` images of one identity; where that leaves
    places, one more group fills them and is shorter. With as many identities as groups, or more, all groups of a batch
    show different ones. With fewer, every identity is in every batch, and those of many images have several groups.

    How often an image is seen in the epoch: as often as any other of its identity, or once more. Identities have
    groups in proportion to their images, so that images of two of them are seen equally often up to one group; but
    every identity has enough groups for all of its images, where an epoch has so many groups, and at most one in a
    batch, if there are enough identities to fill the others. Within a group, no image comes twice unless its identity
    has fewer than `per_identity`.

    Args:
        identities_N: (N,) int64 >= 0; labels that do not occur are no identities.
        images_per_batch: B, at least twice `per_identity`.
        per_identity: W, at least 1.
        seed: of the run, 0 to 2**64 - 1.
        epoch: from 0.

    Returns:
        (ceil(2N / B), B) indices of images. No batch is short.

    Raises:
        DataError: fewer than two identities.
        UsageError: a batch has no room for two groups.
    """
    present, identity_N, counts_K = np.unique(identities_N, return_inverse=True, return_counts=True)
    if len(present) < 2:
        raise DataError(f"batches need images of at least 2 identities, not of {len(present)}; take another data set")
    if not 1 <= per_identity <= images_per_batch // 2:
        raise UsageError(
            f"--images-per-identity must be 1 to {images_per_batch // 2} in batches of {images_per_batch} images, "
            f"not {per_identity}: a batch shows at least two identities"
        )
    rng = np.random.Generator(
        np.random.Philox(key=np.array([seed, epoch], dtype=np.uint64), counter=np.array([0, 0, 0, _STREAM]))
    )
    steps = -(-2 * len(identity_N) // images_per_batch)
    widths_P = _widths(images_per_batch, per_identity)
    groups_K = _groups_of_identities(counts_K, steps, len(widths_P), per_identity, rng)
    identity_Q = _identities_of_batches(groups_K, steps, rng).ravel()
    images_QW = _images_of_groups(identity_N, counts_K, identity_Q, np.tile(widths_P, steps), rng)
    return images_QW[images_QW >= 0].reshape(steps, images_per_batch)


def small_identities(identities_N: IntArray, per_identity: int) -> int:
    """How many identities have fewer than `per_identity` images, so that theirs come more than once in a group."""
    counts = np.bincount(identities_N)
    return int(np.count_nonzero((counts > 0) & (counts < per_identity)))


def _widths(images_per_batch: int, per_identity: int) -> IntArray:
    """(P,) images of each group of a batch."""
    whole, rest = divmod(images_per_batch, per_identity)
    return np.array([per_identity] * whole + [rest] * (rest > 0))


def _groups_of_identities(
    counts_K: IntArray, steps: int, groups: int, per_identity: int, rng: np.random.Generator
) -> IntArray:
    """(K,) groups that each identity has in the epoch, `steps * groups` in all."""
    total = steps * groups
    if len(counts_K) < groups:
        low_K, high_K = np.full_like(counts_K, steps), np.full_like(counts_K, total)
    else:
        low_K, high_K = np.minimum(-(-counts_K // per_identity), steps), np.full_like(counts_K, steps)
        low_K *= int(low_K.sum() <= total)
    share_K = _in_proportion(counts_K, low_K, high_K, total)
    groups_K = np.floor(share_K + 1e-9).astype(np.int64)
    rest_K = np.maximum(share_K - groups_K, 0)
    with np.errstate(divide="ignore"):
        chance_K = np.log(rng.random(len(rest_K))) / rest_K  # -inf where nothing is left over
    groups_K[np.argsort(-chance_K)[: total - groups_K.sum()]] += 1
    return groups_K


def _in_proportion(weights_K: IntArray, low_K: IntArray, high_K: IntArray, total: int) -> FloatArray:
    """(K,) shares of `total` in proportion to `weights_K` as far as limits allow: their factor by bisection."""
    least, most = 0.0, float(total)
    for _ in range(100):
        factor = (least + most) / 2
        if np.clip(factor * weights_K, low_K, high_K).sum() < total:
            least = factor
        else:
            most = factor
    return np.clip(most * weights_K, low_K, high_K)


def _identities_of_batches(groups_K: IntArray, steps: int, rng: np.random.Generator) -> IntArray:
    """(steps, P) identity of each group of each batch; an identity's groups are spread evenly, up to one."""
    order = rng.permutation(len(groups_K))
    identities_Q = np.repeat(order, groups_K[order])
    batches = np.ascontiguousarray(identities_Q.reshape(-1, steps).T)
    batches = _mixed(batches, np.zeros(steps, dtype=np.int64), 1 + steps.bit_length(), rng)
    return rng.permuted(batches, axis=1)


def _images_of_groups(
    identity_N: IntArray, counts_K: IntArray, identity_Q: IntArray, width_Q: IntArray, rng: np.random.Generator
) -> IntArray:
    """(Q, W) image of each place of each group, -1 behind the last of a short one."""
    shuffled_N = rng.permutation(len(identity_N))
    shuffled_N = shuffled_N[np.argsort(identity_N[shuffled_N], kind="stable")]
    by_identity_Q = np.argsort(identity_Q, kind="stable")
    sorted_Q, sorted_width_Q = identity_Q[by_identity_Q], width_Q[by_identity_Q]
    before_Q = np.cumsum(sorted_width_Q) - sorted_width_Q
    first_Q = before_Q[np.searchsorted(sorted_Q, sorted_Q)]  # of the identity's first group
    place_QW = (before_Q - first_Q)[:, None] + np.arange(width_Q.max())
    starts_K = np.cumsum(counts_K) - counts_K
    images_QW = shuffled_N[starts_K[sorted_Q, None] + place_QW % counts_K[sorted_Q, None]]
    images_QW[np.arange(width_Q.max()) >= sorted_width_Q[:, None]] = -1
    owner_Q = sorted_Q * 2 + (sorted_width_Q < width_Q.max())
    groups_QW: IntArray = np.empty_like(images_QW)
    groups_QW[by_identity_Q] = _mixed(images_QW, owner_Q, _IMAGE_ROUNDS, rng)
    return groups_QW


def _mixed(rows: IntArray, owner: IntArray, rounds: int, rng: np.random.Generator) -> IntArray:
    """Rows that have traded with others of their owner: in each round, two put together what they hold and halve it."""
    rows = rows.copy()
    for _ in range(rounds):
        shuffled = rng.permutation(len(rows))
        shuffled = shuffled[np.argsort(owner[shuffled], kind="stable")]
        ordered = owner[shuffled]
        odd = (np.arange(len(rows)) - np.searchsorted(ordered, ordered)) % 2 == 1
        second = np.flatnonzero(odd)
        pairs = np.stack([shuffled[second - 1], shuffled[second]], axis=1)
        rows[pairs] = _halved(rows[pairs].reshape(len(pairs), 2 * rows.shape[1]), rng)
    return rows


def _halved(held: IntArray, rng: np.random.Generator) -> IntArray:
    """(n, 2, W) two random halves of each row of 2W values, of which equal ones are divided evenly."""
    held = np.sort(held, axis=1)
    twin = np.zeros(held.shape, dtype=bool)  # of an equal one to the left that is no twin itself
    for column in range(1, held.shape[1]):
        twin[:, column] = (held[:, column] == held[:, column - 1]) & ~twin[:, column - 1]
    key = rng.random(held.shape)
    key[twin] = 2
    key[:, :-1][twin[:, 1:]] = -1
    return np.take_along_axis(held, np.argsort(key, axis=1), axis=1).reshape(len(held), 2, held.shape[1] // 2)

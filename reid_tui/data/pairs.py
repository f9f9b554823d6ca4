"""The tutorial's pairs, a whole epoch at a time, from nothing but (labels, seed, epoch).

Counter based: any epoch, and so any step, can be drawn again without drawing those before it.

Legend: N training images, K identities among them, P pairs. Numpy only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reid_tui.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reid_tui.data.dataset import IntArray


@dataclass(frozen=True, slots=True, eq=False)
class EpochPairs:
    """Pairs of image indices in the order in which they are trained on."""

    first_P: IntArray
    second_P: IntArray
    same_P: NDArray[np.bool_]
    """(P,) True where both images show one identity."""

    def __len__(self) -> int:
        return len(self.first_P)

    def __getitem__(self, part: slice) -> EpochPairs:
        return EpochPairs(self.first_P[part], self.second_P[part], self.same_P[part])


def draw_epoch(identities_N: IntArray, seed: int, epoch: int, stream: int = 0) -> EpochPairs:
    """Draw the pairs of one epoch.

    Every image is once the first of a pair, in random order. Its partner shows with probability 1/2 the same identity
    (uniform over that identity's images, the image itself among them), else another one (uniform over the other
    identities, then uniform over that identity's images). An identity's only image always gets another one: beside
    itself it would show nothing.

    Args:
        identities_N: (N,) int64 >= 0; labels that do not occur are no identities.
        seed: of the run, 0 to 2**64 - 1.
        epoch: from 0.
        stream: last word of the generator's counter; other ones are other draws.

    Returns:
        N pairs.

    Raises:
        DataError: fewer than two identities.

    Source:
        The course tutorial's Siamese data set; generator Philox4x64 keyed by (seed, epoch), Salmon et al. (2011).
    """
    counts_K = np.bincount(identities_N)
    present = np.flatnonzero(counts_K)
    if len(present) < 2:
        raise DataError(f"pairs need images of at least 2 identities, not of {len(present)}; take another data set")
    counts_K = counts_K[present]
    starts_K = np.cumsum(counts_K) - counts_K
    grouped_N = np.argsort(identities_N, kind="stable")
    key, counter = np.array([seed, epoch], dtype=np.uint64), np.array([0, 0, 0, stream], dtype=np.uint64)
    rng = np.random.Generator(np.random.Philox(key=key, counter=counter))

    images = len(identities_N)
    first_P = rng.permutation(images)
    same_P = rng.random(images) < 0.5
    own_P = np.searchsorted(present, identities_N[first_P])
    same_P &= counts_K[own_P] > 1
    drawn_P = rng.integers(0, len(present) - 1, size=images)
    identity_P = np.where(same_P, own_P, drawn_P + (drawn_P >= own_P))
    second_P = grouped_N[starts_K[identity_P] + rng.integers(0, counts_K[identity_P])]
    return EpochPairs(first_P, second_P, same_P)


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Steps that take every image once as first of a pair; the last batch may be short.

    Raises:
        ValueError: `images` or `batch_size` below 1.
    """
    if images < 1 or batch_size < 1:
        raise ValueError(f"images and batch size must be at least 1, not {images} and {batch_size}")
    return -(-images // batch_size)


def pairs_of_step(identities_N: IntArray, seed: int, step: int, batch_size: int) -> EpochPairs:
    """The pairs that a training step used.

    Args:
        identities_N: (N,) int64 labels of the training images.
        seed: of the run.
        step: from 1, as events count.
        batch_size: pairs a step.

    Returns:
        `batch_size` pairs, fewer in an epoch's last step.

    Raises:
        ValueError: `step` below 1.
        DataError: fewer than two identities.
    """
    if step < 1:
        raise ValueError(f"steps count from 1, not {step}")
    epoch, index = divmod(step - 1, steps_per_epoch(len(identities_N), batch_size))
    return draw_epoch(identities_N, seed, epoch)[index * batch_size : (index + 1) * batch_size]

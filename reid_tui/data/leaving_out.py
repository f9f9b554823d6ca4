"""An epoch without some of its images: as it is drawn anyway, with others in the places of those that are left out.

Counter based, as `pairs`: the same images left out, the same draw. Numpy only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.data.batches import draw_batches
from reid_tui.data.pairs import EpochPairs, draw_epoch

if TYPE_CHECKING:
    from reid_tui.data.dataset import IntArray

_STREAM: Final = 2
"""Last word of the generator's counter for what takes a place; pairs are drawn with 0, batches with 1."""


def pairs_without(identities_N: IntArray, left_out: IntArray, seed: int, epoch: int) -> EpochPairs:
    """As `draw_epoch`; each pair with an image that is left out becomes one of another draw from the others.

    Raises:
        DataError: fewer than two identities are left.
    """
    drawn = draw_epoch(identities_N, seed, epoch)
    if not len(left_out):
        return drawn
    kept = np.setdiff1d(np.arange(len(identities_N)), left_out)
    others = draw_epoch(identities_N[kept], seed, epoch, _STREAM)
    touched = np.flatnonzero(np.isin(drawn.first_P, left_out) | np.isin(drawn.second_P, left_out))
    taken = np.arange(len(touched)) % len(others)
    drawn.first_P[touched], drawn.second_P[touched] = kept[others.first_P[taken]], kept[others.second_P[taken]]
    drawn.same_P[touched] = others.same_P[taken]
    return drawn


def batches_without(
    identities_N: IntArray, left_out: IntArray, images_per_batch: int, per_identity: int, seed: int, epoch: int
) -> IntArray:
    """As `draw_batches` from the images that are not left out; where they fill fewer batches, the first come again.

    Raises:
        DataError: fewer than two identities are left.
    """
    kept = np.setdiff1d(np.arange(len(identities_N)), left_out)
    batches = kept[draw_batches(identities_N[kept], images_per_batch, per_identity, seed, epoch)]
    return batches[np.arange(-(-2 * len(identities_N) // images_per_batch)) % len(batches)]

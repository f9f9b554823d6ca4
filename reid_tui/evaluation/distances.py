"""Euclidean distances, each computed by itself: it depends on its two embeddings only, and is 0 where they are equal.

Legend: N and M images, D dimensions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from torch import Tensor

FEW: Final = 4
"""Dimensions up to which torch's own, which goes through those of one pair, is slower than through the pairs of one."""
BLOCK: Final = 65_536
"""Distances at a time that stay in a core's cache."""


def euclidean(first_ND: Tensor, second_MD: Tensor) -> Tensor:
    """(N, M). Both may have further dimensions in front, which are alike."""
    dims = first_ND.shape[-1]
    if not 0 < dims <= FEW or first_ND.is_cuda:
        return torch.cdist(first_ND, second_MD, compute_mode="donot_use_mm_for_euclid_dist")
    found_NM = first_ND.new_empty(*first_ND.shape[:-1], second_MD.shape[-2])
    block = max(1, BLOCK // max(1, first_ND.shape[:-1].numel()))
    for at in range(0, second_MD.shape[-2], block):
        part_NB, others_BD = found_NM[..., at : at + block], second_MD[..., at : at + block, :]
        torch.sub(first_ND[..., :, None, 0], others_BD[..., None, :, 0], out=part_NB)
        part_NB.square_()
        for dim in range(1, dims):
            along_NB = first_ND[..., :, None, dim] - others_BD[..., None, :, dim]
            part_NB.addcmul_(along_NB, along_NB)
        part_NB.sqrt_()
    return found_NM

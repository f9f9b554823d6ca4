"""Each identity turned by 90, 180 and 270 degrees as an identity of its own: the usual way with few, drawn ones.

Legend: N images as they are, 4N with their turns: row i shows image i % N turned by i // N quarters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from reid_tui.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


def check_square(height: int, width: int) -> None:
    """Refuse pictures that would lie down when they are turned.

    Raises:
        UsageError: not square.
    """
    if height != width:
        raise UsageError(
            f"--rotations needs square pictures, and these are {height}x{width}; "
            f"leave it out, or bring pictures of your own to one size with --image-size {max(height, width)}"
        )


def rotated_labels(identities_N: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Identities of the images and of their turns.

    Args:
        identities_N: (N,) int64, 0 to `classes` - 1.
        classes: identities as they are.

    Returns:
        (4N,) int64, 0 to 4 * `classes` - 1: identity k turned by q quarters is q * `classes` + k.
    """
    return np.concatenate([identities_N + quarter * classes for quarter in range(4)])


def rotate(batch_NCHW: Tensor, quarter_N: Tensor) -> Tensor:
    """Turn each image counterclockwise, without waiting for the device.

    Args:
        batch_NCHW: square pictures of any type.
        quarter_N: (N,) whole, 0 to 3, on the same device.

    Returns:
        As `batch_NCHW`, in the same memory order.

    Raises:
        UsageError: the pictures are not square.
    """
    check_square(*batch_NCHW.shape[2:])
    quarter_N111 = quarter_N.reshape(-1, 1, 1, 1)
    turned = torch.where(quarter_N111 % 2 == 1, batch_NCHW.rot90(dims=(2, 3)), batch_NCHW)
    return torch.where(quarter_N111 >= 2, turned.flip(2, 3), turned, out=torch.empty_like(batch_NCHW))

"""Pictures as a trained network takes them: of its size and its channels. Numpy and Pillow only.

Legend: C channels, H height, W width.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from reid_tui.data.folders import picture
from reid_tui.data.folders.decode import resized
from reid_tui.data.folders.picture import of_channels
from reid_tui.errors import DataError

if TYPE_CHECKING:
    from reid_tui.data.dataset import UInt8Array
    from reid_tui.training.card import ModelCard

Path = str | os.PathLike[str]


def read_picture(path: Path, card: ModelCard) -> UInt8Array:
    """A picture's file, upright, brought to the network's size as those were that it was trained on.

    Args:
        path: of a file in one of the formats that a data set may have.
        card: of the network.

    Returns:
        (C, H, W).

    Raises:
        DataError: it gives no pixels; the text says why.
    """
    return of_channels(decoded(path, card), card.channels)


def decoded(path: Path, card: ModelCard) -> UInt8Array:
    """The same, but in the channels that the picture has.

    Returns:
        (1, H, W) for a picture without colour, else (3, H, W).

    Raises:
        DataError: as `read_picture`.
    """
    return picture.decoded(path, (card.height, card.width))


def fitted_pixels(pixels: UInt8Array, card: ModelCard) -> UInt8Array:
    """Pixels that somebody has already, brought to the network's size and channels.

    Args:
        pixels: (H, W) grey, (H, W, 3) RGB, or (C, H, W) with 1 or 3 channels; 0..255.
        card: of the network.

    Returns:
        (C, H, W).

    Raises:
        DataError: another type or shape.
    """
    if pixels.dtype != np.uint8 or not pixels.size:
        raise _unfit(pixels)
    if pixels.shape == (card.channels, card.height, card.width):
        return np.ascontiguousarray(pixels)
    match pixels.shape:
        case (_, _):
            image = Image.fromarray(pixels)
        case (_, _, 3):
            image = Image.fromarray(np.ascontiguousarray(pixels))
        case (1, _, _):
            image = Image.fromarray(pixels[0])
        case (3, _, _):
            image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
        case _:
            raise _unfit(pixels)
    fitting: UInt8Array = np.asarray(resized(image, (card.height, card.width)))
    return of_channels(fitting[None] if fitting.ndim == 2 else fitting.transpose(2, 0, 1), card.channels)


def _unfit(pixels: UInt8Array) -> DataError:
    return DataError(
        f"an array of {pixels.dtype} {pixels.shape} is no picture; give uint8 of (H, W), (H, W, 3) or (C, H, W)"
    )

"""One picture's file, as those of a data set are brought to its size. Numpy and Pillow only.

Legend: C channels, H height, W width.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from reid_tui.data.folders.decode import FORMATS, Source, UnreadableError
from reid_tui.data.folders.reading import read_settled
from reid_tui.errors import DataError
from reid_tui.text import printable

if TYPE_CHECKING:
    from reid_tui.data.dataset import UInt8Array


def decoded(path: str | os.PathLike[str], size: tuple[int, int]) -> UInt8Array:
    """A picture's file, upright, brought to a size, in the channels that it has.

    Args:
        path: of a file in one of the formats that a data set may have.
        size: H, W.

    Returns:
        (1, H, W) for a picture without colour, else (3, H, W).

    Raises:
        DataError: it gives no pixels; the text says why.
    """
    try:
        return Source(read_settled(os.fspath(path)).data).part(None, size)
    except UnreadableError as error:
        kinds = ", ".join(FORMATS)
        raise DataError(f"{printable(path, 400)} cannot be used: {error}; name a picture ({kinds})") from error


def of_channels(pixels: UInt8Array, channels: int) -> UInt8Array:
    """Contiguous; colour becomes grey by its luminance, grey becomes three equal channels."""
    if len(pixels) == channels:
        return np.ascontiguousarray(pixels)
    if channels == 3:
        return np.repeat(pixels, 3, axis=0)
    grey: UInt8Array = np.asarray(Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).convert("L"))
    return grey[None]

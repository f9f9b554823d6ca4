"""The images of a split where they are computed with."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from reid_tui.learning.rotations import rotate
from reid_tui.training.ahead import Ahead

if TYPE_CHECKING:
    from torch import Tensor

    from reid_tui.data.dataset import ImageSet, IntArray


CHUNK_BYTES: Final = 256 * 2**20
"""Of images that are copied to the device at once."""


class PlacedImages:
    """The images of a split as a uint8 tensor where they are computed with.

    On the CPU it is the memory that they already lie in, mapped from a file or not; so too where they would take over
    half of a GPU's free memory.
    """

    def __init__(self, images: ImageSet, device: torch.device, *, turned: bool = False) -> None:
        """Put them there, if they fit.

        Args:
            images: of the split.
            device: where to compute.
            turned: whether place i + q * N stands for image i turned by q quarters.
        """
        self._device = device
        self._rows = images.rows
        self._count = len(images) if turned else 0
        self.shape = images.shape
        """C, H, W."""
        self._tensor = torch.from_numpy(images.images)
        self._ahead: Ahead | None = None
        if device.type == "cpu":
            return
        size = len(images) * math.prod(images.shape)
        if device.type == "cuda" and size > torch.cuda.mem_get_info(device)[0] // 2:
            self._ahead = Ahead(device)
            return
        self._tensor, self._rows = torch.empty((len(images), *images.shape), dtype=torch.uint8, device=device), None
        chunk = max(1, CHUNK_BYTES // math.prod(images.shape))
        for at in range(0, len(images), chunk):  # memory beside the GPU's may not hold all of them
            places = np.arange(at, min(at + chunk, len(images)))
            self._tensor[places[0] : places[-1] + 1] = torch.from_numpy(images.take(places))

    @property
    def resident(self) -> Tensor | None:
        """(N, C, H, W) uint8, where all images lie on the device as they are indexed."""
        lie_there = self._tensor.device.type == self._device.type and self._rows is None and not self._count
        return self._tensor if lie_there else None

    @property
    def come_in_batches(self) -> bool:
        """Whether they do not fit the device, so that `bring` gains something."""
        return self._ahead is not None

    def bring(self, index: IntArray) -> None:
        """Begin to copy what `batch` will be asked for next; nothing to do where images lie on the device."""
        if self._ahead is not None:
            self._ahead.bring(self._tensor, self._places(index)[0])

    def _places(self, index: IntArray) -> tuple[IntArray, IntArray | None]:
        """Rows of the tensor, and by how many quarters each is turned."""
        quarters = None
        if self._count:
            quarters, index = np.divmod(index, self._count)
        return (index if self._rows is None else self._rows[index]), quarters

    def batch(self, index: IntArray, out: Tensor | None = None) -> Tensor:
        """(n, C, H, W) uint8 on the device: the images at these places of the split.

        Args:
            index: (n,) places.
            out: where the images lie; of the result's shape. What is turned is elsewhere.
        """
        places, quarters = self._places(index)
        images = self._ahead.taken(places) if self._ahead is not None else None
        if images is None:
            rows = torch.from_numpy(places).to(self._tensor.device)
            images = torch.index_select(self._tensor, 0, rows, out=out).to(self._device)
        return images if quarters is None else rotate(images, torch.from_numpy(quarters).to(self._device))

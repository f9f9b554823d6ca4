"""The batch of a step on the device, from the pairs that were drawn for it.

Legend: P pairs, N = 2P images, C channels, H x W pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from reid_tui.config import augment_kinds
from reid_tui.learning.augment import Augmentation, mean_colour
from reid_tui.learning.networks import to_input

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from reid_tui.data.dataset import IntArray
    from reid_tui.data.pairs import EpochPairs
    from reid_tui.training.steps.parts import Parts


class Batch(NamedTuple):
    """What network and loss take."""

    images_NCHW: Tensor
    """float32 in 0..1; of a process's part of the batch where several share it."""
    labels_N: Tensor
    """int64."""
    index_N: Tensor
    """int64; rows of equal value are the same image."""
    same_P: Tensor
    """bool, whether images i and P + i show one identity."""


def _first_times(index: IntArray) -> NDArray[np.bool_]:
    """(n,) True where an image has not stood before."""
    first: NDArray[np.bool_] = np.zeros(len(index), np.bool_)
    first[np.unique(index, return_index=True)[1]] = True
    return first


class Batches:
    """Gives batches. The images of one stand in the same memory as those of the one before."""

    def __init__(self, parts: Parts, part: Callable[[int], slice | IntArray] | None = None) -> None:
        """Of all images, or by their number of those rows that are taken here."""
        self._parts = parts
        self._part = part
        self._augmentation = Augmentation(augment_kinds(parts.config.augment))
        self._alone_N = np.bincount(parts.identities_N)[parts.identities_N] == 1
        self._all_alike = parts.objective is None and parts.config.pairs == "batch"
        self._pixels = torch.empty((0, *parts.images.shape), dtype=torch.uint8)
        self._inputs = self._pixels.float()

    def of(self, pairs: EpochPairs, step: int) -> Batch:
        """The batch of a step; both halves in one, first images first."""
        parts = self._parts
        index = self._index(pairs)
        rows = slice(None) if self._part is None else self._part(len(index))
        seen = None
        if self._part is not None and "erase" in self._augmentation.kinds:
            seen = mean_colour(self._images(index))
        images = self._images(index[rows])
        images = self._augmentation.augment(
            images, seed=parts.config.seed, step=step, rows=rows, batch=len(index), mean_C11=seen
        )
        return Batch(
            images,
            *(torch.from_numpy(part).to(parts.device) for part in (parts.identities_N[index], index, pairs.same_P)),
        )

    @property
    def foreseeing(self) -> bool:
        """Whether something is gained by `bring`."""
        return self._parts.images.come_in_batches and self._part is None

    def bring(self, pairs: EpochPairs) -> None:
        """Begin to bring the images of the batch that comes next, where they do not lie on the device."""
        if self.foreseeing:
            self._parts.images.bring(self._index(pairs))

    def _index(self, pairs: EpochPairs) -> IntArray:
        """(N,) which images the batch has."""
        index = np.concatenate([pairs.first_P, pairs.second_P])
        return index[_first_times(index) | ~self._alone_N[index]] if self._all_alike else index

    def _images(self, index: IntArray) -> Tensor:
        """As the network takes them."""
        images = self._parts.images
        if self._parts.device.type != "cpu":
            return to_input(images.batch(index), layout=self._parts.layout)
        if len(index) > len(self._pixels):
            self._pixels = torch.empty((len(index), *images.shape), dtype=torch.uint8)
            self._inputs = torch.empty_like(self._pixels, dtype=torch.float32, memory_format=torch.channels_last)
        return to_input(images.batch(index, self._pixels[: len(index)]), self._inputs[: len(index)])

"""Training images changed at random on their device: flipped, shifted, turned, recoloured, with a part erased.

All chance is drawn on the host from (seed, step): a resumed run, and another device, see the same changes.

Legend: N images, C channels, H x W pixels.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from reid_tui.config import AUGMENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

STREAM: Final = 1
"""Highest word of the generator's counter, apart from what else is drawn by (seed, step)."""
CHANCES: Final = 15
"""Random numbers an image: always all, so that one kind more or less leaves the others as they are."""
PADDING: Final = 1 / 8
"""Most that a crop shifts, of the side."""
TURN: Final = math.radians(10)
SCALE: Final = 0.1
SHIFT: Final = 0.1
JITTER: Final = (0.2, 0.15, 0.1)
"""Most that brightness, contrast and saturation change, up or down."""
ERASED_AREA: Final = (0.02, 0.2)
ERASED_ASPECT: Final = (0.3, 1 / 0.3)
GREY: Final = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue in brightness, as in torchvision."""


class Augmentation:
    """What is done to a batch, each image by chances of its own.

    Flip, crop and affine are one resampling, black where it reaches beyond the picture. Then colours change, then a
    part is erased.
    """

    def __init__(self, kinds: tuple[str, ...]) -> None:
        """Take the kinds to apply, in any order.

        Args:
            kinds: out of `config.AUGMENTS`: `flip` left to right every other image; `crop` pads an eighth of the sides
                and cuts the old size out, at whole pixels; `affine` turns up to 10 degrees, scales by 0.9 to 1.1 and
                shifts up to a tenth; `jitter` changes brightness, contrast and, of coloured images, saturation;
                `erase` fills 2 to 20 % of every other image with the mean colour of the batch.

        Raises:
            ValueError: another kind.
        """
        if unknown := set(kinds) - set(AUGMENTS):
            raise ValueError(f"no kinds of augmentation: {sorted(unknown)}")
        self.kinds = frozenset(kinds)

    def augment(
        self,
        batch_NCHW: Tensor,
        *,
        seed: int,
        step: int,
        rows: slice | NDArray[np.int64] = slice(None),
        batch: int | None = None,
        mean_C11: Tensor | None = None,
    ) -> Tensor:
        """Change every image of a batch, or of a part of it, without waiting for the device.

        Args:
            batch_NCHW: float32 in 0..1, with 1 or 3 channels.
            seed: of the run, 0 to 2**64 - 1.
            step: of the run, from 0.
            rows: of the whole batch, which these images are.
            batch: images in the whole batch.
            mean_C11: its mean colour.

        Returns:
            As `batch_NCHW`, in the same memory order; the very tensor where nothing is to be done.
        """
        if not self.kinds:
            return batch_NCHW
        images, _, height, width = batch_NCHW.shape
        plan = torch.from_numpy(self.plan(batch or images, height, width, seed=seed, step=step)[rows])
        return self.apply(batch_NCHW, plan.to(batch_NCHW.device, non_blocking=True), mean_C11)

    def plan(self, images: int, height: int, width: int, *, seed: int, step: int) -> NDArray[np.float32]:
        """What is done to each image of a step's batch, drawn on the host.

        Returns:
            (N, 13): an affine map from places in the result to places in the image, both in -1..1 (6 numbers, by row);
            factors of brightness, contrast and saturation; the erased part's top, bottom, left and right in pixels.

        Source:
            Generator Philox4x64 keyed by (seed, step), Salmon et al. (2011).
        """
        key, counter = np.array([seed, step], dtype=np.uint64), np.array([0, 0, 0, STREAM], dtype=np.uint64)
        chances = np.random.Generator(np.random.Philox(key=key, counter=counter)).random((images, CHANCES)).T
        flip, crop, affine, jitter, erase = np.split(chances, (1, 3, 7, 10))
        columns = (
            *self._maps(flip[0], crop, affine, height, width),
            *(1 + most * _signed(chance) for most, chance in zip(JITTER, jitter, strict=True)),
            *_boxes(erase, height, width),
        )
        return np.stack(columns, axis=1).astype(np.float32)

    def _maps(
        self, flip_N: FloatArray, crops: FloatArray, affines: FloatArray, height: int, width: int
    ) -> tuple[FloatArray, ...]:
        """The two rows of each image's affine map, number by number."""
        across = along = turn_N = np.zeros_like(flip_N)
        mirror_N = scale_N = np.ones_like(flip_N)
        if "flip" in self.kinds:
            mirror_N = np.where(flip_N < 0.5, -1.0, 1.0)
        if "crop" in self.kinds:
            down, right = (int(PADDING * side) for side in (height, width))
            along = 2 / height * (np.floor(crops[0] * (2 * down + 1)) - down)
            across = 2 / width * (np.floor(crops[1] * (2 * right + 1)) - right)
        if "affine" in self.kinds:
            turn_N = TURN * _signed(affines[0])
            scale_N = 1 + SCALE * _signed(affines[1])
            along, across = along + 2 * SHIFT * _signed(affines[2]), across + 2 * SHIFT * _signed(affines[3])
        cos_N, sin_N = np.cos(turn_N) / scale_N, np.sin(turn_N) / scale_N
        # A turn is one in pixels, and -1..1 is another number of them in each direction.
        to_x = (mirror_N * cos_N, -sin_N * (height / width), across)
        to_y = (mirror_N * sin_N * (width / height), cos_N, along)
        return (*to_x, *to_y)

    @torch.no_grad()
    def apply(self, batch_NCHW: Tensor, plan: Tensor, mean_C11: Tensor | None = None) -> Tensor:
        """Do what was planned, on the device of both.

        Args:
            batch_NCHW: as for `augment`.
            plan: (N, 13) float32, as `plan` gives it.
            mean_C11: as for `augment`.

        Returns:
            As `augment`.
        """
        images = batch_NCHW.contiguous()  # on a CPU all of this is about twice as fast by channels
        if self.kinds & {"flip", "crop", "affine"}:
            images = grid_sample(images, _grid(plan[:, :6], images), align_corners=False)
        if "jitter" in self.kinds:
            images = _jittered(images, plan[:, 6:9])
        if "erase" in self.kinds:
            mean_C11 = mean_colour(batch_NCHW) if mean_C11 is None else mean_C11
            images = torch.where(_inside(plan[:, 9:13], images), mean_C11, images)
        return torch.clamp(images, 0, 1, out=torch.empty_like(batch_NCHW))


def mean_colour(batch_NCHW: Tensor) -> Tensor:
    """(1, C, 1, 1) of all images."""
    return batch_NCHW.mean(dim=(0, 2, 3), keepdim=True)


def _signed(chance_N: FloatArray) -> FloatArray:
    """From 0..1 to -1..1."""
    return 2 * chance_N - 1


def _boxes(chances: FloatArray, height: int, width: int) -> tuple[FloatArray, ...]:
    """Top, bottom, left and right of what is erased, in whole pixels; no pixel of every other image."""
    erased_N, area_N, aspect_N, down_N, right_N = chances
    low, high = ERASED_AREA
    area_N = (low + (high - low) * area_N) * height * width
    low, high = ERASED_ASPECT
    wide_N = np.sqrt(area_N / (low * (high / low) ** aspect_N))
    wide_N = np.round(np.clip(wide_N, np.maximum(area_N / height, 1), width))
    tall_N = np.where(erased_N < 0.5, np.round(np.clip(area_N / wide_N, 1, height)), 0.0)
    top_N, left_N = np.floor(down_N * (height - tall_N + 1)), np.floor(right_N * (width - wide_N + 1))
    return top_N, top_N + tall_N, left_N, left_N + wide_N


def _grid(map_N6: Tensor, images_NCHW: Tensor) -> Tensor:
    """(N, H, W, 2) places to take the pixels from, in -1..1: `affine_grid` without a product that is rounded."""
    height, width = images_NCHW.shape[2:]
    map_N11X3 = map_N6.reshape(-1, 1, 1, 2, 3)
    x_W1 = torch.arange(1 - width, width, 2, device=map_N6.device).unsqueeze(1) / width
    y_H11 = torch.arange(1 - height, height, 2, device=map_N6.device).reshape(-1, 1, 1) / height
    return map_N11X3[..., 0] * x_W1 + (map_N11X3[..., 1] * y_H11 + map_N11X3[..., 2])


def _inside(box_N4: Tensor, images_NCHW: Tensor) -> Tensor:
    """(N, 1, H, W) bool, True for the pixels of each image's box."""
    top, bottom, left, right = box_N4.reshape(-1, 4, 1, 1, 1).unbind(1)
    row_H1 = torch.arange(images_NCHW.shape[2], device=box_N4.device).reshape(-1, 1)
    column_W = torch.arange(images_NCHW.shape[3], device=box_N4.device)
    return (row_H1 >= top) & (row_H1 < bottom) & (column_W >= left) & (column_W < right)


def _grey(images_NCHW: Tensor) -> Tensor:
    """(N, 1, H, W) brightness."""
    if images_NCHW.shape[1] == 1:
        return images_NCHW
    red, green, blue = images_NCHW.unbind(1)
    return (GREY[0] * red + GREY[1] * green + GREY[2] * blue).unsqueeze(1)


def _jittered(images_NCHW: Tensor, factors_N3: Tensor) -> Tensor:
    """Brightness, contrast about the mean brightness, then saturation; each stays in 0..1."""
    brightness, contrast, saturation = factors_N3.reshape(-1, 3, 1, 1, 1).unbind(1)
    images = (images_NCHW * brightness).clamp_(0, 1)
    images = _grey(images).mean(dim=(2, 3), keepdim=True).lerp(images, contrast).clamp_(0, 1)
    return images if images.shape[1] == 1 else _grey(images).lerp(images, saturation)

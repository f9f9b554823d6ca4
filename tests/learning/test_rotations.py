from __future__ import annotations

import numpy as np
import pytest
import torch

from reid_tui.errors import UsageError
from reid_tui.learning.rotations import check_square, rotate, rotated_labels


def test_labels_by_hand() -> None:
    assert rotated_labels(np.array([0, 2, 2, 1]), 3).tolist() == [0, 2, 2, 1, 3, 5, 5, 4, 6, 8, 8, 7, 9, 11, 11, 10]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("channels", [1, 3])
def test_each_image_is_turned_by_its_own_quarters(dtype: torch.dtype, channels: int) -> None:
    batch = torch.arange(8 * channels * 9).reshape(8, channels, 3, 3).to(dtype)
    for memory_format in (torch.contiguous_format, torch.channels_last):
        images = batch.contiguous(memory_format=memory_format)
        quarters = [0, 1, 2, 3, 3, 1, 0, 2]
        turned = rotate(images, torch.tensor(quarters))
        assert (turned.dtype, turned.stride()) == (images.dtype, images.stride())
        for image, quarter, found in zip(images, quarters, turned, strict=True):
            assert np.array_equal(found, np.rot90(image, quarter, axes=(1, 2)))


def test_pictures_that_would_lie_down_are_refused() -> None:
    check_square(28, 28)
    with pytest.raises(UsageError, match=r"square pictures, and these are 64x32; .*--image-size 64"):
        rotate(torch.zeros(2, 3, 64, 32), torch.zeros(2, dtype=torch.int64))

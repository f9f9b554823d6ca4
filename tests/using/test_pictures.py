"""Pictures as a network takes them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reid_tui.config import DataOptions
from reid_tui.data import catalog
from reid_tui.errors import DataError
from reid_tui.training.card import ModelCard
from reid_tui.using.pictures import fitted_pixels, read_picture
from tests.hostile import HOSTILE


def card(channels: int = 3, height: int = 24, width: int = 16) -> ModelCard:
    return ModelCard(
        channels=channels, height=height, width=width, embedding_dim=2, normalized=False, data="x", identities=1
    )


def colours(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def stored(folder: Path, pixels: np.ndarray, name: str = "a.png", mode: str | None = None) -> Path:
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(folder / name)
    return folder / name


@pytest.mark.parametrize("size", [(24, 16), (48, 32), (100, 31), (7, 5)])
def test_a_file_gives_what_a_data_set_of_it_gives(size: tuple[int, int], tmp_path: Path) -> None:
    for seed in range(8):
        folder = tmp_path / f"person-{seed // 2}"
        folder.mkdir(exist_ok=True)
        stored(folder, colours(*size, seed), f"{seed}.png")
    options = DataOptions(data=f"folder:{tmp_path}", image_size="24x16", holdout="0.5")
    data = catalog.load(options, lambda *_: None)
    read = np.stack([read_picture(path, card()) for path in sorted(tmp_path.rglob("*.png"))])
    theirs = np.concatenate([data.train.images, data.test.images])
    np.testing.assert_array_equal(np.unique(read, axis=0), np.unique(theirs, axis=0))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK", "YCbCr"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_becomes_the_networks(mode: str, channels: int, tmp_path: Path) -> None:
    name = "a.tif" if mode in ("CMYK", "YCbCr") else "a.png"
    if mode == "I;16":
        path = stored(tmp_path, np.full((30, 20), 300, np.uint16))
    else:
        path = stored(tmp_path, colours(30, 20), name, mode)
    pixels = read_picture(str(path), card(channels))
    assert (pixels.shape, pixels.dtype, pixels.flags.c_contiguous) == ((channels, 24, 16), np.uint8, True)


def test_colour_becomes_grey_by_its_luminance_and_grey_three_equal_channels(tmp_path: Path) -> None:
    red = np.zeros((24, 16, 3), np.uint8)
    red[..., 0] = 200
    assert np.unique(read_picture(stored(tmp_path, red), card(1))).tolist() == [round(200 * 0.299)]
    grey = colours(24, 16)[..., 0]
    pixels = read_picture(stored(tmp_path, grey), card(3))
    for channel in pixels:
        np.testing.assert_array_equal(channel, grey)


def test_a_picture_that_lies_is_turned_upright(tmp_path: Path) -> None:
    pixels = colours(16, 24)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    upright = np.rot90(pixels, -1).transpose(2, 0, 1)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png", card()), upright)


@pytest.mark.parametrize("size", [(24, 16), (60, 50), (9, 3), (3, 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_arrays_are_what_their_file_is(size: tuple[int, int], channels: int, tmp_path: Path) -> None:
    pixels = colours(*size)
    expected = read_picture(stored(tmp_path, pixels), card(channels))
    np.testing.assert_array_equal(fitted_pixels(pixels, card(channels)), expected)
    np.testing.assert_array_equal(fitted_pixels(pixels[::-1][::-1], card(channels)), expected)
    if size[1] != 3:
        np.testing.assert_array_equal(fitted_pixels(pixels.transpose(2, 0, 1), card(channels)), expected)
    grey = pixels[..., 0]
    expected = read_picture(stored(tmp_path, grey), card(channels))
    np.testing.assert_array_equal(fitted_pixels(grey, card(channels)), expected)
    if size[1] != 3:
        np.testing.assert_array_equal(fitted_pixels(grey[None], card(channels)), expected)


def test_pixels_of_the_networks_shape_are_taken_as_they_are() -> None:
    own = colours(3, 3)
    np.testing.assert_array_equal(fitted_pixels(own, card(3, 3, 3)), own)
    swapped = colours(24, 16).transpose(2, 0, 1)
    assert fitted_pixels(swapped, card()).flags.c_contiguous


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((24, 16, 3), np.float32),
        np.zeros((24, 16), np.int64),
        np.zeros((24, 16, 4), np.uint8),
        np.zeros((2, 24, 16), np.uint8),
        np.zeros((1, 1, 24, 16), np.uint8),
        np.zeros(24, np.uint8),
        np.zeros((), np.uint8),
        np.zeros((0, 16), np.uint8),
        np.zeros((3, 24, 0), np.uint8),
    ],
    ids=lambda pixels: f"{pixels.dtype}{pixels.shape}",
)
def test_what_is_no_picture(pixels: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"is no picture; give uint8 of \(H, W\), \(H, W, 3\) or \(C, H, W\)"):
        fitted_pixels(pixels, card())


def test_a_file_that_cannot_be_read_is_told_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").touch()
    (tmp_path / "cut.png").write_bytes(stored(tmp_path, colours(90, 90)).read_bytes()[:3000])
    os.mkfifo(tmp_path / "pipe.png")
    for name, why in {
        "text.png": "no picture of a known format",
        "empty.png": "empty file",
        "cut.png": "damaged",
        "none.png": "No such file",
        "pipe.png": "no regular file",
        ".": "no regular file",
    }.items():
        with pytest.raises(DataError) as error:
            read_picture(tmp_path / name, card())
        assert str(error.value).startswith(f"{tmp_path / name} cannot be used: ")
        assert why in str(error.value)
        assert "; name a picture (PNG, JPEG," in str(error.value)
    for name in HOSTILE:
        with pytest.raises(DataError) as error:
            read_picture(name, card())
        assert str(error.value).isprintable()

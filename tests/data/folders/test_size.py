"""The size that is taken where nobody said one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reid_tui.data.folders import size
from reid_tui.data.folders.listing import Box
from reid_tui.data.folders.size import default_size
from tests.data.folders.conftest import Crops


def put(crops: Crops, *sizes: tuple[int, int]) -> None:
    """Pictures of H, W."""
    for number, (height, width) in enumerate(sizes):
        Image.new("L", (width, height)).save(crops.root / f"{number:04d}.png")


@pytest.mark.parametrize(
    ("sizes", "taken", "said"),
    [
        ([(64, 32)] * 3, "64x32", "all are 64x32"),
        ([(16, 128)], "16x128", "all are 16x128"),
        ([(15, 128)], "64x128", "wide"),
        ([(256, 129)] * 2, "128x64", "tall"),
        ([(64, 32), (66, 32), (90, 30)], "128x64", "tall"),
        ([(60, 40)] * 2 + [(61, 40)], "128x64", "tall"),
        ([(40, 60), (40, 61), (20, 61)], "64x128", "wide"),
        ([(50, 60), (200, 61), (60, 60)], "64x64", "square"),
        ([], "64x64", "square"),
    ],
)
def test_by_what_the_pictures_are(crops: Crops, sizes: list[tuple[int, int]], taken: str, said: str) -> None:
    put(crops, *sizes)
    found = default_size(crops.listing())
    assert found.size == taken
    assert said in found.why


def test_people_are_upright(crops: Crops) -> None:
    put(crops, (50, 60), (300, 61))
    found = default_size(dataclasses.replace(crops.listing(), upright=True))
    assert found == ("128x64", "128x64, usual for people; --image-size 256x128 is the field's")
    put(crops, (64, 32), (64, 32))
    assert default_size(dataclasses.replace(crops.listing(), upright=True)).size == "64x32"


def test_a_box_counts_as_the_picture(crops: Crops) -> None:
    put(crops, (500, 600), (300, 700))
    listing = crops.listing({"0000.png": Box(0, 0, 20, 30), "0001.png": Box(100, 5, 20, 30)})
    assert default_size(listing).size == "30x20"


def test_a_picture_counts_as_it_is_shown(crops: Crops) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (64, 32)).save(crops.root / "a.jpg", exif=exif)
    assert default_size(crops.listing()).size == "64x32"


def test_headers_of_few_pictures_are_read(crops: Crops, monkeypatch: pytest.MonkeyPatch) -> None:
    put(crops, *[(40, 30)] * 200)
    (crops.root / "0003.png").write_bytes(b"no picture")
    looked: list[str] = []
    regular = size.regular
    monkeypatch.setattr(size, "regular", lambda path: (looked.append(Path(path).name), regular(path))[1])
    assert default_size(crops.listing()) == ("40x30", "all 64 looked at are 40x30")
    assert len(looked) == size.MOST_HEADERS
    numbers = [int(name[:4]) for name in looked]
    assert numbers[0] == 0
    assert set(np.diff(numbers)) == {3, 4}

"""Pictures in cells: what fits, which colours, and ink where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from reid_tui.view.grid import Grid
from reid_tui.view.pair_picture import PairShown, Shown, pair_lines
from reid_tui.view.palette import ChartStyle
from reid_tui.view.picture import fitting, put_picture, resized
from tests.view.samples import SGR


def test_each_pixel_is_the_mean_of_those_that_lie_in_it() -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, 30, 20)).astype(np.uint8)
    halved = image.reshape(3, 15, 2, 10, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(resized(image, 10, 15), halved)
    np.testing.assert_array_equal(resized(image, 20, 30), image)
    np.testing.assert_array_equal(resized(image, 40, 60), image.repeat(2, axis=1).repeat(2, axis=2))
    assert resized(image, 7, 11).shape == (3, 11, 7)


@pytest.mark.parametrize(
    ("room", "cells"), [((28, 14), (28, 14)), ((9, 40), (9, 4)), ((300, 200), (56, 28)), ((1, 1), (1, 1))]
)
def test_as_large_as_fits(room: tuple[int, int], cells: tuple[int, int]) -> None:
    assert fitting((1, 28, 28), *room) == cells


def drawn(style: ChartStyle, parts: np.ndarray | None = None) -> str:
    image = np.zeros((1, 4, 2), np.uint8)
    image[0, :, 1] = 255
    grid = Grid(2, 2, style)
    put_picture(grid, 0, 0, image, 2, 2, parts)
    return "\n".join(grid.lines())


def test_colours_where_there_are_many_and_ink_elsewhere() -> None:
    assert "\x1b[38;2;4;4;4;48;2;4;4;4m▀" in drawn(ChartStyle())
    assert "\x1b[38;5;" in drawn(ChartStyle(colors="256"))
    for style in (ChartStyle(colors="none"), ChartStyle(colors="16"), ChartStyle(glyphs="ascii")):
        assert SGR.sub("", drawn(style)) == " @\n @"


def test_parts_are_told_with_every_look() -> None:
    parts = np.array([[9, 0], [0, 0]])
    for style in (ChartStyle(), ChartStyle(colors="256"), ChartStyle(colors="16"), ChartStyle(colors="none")):
        assert drawn(style, parts) != drawn(style), style
    assert "\x1b[7m" in drawn(ChartStyle(colors="none", glyphs="ascii"), parts)


@pytest.mark.parametrize("size", [(1, 1), (20, 5), (36, 18), (80, 24), (200, 60)])
@pytest.mark.parametrize("colors", ["truecolor", "16", "none"])
def test_a_pair_at_every_size(size: tuple[int, int], colors: str) -> None:
    style = ChartStyle("ascii" if colors == "none" else "braille", colors)  # type: ignore[arg-type]
    first = Shown("Shirt", 17, 2, suspect=True, left_out=False)
    second = Shown("Coat", 3, None, suspect=False, left_out=True)
    images = np.random.default_rng(1).integers(0, 256, (2, 3, 64, 32)).astype(np.uint8)
    for shown in (images, None):
        pair = PairShown("different", 2, 40, 0.123, 0.0012, first, second, shown, "no pictures: gone", "x suspect")
        lines = [SGR.sub("", line) for line in pair_lines(pair, *size, style)]
        assert [len(line) for line in lines] == [size[0]] * size[1]
        text = "\n".join(lines)
        if size >= (36, 18):
            words = ("A Shirt", "B Coat", "! suspect", "DIFFERENT, close 2/40", "0.123", "0.12 %", "x suspect")
            assert all(word in " ".join(text.split()) for word in words)
            assert ("no pictures: gone" in text) == (shown is None)

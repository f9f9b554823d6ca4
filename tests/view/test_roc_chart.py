"""ROC and CMC curves keep their size, and show where they end."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from rich.cells import cell_len

from reid_tui.view.palette import ChartStyle
from reid_tui.view.roc_chart import Curve, cmc_chart, roc_chart
from tests.view.samples import stripped

RATES, RANKS = np.logspace(-3.4, 0, 69), np.arange(1, 21, dtype=np.float64)
ROC = [Curve("unseen", RATES, 0.72 + 0.28 * RATES**0.2), Curve("seen", RATES, 0.85 + 0.15 * RATES**0.1)]
CMC = [Curve("unseen", RANKS, 1 - 0.3 / RANKS), Curve("seen", RANKS, 1 - 0.1 / RANKS)]
STYLES = [ChartStyle(), ChartStyle("block", "256"), ChartStyle("ascii", "none"), ChartStyle("braille", "none")]
Draw = Callable[[list[Curve], int, int, ChartStyle], list[str]]


@pytest.mark.parametrize("size", [(0, 0), (1, 1), (3, 2), (20, 5), (24, 6), (39, 12), (59, 14), (200, 60)])
@pytest.mark.parametrize("style", STYLES, ids=lambda style: f"{style.glyphs}-{style.colors}")
@pytest.mark.parametrize(("draw", "curves"), [(roc_chart, ROC), (cmc_chart, CMC), (roc_chart, []), (cmc_chart, [])])
def test_it_is_of_its_size(draw: Draw, curves: list[Curve], style: ChartStyle, size: tuple[int, int]) -> None:
    lines = stripped(draw(curves, *size, style))
    assert [cell_len(line) for line in lines] == [size[0]] * size[1]
    if style.glyphs == "ascii":
        assert all(line.isascii() for line in lines)


def test_axes_are_labelled_and_curves_named() -> None:
    roc = stripped(roc_chart(ROC, 39, 12, ChartStyle()))
    assert "TAR at FAR  ─ unseen  ─ seen" in roc[0]
    assert roc[-1].split() == ["0.0001", "0.001", "0.01", "0.1", "1"]
    cmc = stripped(cmc_chart(CMC, 39, 12, ChartStyle()))
    assert cmc[-1].split() == ["1", "5", "10", "15", "20"]
    assert [line[:6].strip() for line in cmc if line[:6].strip()][:3] == ["1", "0.75", "0.5"]


def test_without_colours_letters_tell_the_curves_apart() -> None:
    lines = stripped(roc_chart(ROC, 39, 12, ChartStyle("braille", "none")))
    assert "U unseen  S seen" in lines[0]
    assert {"U", "S"} <= set("".join(lines[1:10]))


def test_what_cannot_be_drawn_is_said() -> None:
    nothing = np.zeros(0)
    assert "too few pairs" in " ".join(stripped(roc_chart([Curve("test", nothing, nothing)], 39, 6, ChartStyle())))
    assert "match" in " ".join(stripped(cmc_chart([Curve("test", RANKS, RANKS * np.nan)], 39, 6, ChartStyle())))

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import pytest

from reid_tui.evaluation.overlap import Overlaps, overlaps
from reid_tui.view.charts import ChartStyle
from reid_tui.view.class_chart import class_chart, sentence
from tests.view.samples import NAMES, SGR, stripped
from tests.view.test_charts import SIZES, STYLES, check


@lru_cache
def some(kinds: int, threshold: float = 0.62) -> Overlaps:
    rng = np.random.default_rng(0)
    identities = np.arange(600) % kinds
    points = (rng.normal(0, 0.3, (600, 2)) + rng.normal(0, 0.6, (kinds, 2))[identities]).astype(np.float32)
    return overlaps(points, identities, threshold)


@pytest.mark.parametrize("style", STYLES, ids=lambda s: f"{s.glyphs}-{s.colors}-{s.dark}")
@pytest.mark.parametrize("size", [(0, 0), *SIZES])
@pytest.mark.parametrize(("kinds", "threshold"), [(10, 0.62), (20, math.nan), (300, 0.5), (1, 0.5)])
def test_it_keeps_its_size(style: ChartStyle, size: tuple[int, int], kinds: int, threshold: float) -> None:
    hostile = ("\x1b[31mred", "w\u200bide 服装", *NAMES[2:])
    check(class_chart(some(kinds, threshold), hostile, threshold, *size, style, 3), *size, style)


def test_the_table_holds_shares_above_and_means_below_its_diagonal() -> None:
    found = some(10)
    assert found.closer_KK is not None
    assert found.mean_KK is not None
    rows = [line.split()[-10:] for line in stripped(class_chart(found, NAMES, 0.62, 76, 19, ChartStyle()))[1:11]]
    for y in range(10):
        for x in range(10):
            if x > y:
                percent = 100 * float(found.closer_KK[y, x])
                assert rows[y][x] == ("<1" if 0 < percent < 0.5 else f"{percent:.0f}")
            else:
                assert float(rows[y][x]) == pytest.approx(found.mean_KK[y, x], abs=0.006)


def test_the_chosen_pair_is_told_in_words() -> None:
    found = some(10)
    pair = found.worst[2]
    words = sentence(pair, NAMES)
    assert words.startswith(f"{NAMES[pair.first]} and {NAMES[pair.second]}: {100 * pair.closer:.0f} % closer than the")
    text = "\n".join(stripped(class_chart(found, NAMES, 0.62, 90, 19, ChartStyle(), 2)))
    assert words in text
    assert "apart on average" in sentence(some(10, math.nan).worst[0], ())


def test_of_many_identities_the_worst_pairs_are_listed() -> None:
    lines = stripped(class_chart(some(300), (), 0.62, 70, 20, ChartStyle(), 9))
    assert sum(" % " in line and "identity" in line for line in lines) == 11
    assert [line[0] for line in lines[:10]] == [" "] * 9 + [">"]
    few = stripped(class_chart(some(300), (), 0.62, 70, 7, ChartStyle(), 9))
    assert ">" in {line[0] for line in few}


def test_an_overlap_is_told_without_colours() -> None:
    plain = "\n".join(class_chart(some(10), NAMES, 0.62, 76, 19, ChartStyle("ascii", "none")))
    assert {"\x1b[1m", "\x1b[2m", "\x1b[0;1;7m"} <= set(SGR.findall(plain))

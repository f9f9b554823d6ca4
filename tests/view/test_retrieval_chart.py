from __future__ import annotations

import numpy as np
import pytest

from reid_tui.view.charts import ChartStyle
from reid_tui.view.retrieval_chart import Answer, Retrieval, rank_told, retrieval_chart
from tests.view.samples import stripped
from tests.view.test_charts import SIZES, STYLES, check


def shown(
    channels: int = 1, height: int = 28, width: int = 28, *, known: bool = True, images: bool = True
) -> Retrieval:
    pictures = np.random.default_rng(0).integers(0, 256, (21, channels, height, width)).astype(np.uint8)
    answers = tuple(
        Answer("\x1b[1mw\u200bide 服装", f"#{i} cam 2", i / 7, (i % 3 == 0) if known else None, i < 5)
        for i in range(20)
    )
    query = Answer("Shirt", "#12", 0.0)
    found = tuple(pictures) if images else ()
    return Retrieval(query, answers, rank_told(4, 2, 100), found, "" if images else "no pictures: they are gone")


@pytest.mark.parametrize("style", STYLES, ids=lambda s: f"{s.glyphs}-{s.colors}-{s.dark}")
@pytest.mark.parametrize("size", [(0, 0), *SIZES])
@pytest.mark.parametrize(
    "what", [shown(), shown(3, 128, 64), shown(known=False), shown(images=False)], ids=["grey", "tall", "new", "none"]
)
def test_it_keeps_its_size(style: ChartStyle, size: tuple[int, int], what: Retrieval) -> None:
    check(retrieval_chart(what, *size, style), *size, style)


@pytest.mark.parametrize("style", [ChartStyle(), ChartStyle("ascii", "none"), ChartStyle("block", "16")])
def test_right_and_wrong_are_framed_apart_and_told_in_words(style: ChartStyle) -> None:
    text = "\n".join(stripped(retrieval_chart(shown(), 120, 30, style)))
    assert "1 right" in text
    assert "2 wrong" in text
    assert "SAME" in text
    double = "=" if style.glyphs == "ascii" else "═"
    top = next(line for line in text.splitlines() if "1 right" in line)
    right, wrong = top.index("1 right"), top.index("2 wrong")
    assert top[right - 2] == double != top[wrong - 2]


def test_of_a_new_picture_only_the_threshold_speaks() -> None:
    text = "\n".join(stripped(retrieval_chart(shown(known=False), 120, 40, ChartStyle())))
    assert text.count("SAME") == 5
    assert "DIFFERENT" in text
    assert " 1 " in text.splitlines()[2]
    assert "right" not in text.splitlines()[2]


def test_without_pictures_there_is_a_line_each() -> None:
    lines = stripped(retrieval_chart(shown(images=False), 76, 20, ChartStyle()))
    assert lines[0].startswith("Shirt · first right answer at rank 4 · query 2 of 100")
    assert lines[2].startswith("no pictures: they are gone")
    assert lines[3].startswith(" 1 right      0 SAME      ")
    assert lines[9].startswith(" 7 right  0.857 DIFFERENT ")
    assert rank_told(1, 1, 9).startswith("right at once")

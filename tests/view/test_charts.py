"""What every chart keeps: exactly its size, nothing but colours, whatever the data."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from reid_tui.training.events import DistancesReady
from reid_tui.view.charts import (
    ChartStyle,
    distance_chart,
    identity_letter,
    loss_chart,
    map_chart,
    placeholder,
    score_chart,
)
from reid_tui.view.history import History, Mark
from reid_tui.view.margin_line import margin_line
from reid_tui.view.palette import sgr_codes
from reid_tui.view.run_state import RunState
from reid_tui.view.summary import summary_rows
from tests.view.samples import (
    NAMES,
    PER_EPOCH,
    SGR,
    STEPS,
    blobs,
    distances,
    evaluated,
    history,
    scheduled,
    started,
    stripped,
    two_splits,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = [(1, 1), (2, 1), (1, 3), (20, 5), (24, 7), (25, 13), (80, 24), (200, 60)]
STYLES = [
    ChartStyle(),
    ChartStyle("block", "256"),
    ChartStyle("ascii", "none"),
    ChartStyle.light("braille", "16"),
    ChartStyle("braille", "none"),
]
GOLDEN = Path(__file__).parent / "golden"
EMPTY = History()
DATA = history()
BOTH = two_splits()
POINTS, IDENTITIES = blobs()
NUMBER = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, 1e-300, 1e300, -1.0])
SIZE = st.tuples(st.integers(0, 90), st.integers(0, 30))
STYLE = st.sampled_from(STYLES)
Draw = "Callable[[int, int, ChartStyle], list[str]]"


def check(lines: list[str], width: int, height: int, style: ChartStyle) -> list[str]:
    plain = stripped(lines)
    assert len(lines) == height
    for line, text in zip(lines, plain, strict=True):
        assert cell_len(text) == width, text
        assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in text), ascii(text)
        assert SGR.findall(line)[-1:] in ([], ["\x1b[0m"])
        if style.colors == "none":
            assert {code for part in SGR.findall(line) for code in part[2:-1].split(";")} <= {"0", "1", "2", "7"}
        if style.glyphs == "ascii":
            assert text.isascii()
    return plain


SCHEDULED = scheduled()
LINE = margin_line(SCHEDULED)
CHARTS: dict[str, Callable[[int, int, ChartStyle], list[str]]] = {
    "loss": lambda w, h, s: loss_chart(DATA, w, h, s, total_steps=STEPS, steps_per_epoch=PER_EPOCH, smoothing=0.98),
    "loss-log": lambda w, h, s: loss_chart(DATA, w, h, s, total_steps=STEPS, steps_per_epoch=PER_EPOCH, log=True),
    "loss-scheduled": lambda w, h, s: loss_chart(SCHEDULED.history, w, h, s, total_steps=STEPS, margins=LINE),
    "loss-empty": lambda w, h, s: loss_chart(EMPTY, w, h, s, total_steps=STEPS),
    "scores": lambda w, h, s: score_chart(DATA, w, h, s, total_steps=STEPS),
    "scores-two": lambda w, h, s: score_chart(BOTH, w, h, s, total_steps=STEPS, split="unseen"),
    "scores-empty": lambda w, h, s: score_chart(EMPTY, w, h, s, total_steps=STEPS),
    "map": lambda w, h, s: map_chart(POINTS, IDENTITIES, NAMES, w, h, s, margin=1.0),
    "map-highlight": lambda w, h, s: map_chart(POINTS, IDENTITIES, NAMES, w, h, s, 3, margin=1.0),
    "map-empty": lambda w, h, s: map_chart(None, None, NAMES, w, h, s),
    "distances": lambda w, h, s: distance_chart(distances(), 1.1, 0.62, w, h, s),
    "distances-empty": lambda w, h, s: distance_chart(None, 1.0, math.nan, w, h, s),
}


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("style", STYLES, ids=lambda s: f"{s.glyphs}-{s.colors}")
def test_exact_size(name: str, style: ChartStyle) -> None:
    for width, height in SIZES:
        check(CHARTS[name](width, height, style), width, height, style)


@pytest.mark.parametrize(
    ("name", "width", "height", "style"),
    [
        ("loss", 78, 20, "braille"),
        ("loss", 60, 18, "ascii"),
        ("loss-log", 78, 20, "braille"),
        ("loss-scheduled", 78, 20, "braille"),
        ("loss-scheduled", 60, 12, "ascii"),
        ("scores", 60, 8, "braille"),
        ("scores", 60, 8, "ascii"),
        ("scores-two", 45, 6, "braille"),
        ("scores-two", 110, 14, "braille"),
        ("scores-two", 60, 10, "ascii"),
        ("scores-two", 60, 10, "block"),
        ("map", 78, 20, "braille"),
        ("map", 60, 18, "ascii"),
        ("map", 60, 18, "block"),
        ("map-highlight", 60, 18, "braille"),
        ("distances", 78, 20, "braille"),
        ("distances", 60, 12, "ascii"),
        ("distances", 20, 5, "braille"),
        ("loss-empty", 40, 5, "braille"),
    ],
)
def test_golden(name: str, width: int, height: int, style: str) -> None:
    """Reviewed by eye. `REID_TUI_GOLDEN=write` writes them anew, to be reviewed again."""
    colors: Any = "none" if style == "ascii" else "truecolor"
    glyphs: Any = style
    text = "\n".join(stripped(CHARTS[name](width, height, ChartStyle(glyphs, colors)))) + "\n"
    path = GOLDEN / f"{name}-{width}x{height}-{style}.txt"
    if os.environ.get("REID_TUI_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_the_margin_of_a_schedule_is_a_line_shifted_by_what_was_added() -> None:
    steps = [step for step, _ in LINE]
    assert steps == sorted(set(steps))
    assert LINE[:3] == ((0, 1.0), (938, 1.5), (1500, 1.6))
    assert (LINE[-1][0], LINE[-1][1]) == (3752, pytest.approx(2.1))
    assert all(value == pytest.approx(1.6 + 0.5 * (step - 1876) / 1876, abs=1e-3) for step, value in LINE[3:])
    assert SCHEDULED.started is not None
    hostile = replace(SCHEDULED.started.config, margin_schedule="\x1b[31m")
    assert margin_line(replace(SCHEDULED, started=started(config=hostile))) == ()
    assert margin_line(replace(SCHEDULED, started=started())) == margin_line(RunState()) == ()


def test_of_a_straight_line_the_log_tells_begin_and_end() -> None:
    lines = [line.text for line in scheduled(4000).log if line.kind == "margin"]
    assert lines == [
        "margin 1.00 → 1.50 · schedule",
        "margin 1.50 → 1.60 · dashboard",
        "margin 1.60 → 1.605, in a straight line to 2.10 · schedule",
        "margin 2.095 → 2.10 · schedule",
    ]


@pytest.mark.parametrize(
    ("until", "end"), [(1600, ""), (4000, " → 2.10 at step 3,752"), (2000, " → 1.63 at step 1,988")]
)
def test_the_summary_tells_of_a_straight_line_where_it_ends(until: int, end: str) -> None:
    rows = dict(summary_rows(scheduled(until)))
    assert rows["margin"] == f"1.00 → 1.50 at step 938 → 1.60 at step 1,500{end}"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(NUMBER, max_size=60),
    SIZE,
    STYLE,
    st.booleans(),
    st.floats(0, 0.99),
    st.integers(0, 10_000),
    st.integers(0, 50),
)
def test_any_losses(
    losses: list[float],
    size: tuple[int, int],
    style: ChartStyle,
    log: bool,
    smoothing: float,
    total: int,
    per_epoch: int,
) -> None:
    told = History().with_losses(range(1, len(losses) + 1), losses).with_mark(Mark(len(losses), "margin", 1.0, 2.0))
    lines = loss_chart(told, *size, style, total_steps=total, log=log, smoothing=smoothing, steps_per_epoch=per_epoch)
    check(lines, *size, style)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), NUMBER, NUMBER, NUMBER), max_size=12), SIZE, STYLE)
def test_any_scores(rows: list[tuple[int, float, float, float]], size: tuple[int, int], style: ChartStyle) -> None:
    told = History()
    for index, (step, rank1, mean, auc) in enumerate(rows):
        split = "seen" if index % 3 == 2 else "test"
        told = told.with_evaluation(evaluated(step, split=split, rank1=rank1, map=mean, auc=auc))
    check(score_chart(told, *size, style, total_steps=10), *size, style)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(NUMBER, NUMBER, st.integers(0, 80)), max_size=60),
    SIZE,
    STYLE,
    st.none() | st.integers(0, 90),
    NUMBER,
)
def test_any_points(
    rows: list[tuple[float, float, int]],
    size: tuple[int, int],
    style: ChartStyle,
    highlight: int | None,
    margin: float,
) -> None:
    points = np.array([row[:2] for row in rows]).reshape(-1, 2)
    identities = np.array([row[2] for row in rows], np.int64)
    names = ["\x1b[31mred", "[bold]x", "a\nb", "人\U0001f600" * 40, "x" * 300, "e\u0301\u202eabc"]
    check(map_chart(points, identities, names, *size, style, highlight, margin=margin), *size, style)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1, max_size=60),
    st.floats(1e-6, 1e6),
    NUMBER,
    NUMBER,
    SIZE,
    STYLE,
)
def test_any_distances(
    counts: list[tuple[int, int]],
    high: float,
    margin: float,
    threshold: float,
    size: tuple[int, int],
    style: ChartStyle,
) -> None:
    edges = tuple(np.linspace(0, high, len(counts) + 1).tolist())
    same, different = zip(*counts, strict=True)
    event = DistancesReady(step=1, split="test", edges=edges, same=same, different=different)
    check(distance_chart(event, margin, threshold, *size, style), *size, style)


@pytest.mark.parametrize("edges", [(), (0.0,), (0.0, math.nan), (0.0, 0.0), (1.0, math.inf)])
def test_broken_edges_show_the_placeholder(edges: tuple[float, ...]) -> None:
    event = DistancesReady(step=1, split="test", edges=edges, same=(1,), different=(1,))
    lines = distance_chart(event, 1.0, 0.5, 50, 9, ChartStyle())
    assert "first evaluation" in "".join(check(lines, 50, 9, ChartStyle()))


def test_a_margin_and_a_learning_rate_change_are_marked_where_they_happened() -> None:
    text = stripped(loss_chart(DATA, 107, 20, ChartStyle(), total_steps=4700, smoothing=0.9))
    assert "m 1.10" in text[0]
    assert "lr 5e-4" in text[0]
    # 100 columns of 47 steps behind the gutter.
    assert text[0][7 + 1340 // 47] == "│"
    assert text[0][7 + 2600 // 47] == "┊"


def test_the_loss_axis_does_not_move_while_the_curve_grows() -> None:
    early = stripped(loss_chart(history(2000), 78, 20, ChartStyle(), total_steps=STEPS))
    late = stripped(loss_chart(history(2100), 78, 20, ChartStyle(), total_steps=STEPS))
    assert early[-2:] == late[-2:]
    assert [line[:7] for line in early] == [line[:7] for line in late]


def test_outliers_do_not_flatten_the_curve() -> None:
    losses = [1e6, *[0.1] * 500]
    text = stripped(loss_chart(History().with_losses(range(1, 502), losses), 60, 14, ChartStyle(), total_steps=500))
    assert any(line.lstrip().startswith("0.1") for line in text)


def test_the_log_axis_has_round_labels_in_the_losses_own_unit() -> None:
    losses = np.geomspace(1.0, 0.001, 500).tolist()
    text = stripped(
        loss_chart(History().with_losses(range(1, 501), losses), 60, 20, ChartStyle(), total_steps=500, log=True)
    )
    labels = [line.split("┤")[0].strip() for line in text if "┤" in line]
    assert [float(label) for label in labels] == [1.0, 0.1, 0.01, 0.001]


def test_the_map_has_one_scale_on_both_axes() -> None:
    turn = np.linspace(0, 2 * np.pi, 4000)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    text = stripped(map_chart(circle, np.zeros(4000, int), ("ring",), 100, 30, ChartStyle()))
    rows = [row for row, line in enumerate(text) if line.strip()]
    columns = [column for line in text for column, char in enumerate(line) if char != " "]
    tall, wide = rows[-1] - rows[0] + 1, max(columns) - min(columns) + 1
    assert 2 * tall == pytest.approx(wide, abs=3)


def test_far_points_do_not_squash_the_map() -> None:
    def letters(points: Any) -> dict[str, tuple[int, int]]:
        text = stripped(map_chart(points, IDENTITIES, NAMES, 78, 20, ChartStyle()))
        return {char: (row, line.index(char)) for row, line in enumerate(text) for char in line if char.isdigit()}

    far = POINTS.copy()
    far[:3] = [(1e6, -1e6), (-1e9, 0), (3e38, 3e38)]
    near = letters(POINTS)
    assert len(near) == 10
    for letter, (row, column) in letters(far).items():
        assert abs(row - near[letter][0]) <= 1
        assert abs(column - near[letter][1]) <= 2


def test_a_cell_takes_the_colour_of_most_of_its_points() -> None:
    left, right = np.tile([[0.0, 0.0]], (30, 1)), np.tile([[1.0, 0.0]], (30, 1))
    points = np.concatenate([left, right, left[:5]])
    identities = np.array([1] * 30 + [2] * 30 + [5] * 5)
    lines = map_chart(points, identities, NAMES, 30, 5, ChartStyle())
    text = "".join(lines)
    assert "38;2;{};{};{}".format(*ChartStyle().identity(1).rgb) in text
    assert "38;2;{};{};{}".format(*ChartStyle().identity(2).rgb) in text


def test_each_identity_has_its_letter_also_without_colours() -> None:
    for style in STYLES:
        text = "".join(stripped(map_chart(POINTS, IDENTITIES, NAMES, 78, 24, style)))
        assert all(identity_letter(index) in text for index in range(10))


def test_highlight_names_the_identity_and_mutes_the_rest() -> None:
    lines = map_chart(POINTS, IDENTITIES, NAMES, 78, 20, ChartStyle(), 3)
    assert stripped(lines)[0].startswith(" 3 Dress ")
    text = "".join(lines)
    assert "{};{};{}".format(*ChartStyle().identity(3).rgb) in text
    assert "{};{};{}".format(*ChartStyle().identity(4).rgb) not in text


def test_many_identities_show_letters_that_do_not_crowd() -> None:
    points, identities = blobs(4000, 64)
    check(map_chart(points, identities, (), 78, 20, ChartStyle()), 78, 20, ChartStyle())
    text = stripped(map_chart(points, identities, (), 78, 20, ChartStyle(), 40))
    assert "".join(text).count(identity_letter(40)) == 2


def test_turning_the_margin_moves_its_line_at_once() -> None:
    def column(margin: float) -> int:
        return stripped(distance_chart(distances(), margin, math.nan, 101, 20, ChartStyle()))[5].index("│", 1)

    assert column(1.0) == 1 + 25
    assert column(2.0) == 1 + 50
    wide = stripped(distance_chart(distances(), 8.0, math.nan, 101, 20, ChartStyle()))
    assert wide[5].index("│", 1) == 1 + int(100 / 1.05)
    assert "margin 8.00" in "".join(wide)


def test_both_populations_are_visible_whatever_their_size() -> None:
    event = DistancesReady(step=1, split="test", edges=(0.0, 1.0, 2.0, 3.0), same=(5, 0, 0), different=(0, 0, 900_000))
    text = stripped(distance_chart(event, math.nan, math.nan, 60, 14, ChartStyle("ascii", "none")))
    assert sum(line.count("#") for line in text) > 50
    assert sum(line.count(":") for line in text) > 50


def test_scores_are_told_apart_without_colours() -> None:
    text = "".join(stripped(score_chart(DATA, 60, 12, ChartStyle("braille", "none"), total_steps=STEPS))[1:])
    assert all(letter in text for letter in "RMAE")


@pytest.mark.parametrize("style", STYLES, ids=lambda s: f"{s.glyphs}-{s.colors}")
def test_curves_that_coincide_are_all_seen(style: ChartStyle) -> None:
    """Four scores and their seen ones on one line: each has cells of its own in colour and letter."""
    alike = {"rank1": 0.75, "map": 0.75, "auc": 0.75, "eer": 0.25}
    told = History()
    for step in (0, STEPS // 2, STEPS):
        for split in ("seen", "unseen"):
            told = told.with_evaluation(evaluated(step, split=split, **alike))
    lines = score_chart(told, 80, 10, style, total_steps=STEPS, split="unseen")
    legend, *rows = stripped(lines)
    assert all(name in legend for name in ("rank-1", "mAP", "AUC", "EER", "rm seen"))
    assert all(any(letter in row for row in rows) for letter in "Erm")
    if style.colors == "none" or style.glyphs == "ascii":
        assert all(any(letter in row for row in rows) for letter in "RMA")
    else:
        drawn = "".join(lines[1:])
        for role in ("accent", "same", "threshold", "different"):
            assert f"{sgr_codes(style.ink(role), style.colors)}m" in drawn


def test_a_score_evaluated_once_is_seen() -> None:
    once = History().with_evaluation(evaluated(700, rank1=0.5, map=0.6, auc=0.9, eer=0.3))
    text = "".join(stripped(score_chart(once, 60, 12, ChartStyle("ascii"), total_steps=STEPS))[1:])
    assert all(letter in text for letter in "RMAE")


@pytest.mark.parametrize("style", STYLES, ids=lambda s: f"{s.glyphs}-{s.colors}")
def test_the_curves_of_two_splits_are_told_apart_without_looking_at_colours(style: ChartStyle) -> None:
    one = stripped(score_chart(BOTH, 110, 16, style, total_steps=STEPS, split="unseen", beside="none"))
    two = stripped(score_chart(BOTH, 110, 16, style, total_steps=STEPS, split="unseen"))
    assert "seen rank-1 0.989" in two[0]
    added = [
        (row, column) for row, line in enumerate(two) for column, char in enumerate(line) if char != one[row][column]
    ]
    curve = {(row, column): two[row][column] for row, column in added if 0 < row < 14 and column > 6}
    assert set(curve.values()) == {"r", "m"}
    assert len({column for _, column in curve}) >= 16


def test_placeholder_is_centred() -> None:
    lines = check(placeholder("waiting for the first step", 40, 5, ChartStyle()), 40, 5, ChartStyle())
    assert lines[2].strip() == "waiting for the first step"
    assert lines[2].index("w") == 7


def test_charts_do_not_depend_on_the_order_of_hashes() -> None:
    code = (
        "import hashlib; from reid_tui.view.charts import *; from tests.view.samples import *;"
        "lines = [loss_chart(history(900), 60, 16, ChartStyle(), total_steps=900),"
        "map_chart(*blobs(500), NAMES, 60, 16, ChartStyle(), 3)];"
        "print(hashlib.sha256(repr(lines).encode()).hexdigest())"
    )
    root = Path(__file__).parents[2]
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1

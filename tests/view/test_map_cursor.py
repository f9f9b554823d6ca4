"""The map's cursor and trails: against slow obvious loops, and inside every size and style."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from reid_tui.training.events import EmbeddingsReady
from reid_tui.view.charts import ChartStyle, map_chart
from reid_tui.view.grid import Grid
from reid_tui.view.map_cloud import Cell, Cloud, cloud
from reid_tui.view.map_cursor import Seen, draw_box, draw_cursor, find, fits, neighbours_in, one_line
from reid_tui.view.trails import MOST, MOST_TRAILS, POINTS, Trails
from tests.view.samples import NAMES, blobs, stripped, whole_snapshot
from tests.view.test_charts import SIZES, STYLES, check

POINTS_N2, IDENTITIES = blobs()
ROWS = np.arange(len(POINTS_N2)) + 1000
SEEN = Seen((), 1, np.arange(4 * 12 * 8, dtype=np.uint8).reshape(4, 1, 12, 8))


def snapshot(step: int, points: np.ndarray, identities: np.ndarray = IDENTITIES) -> EmbeddingsReady:
    return EmbeddingsReady(step=step, split="test", path="", points=points, identities=identities[: len(points)])


def trails(*steps: int) -> Trails:
    found = Trails()
    for step in steps:
        found = found.after(snapshot(step, (POINTS_N2 * step).astype(np.float32)))
    return found


def overlay(cell: Cell, grid: Grid, placed: Cloud) -> None:
    found = find(placed, cell, grid.style.glyphs, trails(1, 2), ROWS, 2)
    draw_cursor(grid, cell, found)
    if fits(grid.width, grid.height):
        draw_box(grid, cell, found, NAMES, SEEN)


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES, ids=lambda s: f"{s.glyphs}-{s.colors}-{s.dark}")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("cell", [(0, 0), (500, 500), (3, 2)])
def test_it_stays_inside(style: ChartStyle, size: tuple[int, int], cell: Cell) -> None:
    drawn = map_chart(POINTS_N2, IDENTITIES, NAMES, *size, style, trails=trails(1, 2), overlay=partial(overlay, cell))
    check(drawn, *size, style)


@pytest.mark.parametrize("glyphs", ["braille", "block", "ascii"])
def test_what_lies_there_is_the_nearest_in_its_cell_else_the_nearest_of_all(glyphs: str) -> None:
    points = np.vstack([POINTS_N2[:300], [[np.nan, 0.0]], POINTS_N2[300:]])
    identities = np.concatenate([IDENTITIES[:300], [0], IDENTITIES[300:]])
    placed = cloud(points, identities, 40, 20)
    assert placed is not None
    columns, rows = placed.cells(placed.where, glyphs)
    cells = list(zip(columns.tolist(), rows.tolist(), strict=True))
    for cell in [(0, 0), (39, 19), (20, 10), cells[0], cells[400]]:
        centre = [
            placed.low[0] + (cell[0] + 0.5) * placed.unit,
            placed.high[1] - (cell[1] + 0.5) * 2 * placed.unit,
        ]
        away = [float(np.hypot(*(point - centre))) for point in placed.where]
        inside = [i for i, other in enumerate(cells) if other == cell]
        expected = min(inside or range(len(away)), key=away.__getitem__)
        found = find(placed, cell, glyphs, Trails(), None, 0)
        assert found.place == expected + (expected >= 300)
        assert found.here == cells.count(cells[expected])
        order = sorted((float(np.hypot(*(p - placed.where[expected]))), i) for i, p in enumerate(placed.where))
        wanted = [(int(placed.index[i]), int(placed.identity[i]), pytest.approx(d)) for d, i in order if i != expected][
            :3
        ]
        assert list(found.neighbours) == wanted


def test_one_point_alone_has_no_neighbours() -> None:
    placed = cloud(np.zeros((1, 2)), np.zeros(1, int), 10, 5)
    assert placed is not None
    assert find(placed, (9, 0), "braille", Trails(), None, 0).neighbours == ()


def test_how_far_it_has_come_is_told_from_where_it_was_first_seen() -> None:
    few, many = POINTS_N2[:100].astype(np.float32), POINTS_N2.astype(np.float32)
    known = Trails().after(snapshot(5, few)).after(snapshot(9, many)).after(snapshot(12, few + 1))
    assert known.moved(3, None, few[3] + [3, 4], 12) == (pytest.approx(5), 5)
    assert known.moved(200, None, many[200] + [0, 2], 12) == (pytest.approx(2, rel=1e-6), 9)
    assert known.moved(len(many), None, many[0], 12) is None
    assert known.moved(200, None, many[200], 9) is None
    assert known.until(8).moved(200, None, many[200], 12) is None
    assert known.until(4).firsts == ()


def test_images_are_known_again_by_their_rows() -> None:
    quick = snapshot(5, POINTS_N2[:100].astype(np.float32))
    known = Trails().after(quick)
    assert known.rows_of(100) is None
    known = known.after(replace(whole_snapshot(9), points=POINTS_N2[:200].astype(np.float32)))
    rows = known.rows_of(100)
    assert rows is not None
    assert rows.tolist() == list(range(199, 99, -1))
    other = np.array([150, 3, 777])
    assert known.moved(0, other, POINTS_N2[199 - 150] + [0, 2], 20) == (pytest.approx(2, rel=1e-4), 5)
    assert known.moved(1, other, POINTS_N2[199 - 3] + [0, 2], 20) == (pytest.approx(2, rel=1e-4), 9)
    assert known.moved(2, other, POINTS_N2[0], 20) is None


def test_neighbours_by_the_whole_embedding_equal_a_slow_loop() -> None:
    gallery = whole_snapshot(dim=6)
    for row in (0, 77):
        at = 199 - row
        away = [float(np.linalg.norm(e - gallery.embeddings[at])) for e in gallery.embeddings]
        order = [i for i in np.argsort(away, kind="stable") if i != at][:3]
        assert neighbours_in(gallery, row) == tuple((i, i % 10, pytest.approx(away[i], rel=1e-5)) for i in order)
    assert neighbours_in(gallery, 500) == ()


def test_trails_stay_bounded_and_keep_their_beginning_and_their_end() -> None:
    points = np.zeros((POINTS + 100, 2), np.float32)
    identities = np.zeros(len(points), np.int64)
    known = Trails()
    for step in range(5, 1000):
        known = known.after(snapshot(step, points, identities))
    assert len(known.traces) <= MOST
    assert (known.since, known.traces[-1].step) == (5, 999)
    assert max(len(trace.points) for trace in known.traces) == POINTS
    assert all(trace.points.base is not points for trace in known.traces)


def test_what_came_before_goes_in_front() -> None:
    late = Trails().after(snapshot(50, POINTS_N2[:300].astype(np.float32)))
    early = trails(1, 2)
    whole = late.behind(early)
    assert [trace.step for trace in whole.traces] == [1, 2, 50]
    assert [first.step for first in whole.firsts] == [1]
    assert late.behind(Trails()).traces == late.traces
    assert [first.step for first in early.behind(late).firsts] == [50, 1]


def test_centroids_are_the_means() -> None:
    known = trails(1, 2, 3)
    ways = dict(known.centroids())
    assert sorted(ways) == sorted(set(IDENTITIES[:POINTS].tolist()))
    for kind, way in ways.items():
        own = [p for p, i in zip(POINTS_N2[:POINTS], IDENTITIES[:POINTS], strict=False) if i == kind]
        assert way == pytest.approx(np.array([np.mean(own, axis=0) * step for step in (1, 2, 3)]), rel=1e-5)
    assert [kind for kind, _ in known.centroids(3)] == [3]
    many = Trails().after(snapshot(1, np.zeros((400, 2), np.float32), np.arange(400)))
    assert len(list(many.centroids())) == MOST_TRAILS
    broken = Trails().after(snapshot(1, np.full((10, 2), np.nan, np.float32)))
    assert list(broken.centroids()) == []


def test_trails_mute_the_dots_and_are_told_without_colours() -> None:
    style = ChartStyle("ascii", "none")
    text = "\n".join(stripped(map_chart(POINTS_N2, IDENTITIES, NAMES, 60, 18, style, trails=trails(1, 2, 1))))
    letters = {char for char in text if char.isalnum()}
    assert "." in text
    assert len(letters) == len(set(IDENTITIES.tolist()))


def test_the_box_lies_away_from_the_cursor() -> None:
    for cell, left, top in (((0, 0), False, False), ((59, 17), True, True)):
        lines = stripped(map_chart(POINTS_N2, IDENTITIES, NAMES, 60, 18, ChartStyle(), overlay=partial(overlay, cell)))
        place = next((y, line.index("nearest here")) for y, line in enumerate(lines) if "nearest here" in line)
        assert (place[1] < 30) == left
        assert (place[0] < 13) == top


def test_one_line_where_there_is_no_room() -> None:
    placed = cloud(POINTS_N2, IDENTITIES, 30, 10)
    assert placed is not None
    found = find(placed, (15, 5), "braille", trails(1, 2), None, 2)
    line = one_line(found, NAMES)
    assert line.startswith(f"{NAMES[found.identity]} · nearest {NAMES[found.neighbours[0].identity]} ")
    assert "since step 1" in line
    assert one_line(found, ()).startswith(f"identity {found.identity}")

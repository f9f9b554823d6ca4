from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reid_tui.tui.layout import EXTRAS, PANELS, Arrangement, Wish, arrange, choose, too_small

wishes = st.builds(
    Wish,
    hidden=st.frozensets(st.sampled_from(PANELS), max_size=7),
    tab=st.sampled_from(PANELS),
    zoomed=st.none() | st.sampled_from(PANELS),
)


@given(st.integers(60, 260), st.integers(12, 90), wishes)
def test_boxes_fill_the_area_and_never_overlap(width: int, height: int, wish: Wish) -> None:
    covered: set[tuple[int, int]] = set()
    for box in arrange(width, height, wish).boxes.values():
        cells = {(x, y) for x in range(box.x, box.x + box.width) for y in range(box.y, box.y + box.height)}
        assert cells
        assert not cells & covered
        covered |= cells
    assert len(covered) == width * height


@pytest.mark.parametrize("size", [(0, 0), (1, 1), (3, 200), (200, 3)])
def test_absurd_areas_are_no_error(size: tuple[int, int]) -> None:
    assert isinstance(arrange(*size, Wish()), Arrangement)


def test_one_plot_at_a_time_beside_the_numbers_at_80x24() -> None:
    arrangement = arrange(80, 21, Wish())
    assert set(arrangement.boxes) == {"loss", "numbers"}
    assert arrangement.tabs == ("loss", "map", "distances", "log")
    assert set(arrange(80, 21, Wish(tab="map")).boxes) == {"map", "numbers"}


@pytest.mark.parametrize("height", [12, 21, 27, 37])
def test_curves_and_map_side_by_side_from_120_columns(height: int) -> None:
    boxes = arrange(120, height, Wish()).boxes
    assert boxes["loss"].y == boxes["map"].y
    assert boxes["loss"].x + boxes["loss"].width == boxes["map"].x


@pytest.mark.parametrize("size", [(120, 37), (200, 57)])
def test_everything_where_there_is_room(size: tuple[int, int]) -> None:
    arrangement = arrange(*size, Wish())
    assert set(arrangement.boxes) == set(PANELS) - set(EXTRAS)
    assert not arrangement.tabs


def test_extras_have_a_row_where_there_is_room_and_take_turns_elsewhere() -> None:
    every = Wish(hidden=frozenset())
    assert set(arrange(200, 57, every).boxes) == set(PANELS)
    assert min(min(box.width, box.height) for box in arrange(200, 57, every).boxes.values()) >= 19
    one = Wish(hidden=frozenset({"retrieval", "classes"}))
    assert set(arrange(120, 37, one).boxes) == {*PANELS[:5], "pairs"}
    small = choose(Wish(), arrange(80, 21, Wish()), "pairs")
    assert set(arrange(80, 21, small).boxes) == {"pairs", "numbers"}
    assert "pairs" in arrange(120, 37, Wish(hidden=frozenset(), tab="pairs")).boxes


def test_number_keys_choose_a_tab_where_there_is_one_place() -> None:
    wish = choose(Wish(), arrange(80, 21, Wish()), "map")
    assert set(arrange(80, 21, wish).boxes) == {"map", "numbers"}
    assert choose(wish, arrange(80, 21, wish), "map") == wish
    without = choose(wish, arrange(80, 21, wish), "numbers")
    assert set(arrange(80, 21, without).boxes) == {"map"}


def test_number_keys_hide_and_show_where_all_fit() -> None:
    hidden = choose(Wish(), arrange(200, 57, Wish()), "log")
    assert "log" not in arrange(200, 57, hidden).boxes
    assert "log" in arrange(200, 57, choose(hidden, arrange(200, 57, hidden), "log")).boxes


def test_the_last_panel_stays() -> None:
    wish = Wish(hidden=frozenset(PANELS) - {"map"})
    assert choose(wish, arrange(200, 57, wish), "map") == wish


def test_a_zoomed_panel_has_all_the_room_and_number_keys_change_it() -> None:
    wish = Wish(zoomed="loss", hidden=frozenset({"map"}))
    box = arrange(100, 30, wish).boxes["loss"]
    assert (box.width, box.height) == (100, 30)
    assert choose(wish, arrange(100, 30, wish), "map").zoomed == "map"


def test_below_60x15_is_too_small() -> None:
    assert too_small(59, 15)
    assert too_small(60, 14)
    assert not too_small(60, 15)

from __future__ import annotations

import numpy as np
import pytest
from rich.cells import cell_len

from reid_tui.using.distance_matrix import Room, matrix, places, tail
from tests.hostile import HOSTILE


def drawn(
    distances: object,
    rows: list[str],
    columns: list[str] | None,
    width: int = 80,
    lines: int = 20,
    threshold: float = 1,
) -> list[str]:
    room = Room(width, lines, color=False)
    return [line.plain for line in matrix(np.array(distances, dtype=float), rows, columns, threshold, room)]


def test_numbers_where_they_fit() -> None:
    assert drawn([[0.5, 1], [1.25, np.nan]], ["ann", "bob"], ["x/1.png", "x/2.png"]) == [
        "          1     2 ",
        "1 ann  0.50* 1.00*",
        "2 bob  1.25     =",
        "columns: 1 x/1.png, 2 x/2.png",
        "* the same: no farther apart than 1.00; = no pair",
    ]


def test_shades_where_numbers_do_not_fit() -> None:
    row = [0, 0.3, 0.6, 1.0, 1.2, 1.5, 9, np.nan]
    lines = drawn([row], ["ann"], [f"{number}.png" for number in range(8)], width=24)
    assert lines[1] == "1 ann @@##**++::..  =="
    assert lines[2] == f"columns: {', '.join(f'{number + 1} {number}.png' for number in range(8))}"
    assert lines[3] == "@ # * + the same, nearest first; : .   different; = no pair"


def test_what_does_not_fit_is_counted() -> None:
    lines = drawn(np.ones((30, 200)), ["n"] * 30, ["m"] * 200, lines=6)
    assert len([line for line in lines if line.endswith("+")]) == 6
    assert "6 of 30 rows and 76 of 200 columns fit; --csv has all" in lines
    assert lines[0].split() == ["1", "76"]


@pytest.mark.parametrize("width", [1, 5, 20, 40, 80, 200])
@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 40), (40, 2)])
def test_cells_stay_within_the_room(width: int, shape: tuple[int, int]) -> None:
    rows = [HOSTILE[number % len(HOSTILE)] for number in range(shape[0])]
    room = Room(width, 10, color=True)
    lines = matrix(np.linspace(0, 3, shape[0] * shape[1]).reshape(shape), rows, None, 1, room)
    for line in lines[: 1 + min(shape[0], 10)]:
        assert cell_len(line.plain) <= max(width, 6)
        assert line.plain.isprintable()


@pytest.mark.parametrize(("threshold", "wanted"), [(0.75, 3), (7.5, 2), (75, 1), (750, 0), (0.075, 4), (0, 3)])
def test_three_digits_of_a_threshold(threshold: float, wanted: int) -> None:
    assert places(threshold) == wanted


def test_the_end_of_a_name_tells_files_apart() -> None:
    assert tail("people/person-0/c1_0.png", 12) == "…-0/c1_0.png"
    assert tail("歩行者/歩行者.png", 9) == "…行者.png"
    assert tail("a.png", 5) == "a.png"
    assert tail("ab", 0) == ""

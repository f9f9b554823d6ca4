from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reid_tui.errors import DataError
from reid_tui.using.pair_table import pair_table, table_scores


def read(tmp_path: Path, text: str, encoding: str = "utf-8") -> list[tuple[int, str, str, bool | None]]:
    path = tmp_path / "pairs.csv"
    path.write_text(text, encoding=encoding)
    return [tuple(row) for row in pair_table(str(path)).rows]


@pytest.mark.parametrize(
    "header", ["a,b", "path1;path2", "Image1\timage2", "left,right", "id,first,second", "b,a,split", "img1,img2,name"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_columns_are_found_whatever_they_are_called(tmp_path: Path, header: str, encoding: str) -> None:
    mark = next(mark for mark in ";\t," if mark in header)
    names = [name.lower() for name in header.split(mark)]
    cells = [{"a": "ä.png", "b": "z.png"}.get(_side(name), "x") for name in names]
    assert read(tmp_path, f"{header}\n\n{mark.join(cells)}\n", encoding) == [(3, "ä.png", "z.png", None)]


def _side(name: str) -> str:
    return (
        "a"
        if name in ("a", "path1", "image1", "left", "first", "img1")
        else "b"
        if name not in ("id", "split", "name")
        else ""
    )


@pytest.mark.parametrize("heading", ["verdict", "same", "label", "match", "is_same"])
@pytest.mark.parametrize(
    ("same", "different"), [("same", "different"), ("1", "0"), ("TRUE", "False"), ("Yes", "no"), (" 1 ", " 0")]
)
def test_verdicts_as_people_spell_them(tmp_path: Path, heading: str, same: str, different: str) -> None:
    rows = read(tmp_path, f"a,b,{heading}\n1,2,{same}\n3,4,{different}\n5,6,\n")
    assert [row[3] for row in rows] == [True, False, None]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no header; the first line of a table names its columns: a,b"),
        ("a,c\n1,2\n", "has no column for b; its columns are 'a', 'c'; write 'b' above the right one"),
        ("a,left,right\n1,2,3\n", None),
        ("a,b\n", "has no pair; each pair is a row below the header"),
        ("a,b\n1,2\n3\n", "row 3: 1 cells, and the header has 2"),
        ("a,b\n1,2\n3, \n", "row 3: a picture is not named"),
        ("a,b,same\n1,2,1\n3,4,perhaps\n", "row 3: verdict 'perhaps' is none of same or different, 1 or 0, true or"),
        ("a,b,same\n1,2,\x1b[2J\n", "row 2: verdict '\ufffd\\[2J' is none"),
        ('a,b\n1,"2\n', "row 2: unexpected end of data"),
        ("image1,img1,b\n1,2,3\n", "has 2 columns that may be the a: 'image1', 'img1'; call one 'a'"),
    ],
)
def test_what_is_wrong_is_told_with_its_row(tmp_path: Path, text: str, told: str | None) -> None:
    if told is None:
        assert read(tmp_path, text) == [(2, "1", "3", None)]
        return
    with pytest.raises(DataError, match=told.replace("(", r"\(")):
        read(tmp_path, text)


def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    for content, told in ((b"a,b\n\xff,2\n", "is not UTF-8"), (b"a,b\n\0,2\n", "holds a NUL byte in line 2")):
        path.write_bytes(content)
        with pytest.raises(DataError, match=told):
            pair_table(str(path))


def test_scores_of_the_known_distances() -> None:
    same, different = [0, 0, 1, 1, 2, 2, 5, 5, 9, 9], [3, 3, 4, 4, 6, 6, 7, 7, 8, 8]
    distances = np.array([*same, *different, 1000], dtype=float)
    found = table_scores(distances, distances <= 4, [True] * 10 + [False] * 10 + [None])
    assert found is not None
    assert found.auc == pytest.approx(0.72)
    assert (found.same_called_same, found.same_called_different) == (6, 4)
    assert (found.different_called_same, found.different_called_different) == (4, 6)
    assert (found.count, found.right, found.accuracy) == (20, 12, 0.6)


def test_scores_of_one_kind_and_of_none() -> None:
    distances = np.array([1.0, 2.0])
    found = table_scores(distances, distances <= 1, [True, True])
    assert found is not None
    assert (found.accuracy, np.isnan(found.auc)) == (0.5, True)
    assert table_scores(distances, distances <= 1, [None, None]) is None

"""Tables of pictures: columns are recognised and told, every bad row by its number."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reid_tui.data.folders.columns import columns
from reid_tui.data.folders.listing import Box
from reid_tui.data.folders.table import _rows
from reid_tui.data.pool import UNDIVIDED, VALIDATION
from reid_tui.errors import DataError
from reid_tui.text import printable
from tests.data.folders.trees import GALLERY, QUERY, TEST, TRAIN, brief, counts, found, listed, put
from tests.hostile import HOSTILE


def table(root: Path, text: str | bytes, name: str = "labels.csv") -> str:
    """Write a table beside three pictures; the spec that reads it."""
    put(root, "a.png", "b.png", "more/c.png")
    (root / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return f"csv:{root / name}"


def refused(spec: str, **options: str) -> str:
    with pytest.raises(DataError) as error:
        listed(spec, **options)
    text = str(error.value)
    assert printable(text, 10_000) == text
    return text


def test_a_table_is_listed_row_by_row(tmp_path: Path) -> None:
    absolute = tmp_path / "more/c.png"
    spec = table(tmp_path, f"path,identity,camera\nb.png,007,1\na.png,7,02\n\n{absolute},7,3\n", "Crops 1.csv")
    (tmp_path / "a.png").write_bytes(b"12345")
    os.utime(tmp_path / "a.png", ns=(1, 123_456_789))
    listing = listed(spec)
    assert brief(listing) == [
        ("b.png", "007", "1", UNDIVIDED),
        ("a.png", "7", "02", UNDIVIDED),
        (str(absolute), "7", "3", UNDIVIDED),
    ]
    assert (listing.pictures[1].size, listing.pictures[1].changed_ns) == (5, 123_456_789)
    assert (listing.spec, listing.name, listing.root) == (spec, "Crops-1", tmp_path)
    assert listing.source == f"table {tmp_path / 'Crops 1.csv'}"
    assert listing.findings == ()
    assert not listing.upright


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_how_it_is_written_does_not_matter(tmp_path: Path, encoding: str, delimiter: str, end: str) -> None:
    rows = [" Identity ", "PATH", "Box"], ["Zoë", "a.png", "1,2,3,4"], ["歩行者", "b.png", ""]
    text = end.join(delimiter.join(f'"{cell}"' if "," in cell else cell for cell in row) for row in rows)
    listing = listed(table(tmp_path, f"{text}{end}".encode(encoding)))
    assert [(p.path, p.identity, p.box) for p in listing.pictures] == [
        ("a.png", "Zoë", Box(1, 2, 3, 4)),
        ("b.png", "歩行者", None),
    ]


@pytest.mark.parametrize(
    ("header", "first"),
    [
        ("image,id", ("path: image", "identity: id")),
        ("file,label", ("path: file", "identity: label")),
        ("image_id,name", ("path: image_id", "identity: name")),
        ("Filename,Category", ("path: Filename", "identity: Category")),
        ("file,individual_id", ("path: file", "identity: individual_id")),
    ],
)
def test_other_headings_are_recognised_and_told(tmp_path: Path, header: str, first: tuple[str, str]) -> None:
    listing = listed(table(tmp_path, f"{header},note\x1b\na.png,x,\nb.png,y,z\n"))
    assert [identity for _, identity, _, _ in brief(listing)] == ["x", "y"]
    finding = found(listing)["columns"]
    kinds = [part.split(": ") for part in first]
    assert finding.text == (
        "columns are read: " + ", ".join(f"'{name}' as {kind}" for kind, name in kinds) + "; not read: 'note\ufffd'"
    )
    assert (finding.count, finding.grave) == (2, False)


def test_an_id_beside_a_better_heading_numbers_the_rows(tmp_path: Path) -> None:
    listing = listed(table(tmp_path, "id,image_id,path,category,bbox\n1,9,a.png,x,\n2,8,b.png,y,\n"))
    assert brief(listing) == [("a.png", "x", None, UNDIVIDED), ("b.png", "y", None, UNDIVIDED)]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "labels.csv has no header; the first line of a table names its columns: path,identity"),
        ("\n\n", "has no header"),
        ("a.png,alice", "has no column for path and identity; its columns are 'a.png', 'alice'; write 'path' above"),
        ("path,what\x1b", "has no column for identity; its columns are 'path', 'what\ufffd'; write 'identity' above"),
        ("path|identity", "has no column for path and identity; its columns are 'path|identity'; write"),
        ("path,label,name", "has 2 columns that may be the identity: 'label', 'name'; call one 'identity'"),
        ("path,identity,Path", "has 2 columns that may be the path: 'path', 'Path'; call one 'path'"),
    ],
)
def test_a_header_that_says_too_little(tmp_path: Path, header: str, message: str) -> None:
    assert message in refused(table(tmp_path, header))


def test_the_split_of_each_row(tmp_path: Path) -> None:
    words = {"train": TRAIN, "Query": QUERY, "gallery": GALLERY, " TEST ": TEST, "val": VALIDATION}
    rows = [f"a.png,{number},{word}" for number, word in enumerate(words)]
    listing = listed(table(tmp_path, "\n".join(["path,identity,split", *rows, "gone.png,5,Ignore"])))
    assert [role for _, _, _, role in brief(listing)] == list(words.values())
    assert counts(listing) == {"ignored_rows": 1}
    listing = listed(table(tmp_path, "path,identity,split\na.png,1,train\nb.png,2,val\n"))
    assert [role for _, _, _, role in brief(listing)] == [TRAIN, TEST]
    listing = listed(table(tmp_path, "path,identity,split,camera\na.png,1,,\nb.png,2,,\n"))
    assert brief(listing) == [("a.png", "1", None, UNDIVIDED), ("b.png", "2", None, UNDIVIDED)]


@pytest.mark.parametrize(
    ("cell", "box"),
    [
        ('"1,2,30,40"', Box(1, 2, 30, 40)),
        ("1 2 30 40", Box(1, 2, 30, 40)),
        ("1;2;30;40", Box(1, 2, 30, 40)),
        ('"[1.4, 2.0, 30.0, 39.6]"', Box(1, 2, 30, 40)),
        ("", None),
        (" ", None),
    ],
)
def test_a_box(tmp_path: Path, cell: str, box: Box | None) -> None:
    listing = listed(table(tmp_path, f"path,box,identity\na.png,{cell},1\na.png,5 5 5 5,2\n"))
    assert [picture.box for picture in listing.pictures] == [box, Box(5, 5, 5, 5)]


@pytest.mark.parametrize(
    "cell", ["1 2 3", "1 2 3 4 5", "1 2 0 4", "1 2 3 -4", "-1 2 3 4", "a b c d", "nan 1 1 1", "inf 1 1 1"]
)
def test_a_bad_box(tmp_path: Path, cell: str) -> None:
    text = refused(table(tmp_path, f"path,identity,box\na.png,1,1 1 1 1\na.png,2,{cell}\n"))
    assert f"labels.csv, row 3: box '{cell}' is not x,y,width,height in pixels, such as '10,20,64,128'" in text


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("b.png", "row 4: 1 cells, and the header has 4"),
        ("b.png,x,train,1,2", "row 4: 5 cells, and the header has 4"),
        ("b.png, ,train,1", "row 4: no identity; fill the cell, or take the row out"),
        (",x,train,1", "row 4: no path; fill the cell, or take the row out"),
        ("b.png,x,trian\x1b,1", "row 4: split 'trian\ufffd' is none of train, query, gallery, test, val, ignore"),
        ("b.png,x,,1", "row 4: no split, and 1 other rows have one; fill all cells of the column, or none"),
        ("b.png,x,test,", "row 4: no camera, and 1 other rows have one; fill all cells of the column, or none"),
        ('"b.png,x,test,1', "row 4: unexpected end of data; put cells with quotes or commas in quotes"),
        ('"b.png"x,x,test,1', "row 4: ',' expected after '\"'; put cells"),
        ("b" * 200_000 + ",x,test,1", "row 4: field larger than field limit (131072); put cells"),
        ("b.png,x\0,test,1", "labels.csv holds a NUL byte in line 4; save the table as UTF-8 text"),
    ],
    ids=lambda text: text[:20],
)
def test_a_bad_row_is_told_by_its_number(tmp_path: Path, row: str, message: str) -> None:
    assert message in refused(table(tmp_path, f"path,identity,split,camera\n\na.png,1,train,1\n{row}\n"))


def test_empty_cells_behind_the_last_column_say_nothing(tmp_path: Path) -> None:
    assert len(listed(table(tmp_path, "path,identity\na.png,1,,\nb.png,2\n")).pictures) == 2


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-32"])
def test_another_encoding_is_told(tmp_path: Path, encoding: str) -> None:
    line = 3 if encoding == "latin-1" else 1
    text = refused(table(tmp_path, "path,identity\na.png,1\nb.png,Zoë\n".encode(encoding)))
    assert text == f"{tmp_path / 'labels.csv'} is not UTF-8 (line {line}); save the table as UTF-8"


def test_rows_without_a_file_are_counted_and_many_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    put(tmp_path, *(f"{number}.png" for number in range(77)))
    kept = "".join(f"{number}.png,{number % 7}\n" for number in range(77))
    missing = "gone\x1b.png,1\npipe.png,2\nmore,3\n/dev/zero,4\n"
    text = f"path,identity\n{missing}{kept}"
    listing = listed(table(tmp_path, text))
    assert len(listing.pictures) == 77
    assert found(listing)["missing_files"].count == 4
    assert found(listing)["missing_files"].examples == ("gone\x1b.png", "pipe.png", "more")
    assert refused(table(tmp_path, f"{text}{'x' * 300},5\n")) == (
        f"{tmp_path / 'labels.csv'}: 5 of 82 named pictures are missing or no regular files, first 'gone\ufffd.png', "
        f"'pipe.png', 'more', ...; their paths start at {tmp_path}; name another folder with --image-root"
    )


def test_a_row_that_says_what_an_earlier_one_says_is_left_out(tmp_path: Path) -> None:
    listing = listed(table(tmp_path, "path,identity,box\na.png,1,\nb.png,2,\na.png,1,\na.png,1,1 1 1 1\na.png,3,\n"))
    assert len(listing.pictures) == 4
    assert found(listing)["duplicate_rows"].examples == ("a.png",)


def test_names_that_differ_only_in_case_are_told(tmp_path: Path) -> None:
    listing = listed(table(tmp_path, "path,identity\na.png,Rex\nb.png,rex\n"))
    assert found(listing)["names_differ_in_case"].examples == ("Rex / rex",)


def test_paths_may_start_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(tmp_path / "pictures", "")
    spec = table(tmp_path / "tables", "path,identity\na.png,1\nmore/c.png,2\n")
    for name in ("a.png", "more/c.png"):
        (tmp_path / "tables" / name).unlink()
    assert listed(spec, image_root=str(tmp_path / "pictures")).root == tmp_path / "pictures"
    monkeypatch.chdir(tmp_path)
    assert listed("csv:tables/labels.csv", image_root="pictures").root == tmp_path / "pictures"
    assert "their paths start at" in refused(spec)
    for wrong in ("missing", "pictures/a.png", "nul\0", "~nobody-has-this-name/x"):
        assert "--image-root" in refused(spec, image_root=wrong)


def test_a_camera_is_found_in_the_name_where_no_column_tells_it(tmp_path: Path) -> None:
    put(tmp_path, "x_c3/y_c4.png", "x_c3/y_c5.png")
    rows = "x_c3/y_c4.png,1{0}\nx_c3/y_c5.png,2{0}\n"
    listing = listed(table(tmp_path, "path,identity\n" + rows.format("")), camera_pattern=r"_c(\d)")
    assert [camera for _, _, camera, _ in brief(listing)] == ["4", "5"]
    spec = table(tmp_path, "path,identity,camera\n" + rows.format(",1"))
    assert "has a column for the camera; leave --camera-pattern out" in refused(spec, camera_pattern=r"_c(\d)")


def test_what_is_no_table(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    assert "pipe.csv cannot be read: no regular file; name a table" in refused(f"csv:{tmp_path / 'pipe.csv'}")
    assert f"{tmp_path} is a folder; name the table in it: csv:{tmp_path}/labels.csv" in refused(f"csv:{tmp_path}")
    assert "labels.csv has no row that names a picture; " in refused(table(tmp_path, "path,identity\n\n"))
    text = refused(table(tmp_path, "path,identity,split\na.png,1,ignore\n"))
    assert "has no row that names a picture, 1 row is left out, as the split 'ignore' says; " in text


@pytest.mark.parametrize("text", HOSTILE[:-1])
def test_texts_that_drive_a_terminal_are_kept_and_never_printed(tmp_path: Path, text: str) -> None:
    file = io.StringIO()
    name = text.replace("/", "")[:60] + ".png"
    put(tmp_path, name)
    csv.writer(file).writerows([("path", "identity", text), (name, text, ""), ("a.png", "1", "")])
    listing = listed(table(tmp_path, file.getvalue()))
    assert brief(listing)[0][:2] == (name, text)
    assert printable(found(listing)["columns"].text, 10_000) == found(listing)["columns"].text
    assert refused(table(tmp_path, file.getvalue() + f'gone,"{text}"'))


_CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(
    lambda text: not text.isspace()
)


@given(rows=st.lists(st.tuples(_CELL, _CELL), min_size=2), delimiter=st.sampled_from(",;\t"))
@example(rows=[('"', "a\rb"), ("a\r\nb,", "'\n;"), ("\ufeff", "\x1c x")], delimiter=";")
def test_what_a_writer_writes_is_read(rows: list[tuple[str, str]], delimiter: str) -> None:
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter).writerows([("path", "identity"), *rows])
    text = file.getvalue()
    assert [(row.path, row.identity) for row in _rows(text, columns(text, "t.csv"), "t.csv")] == rows

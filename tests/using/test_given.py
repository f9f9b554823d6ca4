"""Files of embeddings as somebody else wrote them, well or badly or to do harm."""

from __future__ import annotations

import io
import os
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid_tui.errors import DataError
from reid_tui.evaluation.labels import DISTRACTOR, GALLERY, JUNK, QUERY
from reid_tui.using import given, given_csv
from reid_tui.using.given import Given, read_given

POINTS = np.arange(12, dtype=np.float32).reshape(6, 2)
PEOPLE = np.array([3, 3, 5, 5, 0, -1])
BOTH = QUERY + GALLERY


def read(path: Path, *, market: bool = False) -> Given:
    return read_given(path, market=market, report=lambda *_: None)


def saved(folder: Path, **arrays: Any) -> Path:
    path = folder / "e.npz"
    np.savez(path, **{"embeddings": POINTS, "identities": PEOPLE, **arrays})
    return path


def table(folder: Path, text: str | bytes) -> Path:
    path = folder / "e.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as found:
        read(path)
    line = str(found.value)
    assert line.isprintable(), line
    assert line.startswith((str(path), "--embeddings ")), line
    assert "; " in line, "no remedy"
    return line


def member(name: str, content: bytes, path: Path, **more: bytes) -> Path:
    """An npz file with a member that numpy would not write."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.npy", content)
        for other, bytes_of in more.items():
            archive.writestr(f"{other}.npy", bytes_of)
    return path


def as_npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array(content, array)
    return content.getvalue()


# Well written.


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", ">f8", "int32", "uint8"])
def test_numbers_of_any_kind(kind: str, tmp_path: Path) -> None:
    found = read(saved(tmp_path, embeddings=POINTS.astype(kind)))
    assert found.embeddings_ND.dtype == np.float32
    assert np.array_equal(found.embeddings_ND, POINTS)


@pytest.mark.parametrize("kind", ["int16", "uint8", "float64", "str", "bytes"])
def test_identities_are_numbers_or_texts(kind: str, tmp_path: Path) -> None:
    people = [7, 7, 5, 5, 12, 5]
    found = read(saved(tmp_path, identities=np.array(people).astype(kind)))
    assert [found.identities[label] for label in found.labels.identities_N] == list(map(str, people))


def test_numbers_count_as_numbers(tmp_path: Path) -> None:
    np.savez(tmp_path / "e.npz", embeddings=np.eye(24), identities=np.repeat(np.arange(1, 13), 2))
    given = read_given(tmp_path / "e.npz", market=False, report=lambda *_: None)
    assert given.identities == tuple(map(str, range(1, 13)))
    assert given.labels.identities_N.tolist() == np.repeat(np.arange(12), 2).tolist()


def test_junk_and_in_market_distractors(tmp_path: Path) -> None:
    path = saved(tmp_path)
    plain, market = read(path), read(path, market=True)
    assert plain.labels.identities_N[-1] == market.labels.identities_N[-1] == JUNK
    assert plain.identities == ("0", "3", "5")
    assert plain.labels.identities_N[-2] == 0
    assert market.identities == ("3", "5")
    assert market.labels.identities_N.tolist() == [0, 0, 1, 1, DISTRACTOR, JUNK]
    named = saved(tmp_path, identities=np.array(["a", "a", "b", "b", "0000", "-1"]))
    assert read(named, market=True).labels.identities_N.tolist() == [0, 0, 1, 1, DISTRACTOR, JUNK]


def test_cameras_and_roles(tmp_path: Path) -> None:
    roles = np.array(["query", "Gallery", " both", "gallery", "gallery", "query"])
    found = read(saved(tmp_path, cameras=np.array(["c2", "c1", "c1", "c1", "c3", "c1"]), roles=roles))
    assert found.labels.cameras_N is not None
    assert [found.cameras[camera] for camera in found.labels.cameras_N] == ["c2", "c1", "c1", "c1", "c3", "c1"]
    assert found.labels.roles_N is not None
    assert found.labels.roles_N.tolist() == [QUERY, GALLERY, BOTH, GALLERY, GALLERY, QUERY]


def test_empty_cameras_and_roles_are_none(tmp_path: Path) -> None:
    found = read(saved(tmp_path, cameras=np.array([""] * 6), roles=np.array([""] * 6)))
    assert found.labels.cameras_N is None
    assert found.labels.roles_N is None


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_table(delimiter: str, mark: str, tmp_path: Path) -> None:
    rows = ["Role,d0,IDENTITY,path,d1,camera", "query,1.5,ann,a.png,-2e0,1", "", 'gallery,0,"ann",b.png, 3 ,2']
    found = read(table(tmp_path, mark + "\r\n".join(rows).replace(",", delimiter)))
    assert found.embeddings_ND.tolist() == [[1.5, -2], [0, 3]]
    assert found.identities == ("ann",)
    assert found.cameras == ("1", "2")
    assert found.labels.roles_N is not None
    assert found.labels.roles_N.tolist() == [QUERY, GALLERY]


def test_a_long_table_is_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(given_csv, "TOLD_EVERY", 4)
    for rows in (3, 4, 9):
        found = read(table(tmp_path, "identity,a\n" + "".join(f"{row % 2},{row}\n" for row in range(rows))))
        assert found.embeddings_ND[:, 0].tolist() == list(range(rows))


# Badly written.


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"embeddings": POINTS[0]}, "embeddings is float32 (2,)"),
        ({"embeddings": POINTS[:0], "identities": PEOPLE[:0]}, "0 embeddings of 2 dimensions"),
        ({"embeddings": POINTS[:, :0]}, "6 embeddings of 0 dimensions"),
        ({"embeddings": POINTS.astype(complex)}, "complex128"),
        ({"embeddings": POINTS.astype(str)}, "<U"),
        ({"embeddings": np.where(POINTS == 7, np.nan, POINTS)}, "row 3: dimension 2 is not finite"),
        ({"embeddings": np.where(POINTS == 7, 1e300, POINTS.astype(float))}, "row 3: dimension 2 is not finite"),
        ({"embeddings": np.where(POINTS == 7, 1e20, POINTS)}, "row 3: dimension 2 is 1e+20, too large"),
        ({"embeddings": np.array([[1, 2], [3]], dtype=object)}, "np.array(embeddings, dtype=float)"),
        ({"identities": np.array(["a", None], dtype=object)}, "np.array(identities, dtype=str)"),
        ({"identities": PEOPLE[:5]}, "identities has the shape (5,), and embeddings (6, 2)"),
        ({"identities": PEOPLE[:, None]}, "identities has the shape (6, 1)"),
        ({"identities": PEOPLE + 0.5}, "identities is float64"),
        ({"identities": np.array([1.0, 1, np.nan, 2, 2, np.inf])}, "identities is float64"),
        ({"identities": PEOPLE > 0}, "identities is bool"),
        ({"identities": np.array([3, 3, 5, -7, 5, 5])}, "row 3: the identity is -7"),
        ({"identities": np.array(["a", "a", "", "b", "b", "b"])}, "row 2: it has no identity"),
        ({"identities": np.arange(6)}, "no query has another image of its identity in the gallery"),
        (
            {"cameras": np.zeros(6, int)},
            "by another camera in the gallery; without one there is nothing to score; leave the cameras out",
        ),
        ({"cameras": np.zeros(4, int)}, "cameras has the shape (4,)"),
        ({"cameras": np.array(["1", "2", "", "1", "1", "2"])}, "row 2: it has no camera"),
        ({"roles": np.array(["query"] * 5 + ["train"])}, "row 5: its role is 'train'"),
        ({"roles": np.array(["both"] * 5 + [""])}, "row 5: it has no role"),
        ({"roles": np.array([1, 2, 3, 1, 2, 3])}, "row 0: its role is '1'"),
        ({"roles": np.array(["query"] * 6)}, "no query has another image"),
        ({"roles": np.array(["both", "\x1b[2Jx", *["both"] * 4])}, "row 1: its role is"),
    ],
)
def test_what_is_wrong_with_an_npz_file_is_one_line(arrays: dict[str, Any], words: str, tmp_path: Path) -> None:
    assert words in refusal(saved(tmp_path, **arrays))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column 'identity'"),
        ("\n\n", "no column 'identity'"),
        ("1,0.5\n2,0.25\n", "no column 'identity' among 2 (1, 0.5)"),
        ("identity,a\n", "0 embeddings of 1 dimensions"),
        ("identity,camera,path\na,1,x\n", "1 embeddings of 0 dimensions"),
        ("identity,Identity,a\nx,y,1\n", "2 columns 'identity'"),
        ("identity,a,b\nx,1,2\nx,1\n", "row 3: it has 2 cells, and the header 3"),
        ("identity,a,b\nx,1,2\n\nx,1,2,3\n", "row 4: it has 4 cells"),
        ("identity,a,b\nx,1,2\nx,1,two\n", "row 3: 'two' in column 'b' is no number"),
        ("identity,a,b\nx,1,2\nx,,2\n", "row 3: '' in column 'a' is no number"),
        ("identity;a\nx;0,5\n", "'0,5' in column 'a' is no number"),
        ("identity,a,\x1b[2J\nx,1,\x1b]52;c;\x07\n", "is no number"),
        ("identity,a\nx,1\nx,nan\n", "row 3: dimension 1 is not finite"),
        ("identity,a\nx,1\n\n\nx,-inf\n", "row 5: dimension 1 is not finite"),
        ("identity,a\nx,1\nx,1e39\n", "row 3: dimension 1 is not finite"),
        ("identity,a\nx,1\n ,1\n", "row 3: it has no identity"),
        ("identity,a\nx,1\n-3,1\n", "row 3: the identity is -3"),
        ("identity,camera,a\nx,1,1\nx,,2\n", "row 3: it has no camera"),
        ("identity,role,a\nx,query,1\nx,probe,2\n", "row 3: its role is 'probe'"),
        ("identity,role,a\nx,query,1\nx,,2\n", "row 3: it has no role"),
        ('identity,a\nx,1\n"x,2\n', "row 3: unexpected end of data"),
        ('identity,a\nx,1\n"x"y,2\n', "row 3: ',' expected after '\"'"),
        ("identity,a\nx,1\n" + "x" * 300 + ",2\n", "row 3: its identity has 300 characters"),
        ("identity,a\nx,1\n" + "x" * 200_000 + ",2\n", "row 3: field larger than field limit"),
        (b"identity,a\nx,1\n\xff\xfe,2\n", "no UTF-8 text"),
        (b"PK\x03\x04\x00\xff\xfe", "no UTF-8 text"),
        ("identity,a\nx,1\x00\n", "is no number"),
    ],
)
def test_what_is_wrong_with_a_table_is_one_line(text: str | bytes, words: str, tmp_path: Path) -> None:
    assert words in refusal(table(tmp_path, text))


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    for name in ("e.npz", "e.csv"):
        os.mkfifo(tmp_path / name)
        assert "no regular file" in refusal(tmp_path / name)
    assert refusal(tmp_path / "none.npz").endswith("it cannot be read: No such file or directory; name an npz file")
    assert ".npz nor .csv" in refusal(tmp_path / "e.npy")


# To do harm.


def test_any_damage_is_one_line(tmp_path: Path) -> None:
    whole = saved(tmp_path, cameras=np.arange(6)).read_bytes()
    path, rng = tmp_path / "damaged.npz", np.random.default_rng(0)
    lines: list[str] = []
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        refusal(path)
    for _ in range(300):
        content = bytearray(whole)
        for place in rng.integers(0, len(content), 3):
            content[place] = rng.integers(0, 256)
        path.write_bytes(content)
        try:
            read(path)
        except DataError as error:
            lines.append(str(error))
    assert len(lines) > 200
    assert all(line.isprintable() for line in lines)


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "touched",)

    np.savez(tmp_path / "e.npz", embeddings=POINTS, identities=np.array([Harm()] * 6))
    assert "Python's objects" in refusal(tmp_path / "e.npz")
    assert not (tmp_path / "touched").exists()


def test_nothing_is_made_for_a_size_that_is_only_said(tmp_path: Path) -> None:
    head = io.BytesIO()
    shape: dict[str, Any] = {"descr": "<f4", "fortran_order": False, "shape": (2**40, 1000)}
    np.lib.format.write_array_header_1_0(head, shape)
    path = member("embeddings", head.getvalue(), tmp_path / "e.npz", identities=as_npy(PEOPLE))
    assert "the file is shorter" in refusal(path)
    longer = member("embeddings", as_npy(POINTS) + b"more", tmp_path / "e.npz", identities=as_npy(PEOPLE))
    assert "the file is longer" in refusal(longer)


def test_a_file_that_unfolds_without_end_is_not_unfolded(tmp_path: Path) -> None:
    path = tmp_path / "e.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("embeddings.npy", "w", force_zip64=True) as stream:
            np.lib.format.write_array_header_1_0(
                stream, {"descr": "<f4", "fortran_order": False, "shape": (2**14, 2048)}
            )
            for _ in range(128):
                stream.write(bytes(2**20))
        archive.writestr("identities.npy", as_npy(np.zeros(2**14, np.int64)))
    tracemalloc.start()
    line = refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "unfolds from" in line
    assert peak < 2**23


def test_more_than_is_read_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(given, "LARGEST", 40)
    monkeypatch.setattr(given_csv, "TOLD_EVERY", 2)
    assert "at most" in refusal(saved(tmp_path))
    # The last row is never come to.
    rows = "x,1,2,3,4\n" * 4 + "x,1,2,3,four\n"
    assert "at most" in refusal(table(tmp_path, f"identity,a,b,c,d\n{rows}"))


def test_a_line_without_an_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(given_csv, "LONGEST", 1000)
    assert "line 2: it does not end" in refusal(table(tmp_path, "identity,a\n" + "1," * 2000))

"""A private file is written whole or not at all, on a disk that is really full."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from reid_tui.files import PRIVATE_FILE, remove_temporaries, write_together, write_whole
from tests.faults import limited_files

LIMIT = 4096


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow past `LIMIT` bytes: the kernel refuses the rest of a write with EFBIG."""
    with limited_files(LIMIT):
        yield


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_replaced_and_private(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    write_whole(path, b"new", durable=durable)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == PRIVATE_FILE
    assert names(tmp_path) == ["a.json"]


@pytest.mark.usefixtures("small_files")
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="File too large"):
        write_whole(path, os.urandom(2 * LIMIT))
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.json"]


@pytest.mark.usefixtures("small_files")
def test_of_files_that_belong_together_none_is_replaced_where_one_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b"old")
    with pytest.raises(OSError, match="File too large"):
        write_together({tmp_path / "a.tsv": b"new", tmp_path / "b.png": os.urandom(2 * LIMIT)})
    assert (tmp_path / "a.tsv").read_bytes() == b"old"
    assert names(tmp_path) == ["a.tsv"]
    write_together({tmp_path / "a.tsv": b"new", tmp_path / "b.png": b"also"})
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == [b"new", b"also"]


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".tmp-a.json", ".tmp-b.npz", "a.json", ".hidden"):
        (tmp_path / name).write_bytes(b"x")
    remove_temporaries(tmp_path)
    assert names(tmp_path) == [".hidden", "a.json"]

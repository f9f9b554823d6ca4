from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from reid_tui.data.idx.format import IdxFile, read_idx
from reid_tui.data.idx.sets import SOURCES
from reid_tui.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
CONTENT = bytes((0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4)) + PIXELS.tobytes()
SHA = hashlib.sha256(CONTENT).hexdigest()
FILE = IdxFile("pixels-idx3-ubyte", (2, 3, 4), sha256=SHA)


def store(folder: Path, content: bytes, *, name: str = FILE.name) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_extracted_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    found = read_idx(store(tmp_path, CONTENT), FILE)
    assert found.dtype == np.uint8
    assert found.flags.writeable  # torch.from_numpy warns about arrays that are not
    assert np.array_equal(found, PIXELS)


@pytest.mark.parametrize("level", [0, 1, 9])
def test_gzipped_file_is_known_by_its_content_whoever_packed_it(tmp_path: Path, level: int) -> None:
    path = store(tmp_path, gzip.compress(CONTENT, level), name=f"{FILE.name}.gz")
    assert np.array_equal(read_idx(path, FILE), PIXELS)


def test_header_and_size_follow_from_the_shape() -> None:
    assert FILE.header == CONTENT[:16]
    assert FILE.size == len(CONTENT)
    assert SOURCES["mnist"].files[0].size == 47_040_016


@pytest.mark.parametrize(
    "content",
    [CONTENT[:-1], CONTENT + b"\0", CONTENT[:-1] + b"\xff", b"", b"\0" * 10_000],
    ids=["short", "long", "bit", "empty", "other"],
)
def test_damaged_file_is_named_with_both_hashes_and_a_remedy(tmp_path: Path, content: bytes) -> None:
    path = store(tmp_path, content)
    with pytest.raises(DataError) as caught:
        read_idx(path, FILE)
    message = str(caught.value)
    assert str(path) in message
    assert SHA in message
    assert sha(content) in message
    assert "delete this file" in message
    assert "\n" not in message


def test_wrong_content_in_a_whole_gzip_file_shows_the_hash_of_the_content(tmp_path: Path) -> None:
    other = CONTENT[:-1] + b"\xff"
    path = store(tmp_path, gzip.compress(other), name=f"{FILE.name}.gz")
    with pytest.raises(DataError, match=f"expected {SHA}, found {sha(other)}"):
        read_idx(path, FILE)


@pytest.mark.parametrize("keep", [5, -9, -1])
def test_truncated_gzip_file_shows_the_hash_of_what_lies_there(tmp_path: Path, keep: int) -> None:
    packed = gzip.compress(CONTENT)[:keep]
    path = store(tmp_path, packed, name=f"{FILE.name}.gz")
    with pytest.raises(DataError, match=f"expected {SHA}, found no complete gzip data .*{sha(packed)}"):
        read_idx(path, FILE)


@pytest.mark.parametrize("padding", [b"", b"\0" * 99])
def test_members_of_a_gzip_file_are_one_content(tmp_path: Path, padding: bytes) -> None:
    packed = gzip.compress(CONTENT[:7]) + gzip.compress(CONTENT[7:]) + padding
    assert np.array_equal(read_idx(store(tmp_path, packed, name=f"{FILE.name}.gz"), FILE), PIXELS)


def test_what_follows_a_gzip_file_and_is_none_is_damage(tmp_path: Path) -> None:
    packed = gzip.compress(CONTENT) + b"more"
    with pytest.raises(DataError, match=f"no complete gzip data .*{sha(packed)}"):
        read_idx(store(tmp_path, packed, name=f"{FILE.name}.gz"), FILE)


def test_gzip_bomb_is_given_up_at_the_expected_size(tmp_path: Path) -> None:
    path = store(tmp_path, gzip.compress(bytes(50_000_000)), name=f"{FILE.name}.gz")
    with pytest.raises(DataError, match=f"more than the {FILE.size} bytes"):
        read_idx(path, FILE)


def test_hash_of_the_packed_file_serves_where_the_content_is_not_known(tmp_path: Path) -> None:
    packed = gzip.compress(CONTENT)
    file = IdxFile(FILE.name, FILE.shape, gz_sha256=sha(packed))
    assert file.names == (f"{FILE.name}.gz",)
    assert np.array_equal(read_idx(store(tmp_path, packed, name=file.names[0]), file), PIXELS)
    other = gzip.compress(CONTENT, 1)
    with pytest.raises(DataError, match=f"expected {sha(packed)}, found {sha(other)}"):
        read_idx(store(tmp_path, other, name=file.names[0]), file)


def test_right_hash_of_a_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    turned = IdxFile(FILE.name, (4, 3, 2), sha256=SHA)
    with pytest.raises(DataError, match=r"no idx file of unsigned bytes with shape \(4, 3, 2\)"):
        read_idx(store(tmp_path, CONTENT), turned)


def test_missing_file_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*No such file"):
        read_idx(tmp_path / "nowhere", FILE)


def test_control_characters_of_a_file_name_stay_out_of_the_message(tmp_path: Path) -> None:
    path = store(tmp_path, b"", name="a\x1b[31m\nb")
    with pytest.raises(DataError) as caught:
        read_idx(path, FILE)
    assert str(caught.value).isprintable()

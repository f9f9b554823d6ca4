"""Files that are mapped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reid_tui.data.folders.store import mapped


def test_a_set_larger_than_memory_is_mapped_for_writing(tmp_path: Path) -> None:
    size = 1 << 42
    descriptor = os.open(tmp_path / "sparse", os.O_RDWR | os.O_CREAT)
    try:
        os.truncate(descriptor, size)
        found = mapped(descriptor, (size >> 14, 1, 128, 128))
    finally:
        os.close(descriptor)
    found[-1] = 7
    assert found.flags.writeable
    assert (tmp_path / "sparse").stat().st_blocks == 0


def test_a_file_of_another_length_is_refused(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(bytes(99))
    descriptor = os.open(tmp_path / "short", os.O_RDONLY)
    with pytest.raises(ValueError, match="99 bytes of pixels, not 100"):
        mapped(descriptor, (25, 1, 2, 2))
    os.close(descriptor)

"""Generated pictures are read once and found at the second start."""

from __future__ import annotations

from pathlib import Path

import pytest

from reid_tui.bench import pictures
from reid_tui.bench.processes import Setup


def test_two_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "COUNT", 70)
    monkeypatch.setattr(pictures, "FOLDERS", 7)
    said: list[str] = []
    setup = Setup(rounds=1, steps=100, data="auto", data_dir=None, folder=tmp_path, talk=said.append)
    first, second = pictures.measure_pictures(setup)
    assert first.a.values[0] > 0
    assert second.a.values[0] > 0
    assert len(said) == 2
    assert list(tmp_path.iterdir()) == []


def test_pictures_differ_and_lie_evenly_in_their_folders(tmp_path: Path) -> None:
    pictures.write_pictures(tmp_path / "root", 200, 5)
    listing = pictures.listed(tmp_path / "root")
    assert [sum(p.identity == name for p in listing.pictures) for name in ("00000", "00004")] == [40, 40]
    assert len({(tmp_path / "root" / p.path).read_bytes() for p in listing.pictures}) == 200

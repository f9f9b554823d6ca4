"""Folders of small pictures, and a cache of their own for each test."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reid_tui.data.dataset import UInt8Array
from reid_tui.data.folders import cache, fill, reading, store
from reid_tui.data.folders.listing import Box, Listing, Picture
from reid_tui.data.folders.verdict import Pixels
from reid_tui.data.pool import UNDIVIDED

SIZE = "6x4"


@dataclass
class Crops:
    """A folder, what was put into it, and all that was reported while it was read."""

    root: Path
    home: Path
    """Of caches."""
    reports: list[tuple[str, int, int]] = field(default_factory=list)

    @property
    def spec(self) -> str:
        return f"folder:{self.root}"

    @property
    def kept(self) -> Path:
        """Where generations of `SIZE` stand."""
        return next(iter((self.home / "reid-tui/pictures").glob(f"*/{SIZE}-*")))

    def generations(self) -> list[Path]:
        return [path for path in self.kept.iterdir() if path.is_dir()]

    def put(self, count: int, *, grey: bool = False, start: int = 0) -> None:
        for number in range(start, start + count):
            image = picture(number)[..., 0] if grey else picture(number)
            Image.fromarray(image).save(self.root / f"{number:04d}.png")

    def listing(self, boxes: dict[str, Box] | None = None) -> Listing:
        pictures = tuple(
            Picture(
                path=path.name,
                identity="a",
                camera=None,
                role=UNDIVIDED,
                size=path.stat().st_size,
                changed_ns=path.stat().st_mtime_ns,
                box=(boxes or {}).get(path.name),
            )
            for path in sorted(self.root.iterdir())
        )
        return Listing(self.spec, self.root.name, "a folder", self.root, pictures)

    def report(self, text: str, done: int = 0, total: int = 0) -> None:
        self.reports.append((text, done, total))

    def pixels(self, size: str = SIZE) -> Pixels:
        """Read, with only what this reading reported."""
        self.reports.clear()
        return cache.pixels(self.listing(), size, self.report)

    @property
    def read_again(self) -> bool:
        """Whether the last reading filled a cache."""
        return any(text == "reading pictures" for text, _, _ in self.reports)


def picture(number: int) -> UInt8Array:
    """(6, 4, 3), another one for each number."""
    return np.random.default_rng(number).integers(0, 256, (6, 4, 3), dtype=np.uint8)


def wanted(*numbers: int) -> UInt8Array:
    """(N, 3, 6, 4)"""
    return np.stack([picture(number) for number in numbers]).transpose(0, 3, 1, 2)


@pytest.fixture
def crops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Crops:
    home = tmp_path / "caches"
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    root = tmp_path / "crops"
    root.mkdir()
    return Crops(root, home)


@pytest.fixture
def several_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of a few pictures is written as one of very many is."""
    monkeypatch.setattr(fill, "_PART_ROWS", 3)
    monkeypatch.setattr(store, "_WIDENED", 72)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read from then on."""
    names: list[str] = []

    def noted(path: str) -> reading.Content:
        names.append(Path(path).name)
        return reading.read_settled(path)

    monkeypatch.setattr(fill, "read_settled", noted)
    return names

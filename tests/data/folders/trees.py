"""Trees of empty files, and their listings: nothing is decoded here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reid_tui.config import DataOptions
from reid_tui.data.findings import Finding
from reid_tui.data.folders import sources
from reid_tui.data.folders.listing import Listing
from reid_tui.data.pool import TRAIN
from reid_tui.evaluation.labels import GALLERY, QUERY

TEST = QUERY + GALLERY
MARKET = (
    "bounding_box_train/0002_c1s1_000451_03.jpg",
    "bounding_box_train/0002_c2s1_000801_01.jpg",
    "bounding_box_train/0007_c3s3_077419_03.jpg",
    "query/0001_c1s1_001051_00.jpg",
    "bounding_box_test/-1_c1s1_000401_03.jpg",
    "bounding_box_test/0000_c1s1_000151_01.jpg",
    "bounding_box_test/0001_c2s1_001976_01.jpg",
    "bounding_box_test/Thumbs.db",
)


def put(root: Path, *paths: str) -> Path:
    """Make empty files below a folder."""
    root.mkdir(parents=True, exist_ok=True)
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def quiet(text: str, done: int = 0, total: int = 0) -> None:
    """Nobody listens."""


def listed(spec: str, **options: Any) -> Listing:
    return sources.listing(DataOptions(data=spec, **options), quiet)


def brief(listing: Listing) -> list[tuple[str, str | None, str | None, int]]:
    """Path, identity, camera and role of each picture."""
    return [(p.path, p.identity, p.camera, p.role) for p in listing.pictures]


def found(listing: Listing) -> dict[str, Finding]:
    return {finding.code: finding for finding in listing.findings}


def counts(listing: Listing) -> dict[str, int]:
    return {finding.code: finding.count for finding in listing.findings}


__all__ = ["GALLERY", "MARKET", "QUERY", "TEST", "TRAIN", "brief", "counts", "found", "listed", "put", "quiet"]

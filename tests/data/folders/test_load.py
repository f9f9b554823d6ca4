from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from reid_tui.config import DataOptions
from reid_tui.data import catalog
from reid_tui.data.dataset import Dataset, ImageSet
from tests.data.folders.people_files import as_csv, as_folder, as_market


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def opened(spec: str, **more: str) -> Dataset:
    return catalog.load(DataOptions(data=spec, **more), lambda *_: None)


def in_order(split: ImageSet) -> list[tuple[int, int, bytes]]:
    """Every image with its labels, whatever the order of the split."""
    images = split.take(np.arange(len(split)))
    cameras = np.zeros(len(split), int) if split.cameras is None else split.cameras
    return sorted(
        (int(identity), int(camera), image.tobytes())
        for identity, camera, image in zip(split.identities, cameras, images, strict=True)
    )


@pytest.mark.parametrize(
    ("write", "more"),
    [
        (lambda data, root: f"folder:{as_folder(data, root)}", {"camera_pattern": r"^c(\d)_"}),
        (lambda data, root: f"market1501:{as_market(data, root)}", {}),
        (lambda data, root: f"csv:{as_csv(data, root)}", {}),
    ],
    ids=["folder", "market1501", "csv"],
)
def test_the_pedestrians_as_files_are_the_pedestrians(
    write: Callable[[Dataset, Path], str], more: dict[str, str], people_set: Dataset, tmp_path: Path
) -> None:
    found = opened(write(people_set, tmp_path / "people"), **more)
    assert found.image_size == "64x32"
    assert found.findings == ()
    assert found.unseen
    assert found.seen is found.validation is None
    assert len(found.identity_names) == 64
    rows = np.arange(len(people_set.train))
    assert (found.train.take(rows) == people_set.train.images).all(), "in the very order, so that losses are the same"
    assert (found.train.identities == people_set.train.identities).all()
    assert found.train.cameras is not None
    assert (found.train.cameras == people_set.train.cameras).all()
    assert in_order(found.test) == in_order(people_set.test)

"""Images behind a snapshot: the trainer's own, else those of one split, opened without torch and without a network."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from reid_tui.config import DataOptions
from reid_tui.data import catalog
from reid_tui.data.one_split import open_split
from reid_tui.errors import DataError
from reid_tui.training.events import EmbeddingsReady, RunStarted
from reid_tui.tui.pictures import Pictures
from tests.conftest import miss
from tests.training.small import divided_dataset
from tests.tui.rig import CONFIG, Script


def no_network(url: str, timeout_s: float) -> NoReturn:
    raise OSError(url)


def started(run: Path, data: str) -> RunStarted:
    script = Script()
    script.run_started(run=str(run), config=dataclasses.replace(CONFIG, data=data))
    (event,) = script.drain().live
    assert isinstance(event, RunStarted)
    return event


def gallery(split: str, rows: list[int], identities: list[int]) -> EmbeddingsReady:
    return EmbeddingsReady(step=1, split=split, path="", rows=np.array(rows), identities=np.array(identities))


def test_the_images_of_each_split_that_is_opened_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = divided_dataset()
    monkeypatch.setattr(catalog, "load", lambda options, report, opener: whole)
    pictures, run = Pictures(), started(tmp_path, "pedestrians")
    assert whole.validation is not None
    for split, images in (("unseen", whole.test), ("validation", whole.validation), ("train", whole.train)):
        rows = [20, 3]
        shown = gallery(split, rows, images.identities[rows].tolist())
        np.testing.assert_array_equal(pictures.take(shown, run, np.array([1])), images.images[[3]])
        assert isinstance(pictures.split(shown, run).images, np.memmap)
    with pytest.raises(DataError, match="not what the run was trained on"):
        pictures.take(gallery("train", [0, 5000], [0, 0]), run, np.array([0]))
    wrong = (whole.train.identities[[0, 17]] + 1).tolist()
    with pytest.raises(DataError, match="not what the run was trained on"):
        pictures.take(gallery("train", [0, 17], wrong), run, np.array([0]))


@pytest.mark.slow
def test_one_half_of_idx_files(tmp_path: Path) -> None:
    try:
        whole = catalog.load(DataOptions(data="fashion-mnist"), lambda *_: None, opener=no_network)
    except DataError:
        miss("Fashion-MNIST is not here")
    for split, images in (("test", whole.test), ("train", whole.train)):
        found = open_split(DataOptions(data="fashion-mnist"), split)
        np.testing.assert_array_equal(found.images, images.images)
        np.testing.assert_array_equal(found.identities, images.identities)


def test_files_that_are_gone_are_one_line_and_looked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REID_TUI_DATA", str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"asked": {"data_dir": str(tmp_path / "there")}}))
    pictures, run, shown = Pictures(), started(tmp_path, "mnist"), gallery("test", [0], [0])
    for _ in range(2):
        with pytest.raises(DataError, match=r"MNIST is not here: .* lies in none of .*/there, ") as caught:
            pictures.take(shown, run, np.array([0]))
        assert "\n" not in str(caught.value)
        (tmp_path / "config.json").touch()

"""Snapshots on disk: what a whole evaluation keeps, and what a damaged file does not break."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from reid_tui.config import RunConfig
from reid_tui.data.dataset import Dataset, ImageSet
from reid_tui.runs.snapshots import NewestPictures, earlier_maps, with_arrays
from reid_tui.training.events import EmbeddingsReady, RunStarted
from tests.training.rig import Rig
from tests.tui.rig import Script

ARRAYS = ("points", "identities", "embeddings", "rows", "cameras")


def test_a_whole_evaluation_carries_what_its_file_holds(tiny: Dataset, tiny_config: RunConfig, tmp_path: Path) -> None:
    config = dataclasses.replace(tiny_config, steps=1, embedding_dim=5)
    test = ImageSet(tiny.test.images, tiny.test.identities, np.arange(60) % 3)
    dataset = dataclasses.replace(tiny, test=test)
    rig = Rig(config, dataset, tmp_path)
    rig.run()
    told = rig.told(EmbeddingsReady)
    last = told[-1]
    assert last.full
    assert last.images is test
    assert last.embeddings is not None
    assert last.embeddings.shape == (60, 5)
    assert sorted(last.rows) == list(range(60))  # type: ignore[arg-type]
    network = rig.learner.scored.eval()
    with torch.no_grad():
        expected = network(torch.from_numpy(test.take(last.rows)).float().div(255))  # type: ignore[arg-type]
    np.testing.assert_allclose(last.embeddings, expected.numpy(), atol=1e-5)
    read = with_arrays(tmp_path, EmbeddingsReady(step=1, split="test", path=last.path, full=True))
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(read, name), getattr(last, name))
        assert not getattr(read, name).flags.writeable
    assert read.images is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"embeddings": np.zeros((3, 4), np.float32)},
        {"embeddings": np.zeros((2, 4), np.float32), "rows": np.zeros(2, np.int64)},
        {"embeddings": np.zeros((3, 4), np.int64), "rows": np.zeros(3, np.int64)},
        {"rows": np.zeros((), np.int64)},
        {"identities": np.zeros((), np.int64)},
        {"points": np.zeros((3, 3), np.float32)},
    ],
)
def test_arrays_that_do_not_fit_are_left_out(wrong: dict[str, np.ndarray], tmp_path: Path) -> None:
    (tmp_path / "embeddings").mkdir()
    arrays = {"points": np.zeros((3, 2), np.float32), "identities": np.zeros(3, np.int64), **wrong}
    np.savez(tmp_path / "embeddings" / "a.npz", **arrays)  # type: ignore[arg-type]
    event = EmbeddingsReady(step=1, split="test", path="embeddings/a.npz", full=True)
    assert with_arrays(tmp_path, event) is event


def test_the_newest_of_each_kind_is_given_in_their_order(tmp_path: Path) -> None:
    pictures, script = NewestPictures(), Script()
    for step, split, full in ((1, "test", True), (2, "train", True), (3, "test", False), (9, "test", True)):
        assert pictures.take(EmbeddingsReady(step=step, seq=step, split=split, path="", full=full))
    script.run_started(step=5)
    (begun,) = script.drain().live
    assert isinstance(begun, RunStarted)
    assert not pictures.take(begun)
    assert [event.step for event in pictures.newest(tmp_path)] == [1, 2, 3]


def test_earlier_maps_are_found_on_disk_without_their_embeddings(tmp_path: Path) -> None:
    assert earlier_maps(tmp_path, "test", 9, 5) == []
    folder = tmp_path / "embeddings"
    folder.mkdir()
    for step in range(0, 100, 2):
        points = np.full((3, 2), step, np.float32)
        whole = {"embeddings": points, "rows": np.arange(3)} if step % 20 == 0 else {}
        np.savez(folder / f"step-{step:08d}.npz", points=points, identities=np.arange(3), **whole)  # type: ignore[arg-type]
    (folder / "step-00000018.npz").write_bytes(b"damaged")
    (folder / "train-00000004.npz").write_bytes(b"of training images")
    found = earlier_maps(tmp_path, "test", 31, 100)
    assert [event.step for event in found] == [step for step in range(0, 31, 2) if step != 18]
    assert all(event.embeddings is None and event.points[0, 0] == event.step for event in found)  # type: ignore[index]
    assert [event.step for event in found if event.rows is not None] == [0, 20]
    few = [event.step for event in earlier_maps(tmp_path, "test", 99, 7)]
    assert few == list(range(0, 99, 16))

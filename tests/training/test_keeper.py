"""Snapshots of the map: at most 200 of a run, spread evenly over it, the first and the newest among them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from reid_tui.evaluation.evaluate import evaluate
from reid_tui.evaluation.labels import Labels
from reid_tui.training import keeper as module
from reid_tui.training.keeper import SNAPSHOTS, Keeper
from reid_tui.training.scoring import Picture
from tests.faults import limited_files
from tests.training.small import small_config, state_at


@pytest.fixture
def picture() -> Picture:
    points = torch.randn(2000, 2, generator=torch.Generator().manual_seed(1))
    identities = np.arange(2000) % 10
    return Picture(points.numpy(), identities, evaluate(points, Labels(identities), seed=0, margin=1.0), norm=1.0)


@pytest.fixture
def reopen(tmp_path: Path) -> Callable[[], Keeper]:
    def keeper() -> Keeper:
        for name in ("checkpoints", "embeddings"):
            (tmp_path / name).mkdir(exist_ok=True)
        return Keeper(tmp_path / "checkpoints", tmp_path / "embeddings", small_config(), "data")

    return keeper


def steps(folder: Path) -> list[int]:
    return sorted(int(path.stem.removeprefix("step-")) for path in (folder / "embeddings").iterdir())


def test_evenly_thinned_also_over_resumes(picture: Picture, reopen: Callable[[], Keeper], tmp_path: Path) -> None:
    keeper = reopen()
    for number in range(701):
        if number % 150 == 149:
            keeper = reopen()
        path = keeper.snapshot(number * 37, picture)
        kept = steps(tmp_path)
        assert len(kept) == min(number + 1, SNAPSHOTS)
        assert (kept[0], kept[-1]) == (0, number * 37)
        assert (tmp_path / path).exists()
    gaps = np.diff(steps(tmp_path))
    assert gaps.max() < 2 * gaps.mean()
    assert gaps.max() <= 3 * gaps.min()
    size = sum(file.stat().st_size for file in (tmp_path / "embeddings").iterdir())
    assert size < 7 * 2**20


def test_steps_taken_again_keep_the_bound(picture: Picture, reopen: Callable[[], Keeper], tmp_path: Path) -> None:
    keeper = reopen()
    for step in range(0, 2500, 10):
        keeper.snapshot(step, picture)
    keeper = reopen()
    for step in range(1503, 1700, 10):
        keeper.snapshot(step, picture)
        assert step in steps(tmp_path)
        assert len(steps(tmp_path)) == SNAPSHOTS
        assert steps(tmp_path)[0] == 0
    before = steps(tmp_path)
    keeper.snapshot(before[7], picture)
    assert steps(tmp_path) == before, "one that is there already needs no room"


def test_other_files_stay_and_missing_ones_do_no_harm(
    picture: Picture, reopen: Callable[[], Keeper], tmp_path: Path
) -> None:
    reopen()
    for name in ("notes.txt", "step-1.npz", "step-00000001.npz.bak"):
        (tmp_path / "embeddings" / name).write_text("mine")
    keeper = reopen()
    for step in range(SNAPSHOTS):
        keeper.snapshot(step, picture)
    for path in (tmp_path / "embeddings").glob("step-000001*.npz"):
        path.unlink()
    for step in range(SNAPSHOTS, SNAPSHOTS + 150):
        keeper.snapshot(step, picture)
    names = {path.name for path in (tmp_path / "embeddings").iterdir()}
    assert {"notes.txt", "step-1.npz", "step-00000001.npz.bak"} <= names
    assert len(names) <= SNAPSHOTS + 3


def test_a_full_disk_costs_one_snapshot_and_not_those_before(
    picture: Picture, reopen: Callable[[], Keeper], tmp_path: Path
) -> None:
    keeper = reopen()
    for step in range(SNAPSHOTS):
        keeper.snapshot(step, picture)
    with limited_files(1000):
        for step in range(SNAPSHOTS, SNAPSHOTS + 20):
            with pytest.raises(OSError, match="File too large"):
                keeper.snapshot(step, picture)
    assert len(steps(tmp_path)) == SNAPSHOTS - 1
    keeper.snapshot(SNAPSHOTS + 20, picture)
    assert len(steps(tmp_path)) == SNAPSHOTS


def test_an_old_checkpoint_that_cannot_be_removed_is_no_failed_save(
    reopen: Callable[[], Keeper], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prune(folder: Path, newest: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(module, "prune", prune)
    path = reopen().save({"a": torch.zeros(1)}, state_at(8), "epoch")
    assert (tmp_path / path).exists()

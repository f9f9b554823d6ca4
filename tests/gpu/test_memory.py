"""A card that is full, and images that do not fit it."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from reid_tui.cli.main import run as command_line
from reid_tui.config import RunOptions, resolve
from reid_tui.data import catalog
from reid_tui.data.dataset import Dataset, ImageSet
from reid_tui.data.pairs import pairs_of_step
from reid_tui.training.learner import Learner, PlacedImages
from tests.gpu.card import GIB, MIB, filled

pytestmark = pytest.mark.gpu

SMALL, LARGE = 64, 16_384
"""Pairs a batch: the second's first layer takes 2.25 GiB."""
SHAPE = (3, 64, 64)


@pytest.fixture
def many(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many training images as the large batch has pairs."""
    index = np.arange(LARGE) % len(tiny.train)
    train = ImageSet(tiny.train.images[index], tiny.train.identities[index])
    monkeypatch.setattr(catalog, "load", lambda *_: dataclasses.replace(tiny, train=train))


@pytest.mark.usefixtures("many")
def test_out_of_memory_is_one_line_and_a_smaller_batch_trains(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    argv = ["train", "--device", "cuda", "--precision", "fp32", "--steps", "4", "--eval-every", "1000"]
    argv += ["--runs-dir", str(tmp_path), "--progress", "none"]
    torch.zeros(8, 8, device="cuda") @ torch.zeros(8, 8, device="cuda")  # what cuBLAS needs is taken
    with filled(left=GIB):
        assert command_line([*argv, "--batch-size", str(LARGE)]) == 1
        told = capfd.readouterr()
        last = told.err.splitlines()[-1]
        assert last.startswith("reid-tui: out of memory: "), told.err
        assert " were asked for, " in last
        assert "of the device are free; free some, or start a run with a smaller --batch-size" in last
        assert "Traceback" not in told.err
        assert command_line([*argv, "--batch-size", str(SMALL)]) == 0, capfd.readouterr().err


@pytest.mark.parametrize("left", [0, 640 * MIB], ids=["no context fits", "hardly more than a context fits"])
def test_a_card_that_another_process_fills(left: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "reid_tui", "train", "--device", "cuda", "--data", "pedestrians", "--steps", "2"]
    with filled(left):
        done = subprocess.run(
            [*command, "--runs-dir", str(tmp_path), "--progress", "none"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    if left and done.returncode == 0:
        return
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1].startswith("reid-tui: out of memory"), done.stderr
    assert "Traceback" not in done.stderr


def mapped(path: Path, count: int, *, rows: bool) -> ImageSet:
    """Mapped from a file with holes: every 97th image has a content."""
    images = np.memmap(path, np.uint8, "w+", shape=(count, *SHAPE))
    chance = np.random.default_rng(1)
    images[::97] = chance.integers(0, 256, size=(len(images[::97]), *SHAPE), dtype=np.uint8)
    chosen = np.sort(chance.permutation(count)[: count // 2]) if rows else None
    return ImageSet(images, np.arange(count if chosen is None else len(chosen)) % 4, rows=chosen)


def check(images: ImageSet, cuda: torch.device, *, fits: bool) -> None:
    """They lie where they should, are the right ones, and a step on them is the CPU's."""
    config = resolve(RunOptions(batch_size=16, precision="fp32"), "pedestrians", 4)
    before = torch.cuda.memory_allocated()
    placed = PlacedImages(images, cuda)
    taken = torch.cuda.memory_allocated() - before
    size = len(images) * int(np.prod(SHAPE))
    assert size <= taken <= size + 4 * MIB if fits else taken == 0
    index = np.random.default_rng(2).permutation(len(images))[:500]
    batch = placed.batch(index)
    assert batch.device == cuda
    np.testing.assert_array_equal(batch.cpu().numpy(), images.take(index))
    del placed, batch
    pairs = pairs_of_step(images.identities, 0, 1, 16)
    there, here = (Learner(config, images, device) for device in (cuda, torch.device("cpu")))
    one, other = there.step(pairs), here.step(pairs)
    assert one.applied
    assert one.loss == pytest.approx(other.loss, rel=1e-3)
    several = [pairs_of_step(images.identities, 0, step, 16) for step in (2, 3, 4)]
    for given in (several, several[::-1]):  # each but the first is copied while the one before computes
        losses = [result.loss for result in there.advance(given, 1, [0.0] * 3)]
        assert losses == [there.loss(batch).item() for batch in given]
    assert fits or there.at_once > 1


@pytest.mark.parametrize("rows", [False, True], ids=["all of the file", "rows of it"])
def test_images_that_fit_lie_on_the_device(rows: bool, tmp_path: Path, cuda: torch.device) -> None:
    check(mapped(tmp_path / "images", 4000, rows=rows), cuda, fits=True)


@pytest.mark.parametrize("rows", [False, True], ids=["all of the file", "rows of it"])
def test_images_over_half_of_what_is_free_stay_where_they_are(rows: bool, tmp_path: Path, cuda: torch.device) -> None:
    count = 180_000 if rows else 90_000  # 1.03 GiB that are trained on
    with filled(left=2 * GIB):
        check(mapped(tmp_path / "images", count, rows=rows), cuda, fits=False)

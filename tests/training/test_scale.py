"""What a step, a line of the log and a checkpoint take does not grow with images, identities or steps. Counted."""

from __future__ import annotations

import dataclasses
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from reid_tui.config import RunConfig, RunOptions, resolve
from reid_tui.data.dataset import Dataset, ImageSet
from reid_tui.opening.record import config_content
from reid_tui.runs.log import BUDGET
from reid_tui.runs.log_end import HEAD
from reid_tui.training import events as ev
from reid_tui.training import placed
from reid_tui.training.card import MOST_NAME_BYTES
from reid_tui.training.checkpoint import manifests
from reid_tui.training.course import PROGRESS_LINES, course_of
from reid_tui.training.event_json import to_line
from reid_tui.training.placed import PlacedImages
from reid_tui.training.scoring import MAP_SNAPSHOTS
from tests.training.rig import Rig

FEW, MANY = 1_000, 100_000
STEPS = 6
CONFIG = dataclasses.replace(
    resolve(RunOptions(batch_size=16, steps=STEPS), "fashion-mnist", FEW), data="crowd", eval_images=40
)


def crowd(identities: int) -> Dataset:
    """Two training images of each, all from a few rows of pixels, and 40 test images of 20 of them."""
    pixels = np.random.default_rng(0).integers(0, 256, (4, 1, 28, 28)).astype(np.uint8)

    def images(labels: np.ndarray) -> ImageSet:
        return ImageSet(pixels, labels, rows=np.arange(len(labels)) % len(pixels))

    train = images(np.repeat(np.arange(identities), 2))
    test = images(np.repeat(np.linspace(0, identities - 1, 20).astype(np.int64), 2))
    names = tuple(f"identity {number}" for number in range(identities))
    more = {"held_out": names[::5], "validating": names[1::5]}
    return Dataset("crowd", train, test, names, names, "made for tests", unseen=False, fingerprint="0" * 64, **more)


@dataclasses.dataclass
class Run:
    """What was told, how large each manifest is, and how many images each step took."""

    lines: dict[str, list[int]]
    manifests: list[int]
    taken: list[int]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Run]:
    """By identities."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        batch = PlacedImages.batch
        for identities in (FEW, MANY):
            taken: list[int] = []
            patch.setattr(
                PlacedImages, "batch", lambda *a, taken=taken, **k: (taken.append(len(a[1])), batch(*a, **k))[1]
            )
            folder = tmp_path_factory.mktemp("run")
            rig = Rig(CONFIG, crowd(identities), folder)
            assert isinstance(rig.run(), ev.Finished)
            lines: dict[str, list[int]] = {}
            for event in rig.events:
                lines.setdefault(type(event).__name__, []).append(len(to_line(event)))
            found[identities] = Run(lines, [path.stat().st_size for path in manifests(folder / "checkpoints")], taken)
    return found


def test_a_step_takes_as_many_images_of_a_large_set_as_of_a_small_one(runs: dict[int, Run]) -> None:
    assert runs[MANY].taken == runs[FEW].taken
    assert set(runs[MANY].taken) == {2 * CONFIG.batch_size}


def test_a_step_has_as_many_lines_and_they_are_as_long(runs: dict[int, Run]) -> None:
    few, many = runs[FEW].lines, runs[MANY].lines
    assert {name: len(sizes) for name, sizes in few.items()} == {name: len(sizes) for name, sizes in many.items()}
    digits = 20
    for name in few.keys() - {"RunStarted"}:
        assert max(many[name]) <= max(few[name]) + digits, name


def test_names_are_told_and_kept_where_they_are_few(runs: dict[int, Run]) -> None:
    names = len(str([f"identity {number}" for number in range(FEW)]))
    assert names < runs[FEW].lines["RunStarted"][0] < HEAD
    assert runs[MANY].lines["RunStarted"][0] < MOST_NAME_BYTES / 10
    assert max(runs[MANY].manifests) < max(runs[FEW].manifests)


def test_config_json_holds_names_as_far_as_it_can_be_read_again() -> None:
    def dataset(identities: int) -> dict[str, object]:
        opening = Mock(dataset=crowd(identities), config=CONFIG)
        found: dict[str, object] = config_content(opening)["dataset"]
        return found

    few, many = dataset(FEW), dataset(MANY)
    assert len(few["held_out"]) == few["held_out_identities"] == FEW // 5  # type: ignore[arg-type]
    assert (many["held_out"], many["held_out_identities"], many["validating_identities"]) == ([], 20_000, 20_000)


def test_images_are_copied_to_a_device_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    images = crowd(50).train
    taken: list[int] = []
    take = ImageSet.take
    monkeypatch.setattr(placed, "CHUNK_BYTES", 30 * 28 * 28)
    monkeypatch.setattr(ImageSet, "take", lambda self, index: (taken.append(len(index)), take(self, index))[1])
    there = PlacedImages(images, torch.device("meta"))
    assert taken == [30, 30, 30, 10]
    assert there.resident is not None
    assert there.resident.shape == (100, 1, 28, 28)


def test_ten_million_steps_have_as_many_lines_as_a_hundred_thousand() -> None:
    config: RunConfig = dataclasses.replace(CONFIG, steps=None, batch_size=64, epochs=10)
    short, long = (course_of(config, images) for images in (640_000, 64_000_000))
    assert (short.total, long.total) == (100_000, 10_000_000)
    for course in (short, long):
        assert PROGRESS_LINES <= course.total // course.progress_every < 2 * PROGRESS_LINES
        assert course.total // course.map_every <= 2 * MAP_SNAPSHOTS
    on_cpu, on_gpu = (course_of(dataclasses.replace(config, epochs=5), 60_000, on_gpu=gpu) for gpu in (False, True))
    in_bf16 = course_of(dataclasses.replace(config, epochs=5, precision="bf16"), 60_000)
    assert (on_cpu.map_every, in_bf16.map_every, on_gpu.map_every) == (53, 107, 853)
    longest = 500
    assert 2 * PROGRESS_LINES * longest < BUDGET

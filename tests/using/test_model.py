"""A run's network at work."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import reid_tui
from reid_tui import load_run
from reid_tui.config import RunOptions
from reid_tui.data.dataset import Dataset, ImageSet
from reid_tui.engine import run_training
from reid_tui.errors import DataError, ReidTuiError
from reid_tui.evaluation.embed import embed
from reid_tui.learning.networks import to_input
from reid_tui.training import checkpoint as saving
from reid_tui.training.channels import CommandBox
from reid_tui.training.events import AnyEvent, Progress
from reid_tui.training.learner import Learner
from reid_tui.training.manifest import LARGEST_MANIFEST, encode
from reid_tui.using.model import BATCH, Model, open_model
from tests.using.conftest import snapshot, without_card

Tensors = dict[str, torch.Tensor]


def opened(run: Path) -> Model:
    return open_model(str(run), run.parent)


def saved(run: Path, change: Callable[[Tensors], object] = lambda _: None, *, later: int = 0, **settings: Any) -> Path:
    """Save the newest checkpoint as a later one, with other tensors or settings."""
    found = saving.load_checkpoint(saving.manifests(run / "checkpoints")[0])
    change(found.tensors)
    manifest = found.manifest
    state = dataclasses.replace(manifest.state, step=manifest.state.step + later)
    config = dataclasses.replace(manifest.config, **settings)
    return saving.save_checkpoint(
        run / "checkpoints", found.tensors, state, config, manifest.data_fingerprint, "asked", manifest.card
    )


def noise(count: int, model: Model, seed: int = 0) -> np.ndarray:
    shape = (count, model.card.channels, model.card.height, model.card.width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def evaluated(run: Path, images: np.ndarray) -> np.ndarray:
    """Embeddings by the network that training itself restores and scores."""
    found, _ = saving.load_latest(run / "checkpoints")
    split = ImageSet(images, np.arange(len(images), dtype=np.int64))
    learner = Learner(found.manifest.config, split, torch.device("cpu"))
    learner.restore(found.tensors)
    return embed(learner.scored, torch.from_numpy(images), prepare=to_input).numpy()


def test_files_and_arrays_are_embedded_as_in_an_evaluation(
    trained_run: Path, trained_model: Model, people: Path
) -> None:
    files = sorted(people.rglob("*.png"))
    pixels = np.stack([trained_model.pixels(file) for file in files])
    expected = evaluated(trained_run, pixels)
    for found in (
        trained_model.embed(files),
        trained_model.embed([str(file) for file in files]),
        trained_model.embed(list(pixels)),
        trained_model.embed(pixels),
        trained_model.embed_pixels(pixels),
    ):
        np.testing.assert_array_equal(found, expected)
    assert expected.shape == (len(files), trained_model.card.embedding_dim)


@pytest.mark.parametrize("name", ["plain", "averaged"])
def test_more_than_a_batch(name: str, tiny_runs: Path) -> None:
    (found,) = tiny_runs.glob(f"*-{name}")
    model = opened(found)
    images = noise(2 * BATCH + 7, model)
    told: list[tuple[int, int]] = []
    points = model.embed_pixels(images, lambda _, done=0, total=0: told.append((done, total)))
    np.testing.assert_array_equal(points, evaluated(found, images))
    assert told == [(0, len(images)), (BATCH, len(images)), (2 * BATCH, len(images))]
    assert model.embed([]).shape == (0, model.card.embedding_dim)


def test_the_averaged_weights_are_used(tiny_runs: Path) -> None:
    (found,) = tiny_runs.glob("*-averaged")
    tensors = saving.load_latest(found / "checkpoints")[0].tensors
    model = opened(found)
    model_weights = model.network.module.state_dict()  # type: ignore[attr-defined]
    assert torch.equal(model_weights["fc2.weight"], tensors["average.fc2.weight"])
    assert not torch.equal(model_weights["fc2.weight"], tensors["network.fc2.weight"])


def test_distances_and_verdicts_of_pictures_and_embeddings(trained_model: Model, people: Path) -> None:
    first, second = sorted(people.rglob("*.png"))[:2]
    points = trained_model.embed([first, second])
    distance = trained_model.distance(first, str(second))
    assert distance == pytest.approx(math.dist(points[0], points[1]), rel=1e-5)
    assert trained_model.distance(points[0], second) == pytest.approx(distance, rel=1e-5)
    assert trained_model.distance(trained_model.pixels(first), first) == 0
    threshold = trained_model.fitted().threshold
    assert trained_model.same(first, second) is (distance <= threshold)
    origin, far = np.zeros_like(points[0]), np.zeros_like(points[0])
    far[0] = threshold * 1.001
    assert not trained_model.same(origin, far)
    far[0] = threshold * 0.999
    assert trained_model.same(origin, far)
    even, rare = (trained_model.probability(first, second, prior) for prior in (0.5, 0.01))
    assert 0 < rare < even < 1


@pytest.mark.parametrize(
    "which", ["a/picture.png", Path("a"), np.zeros((28, 28), np.uint8), np.zeros((9, 9, 3), np.uint8)]
)
def test_a_single_picture_is_not_taken_for_several(which: Any, trained_model: Model) -> None:
    with pytest.raises(DataError, match="brackets"):
        trained_model.embed(which)


def test_what_is_no_embedding(trained_model: Model, people: Path) -> None:
    file = next(people.rglob("*.png"))
    with pytest.raises(DataError, match="has 64 dimensions"):
        trained_model.distance(np.zeros(3, np.float32), file)
    with pytest.raises(DataError, match=r"no picture"):
        trained_model.distance(np.zeros(64, np.int64), file)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="uint8"):
        trained_model.embed_pixels(np.zeros((1, 3, 64, 33), np.uint8))


def test_the_example_of_the_readme(own_run: Path, people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(own_run.parent.parent)
    paths = sorted(people.rglob("*.png"))
    model = load_run("runs/latest")
    assert model.name == own_run.name
    assert model.embed(paths).shape == (len(paths), 64)
    assert isinstance(model.distance(paths[0], paths[1]), float)
    assert isinstance(model.same(paths[0], paths[1]), bool)
    for spelled in (load_run(), load_run(own_run), load_run(own_run.name), load_run("latest", runs_dir=own_run.parent)):
        assert spelled.digest == model.digest


def test_what_the_package_offers() -> None:
    assert reid_tui.load_run is load_run
    assert set(reid_tui.__all__) == {"load_run", "__version__"}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = reid_tui.nothing


def test_a_run_is_left_byte_for_byte(run: Path) -> None:
    before = snapshot(run.parent)
    model = opened(run)
    model.embed_pixels(noise(3, model))
    assert snapshot(run.parent) == before
    assert (model.step, model.note) == (24, ())


@pytest.mark.slow
def test_a_run_in_training_is_used_and_not_disturbed(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reid_tui.data.catalog.load", lambda *_, **__: tiny)
    steps, told = [], []

    def listen(event: AnyEvent) -> None:
        told.append(event)
        if isinstance(event, Progress) and event.step in (1, 20):
            before = snapshot(tmp_path)
            try:
                steps.append(open_model("latest", tmp_path).step)
            except ReidTuiError as error:
                steps.append(str(error))
            assert snapshot(tmp_path) == before

    options = RunOptions(epochs=3, batch_size=16, device="cpu", runs_dir=str(tmp_path), seed=3)
    run_training(options, listen, CommandBox(), steerable=False)
    unsaved, newest = steps
    assert "has no checkpoint yet; wait for its first one" in unsaved
    assert 0 < newest <= 20
    assert [event.loss for event in told if isinstance(event, Progress)] == losses_alone(options, tmp_path / "alone")


def losses_alone(options: RunOptions, folder: Path) -> list[float]:
    told: list[AnyEvent] = []
    run_training(dataclasses.replace(options, runs_dir=str(folder)), told.append, CommandBox(), steerable=False)
    return [event.loss for event in told if isinstance(event, Progress)]


def test_a_newer_checkpoint_that_does_not_verify_is_passed_over(run: Path) -> None:
    newest = saved(run, later=8)
    newest.write_bytes(newest.read_bytes()[:-1])
    model = opened(run)
    assert model.step == 24
    (line,) = model.note
    assert line.startswith("a newer checkpoint was passed over: step-00000032.safetensors: ")


def test_what_a_run_saves_and_removes_meanwhile_is_no_fault(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the list of checkpoints and the reading of one the run saves three others, and removes those listed."""
    listed = saving.manifests(run / "checkpoints")
    read = saving.load_checkpoint
    monkeypatch.setattr(saving, "load_checkpoint", lambda path: train_on() or read(path))

    def train_on() -> None:
        monkeypatch.setattr(saving, "load_checkpoint", read)
        for _ in range(saving.KEPT):
            newest = saved(run, later=8)
        for path in listed:
            path.unlink()
            path.with_suffix(".safetensors").unlink()
        assert newest.exists()

    model = opened(run)
    assert (model.step, model.note) == (24 + 3 * 8, ())


def test_a_checkpoint_that_is_saved_over_meanwhile_is_no_fault(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = saving.load_checkpoint
    monkeypatch.setattr(saving, "load_checkpoint", lambda path: save_half() or read(path))

    def save_half() -> None:
        """The manifest of the tensors that come next is there already, these are not."""
        monkeypatch.setattr(saving, "load_checkpoint", lambda path: finish() or read(path))
        (path,) = (run / "checkpoints").glob("step-00000024.safetensors")
        held.append(path.read_bytes())
        path.write_bytes(b"half")

    def finish() -> None:
        monkeypatch.setattr(saving, "load_checkpoint", read)
        (run / "checkpoints" / "step-00000024.safetensors").write_bytes(held[0])

    held: list[bytes] = []
    model = opened(run)
    assert (model.step, model.note) == (24, ())


def nan(tensors: Tensors) -> None:
    tensors["network.fc2.bias"][1] = math.nan


def test_an_embedding_that_is_not_finite_names_its_picture(run: Path, tmp_path: Path) -> None:
    saved(run, nan, later=8)
    model = opened(run)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(
        ReidTuiError, match=r"^the embedding of picture 0 by .* is not finite: .*; take another run$"
    ) as e:
        model.embed_pixels(noise(3, model))
    assert e.value.exit_code == 2
    overflow = np.zeros((300, 1, 28, 28), np.uint8)
    overflow[260] = 255

    def network(images: np.ndarray) -> np.ndarray:
        return np.where(images.reshape(len(images), -1)[:, :2] > 0, np.inf, 0).astype(np.float32)

    model.network = network
    with pytest.raises(ReidTuiError, match="picture 260 by"):
        model.embed_pixels(overflow)


def cut(run: Path) -> None:
    for path in (run / "checkpoints").glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:1000])


def schema(run: Path) -> None:
    for path in saving.manifests(run / "checkpoints"):
        value = json.loads(path.read_bytes())
        del value["digest"]
        path.write_bytes(encode({**value, "schema": 2}))


def other_shapes(run: Path) -> None:
    saved(run, lambda tensors: tensors.update({"network.fc2.bias": torch.zeros(3)}), later=8)


def renamed(run: Path) -> None:
    saved(run, lambda tensors: tensors.update({"network.fc9.bias": tensors.pop("network.fc2.bias")}), later=8)


def other_types(run: Path) -> None:
    saved(run, lambda tensors: tensors.update({"network.fc2.bias": tensors["network.fc2.bias"].half()}), later=8)


def another_network(run: Path) -> None:
    saved(run, later=8, model="small")


def no_average(run: Path) -> None:
    saved(run, later=8, average_weights=0.5)


def other_dimensions(run: Path) -> None:
    saved(run, later=8, embedding_dim=5)


def too_large_for_memory(run: Path) -> None:
    for path in saving.manifests(run / "checkpoints"):
        value = json.loads(path.read_bytes())
        del value["digest"]
        value["card"] |= {"height": 1024, "width": 1024}
        path.write_bytes(encode(value))


def huge_manifest(run: Path) -> None:
    for path in saving.manifests(run / "checkpoints"):
        path.write_bytes(b" " * (LARGEST_MANIFEST + 1))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (cut, "1000 bytes instead of"),
        (schema, "another version of reid-tui wrote it: schema 2"),
        (other_shapes, r"fc2.bias is \(3,\) there and \(2,\) here; open it with the version of reid-tui"),
        (renamed, "fc2.bias is no such tensor there"),
        (other_types, "fc2.bias is torch.float16 there"),
        (another_network, "of another network"),
        (no_average, "of another network"),
        (other_dimensions, "card has 2 dimensions, its settings 5"),
        (too_large_for_memory, "of another network"),
        (huge_manifest, "more than the"),
    ],
)
def test_a_damaged_run_is_told_in_one_line(harm: Callable[[Path], None], words: str, run: Path) -> None:
    harm(run)
    with pytest.raises(ReidTuiError, match=words) as error:
        opened(run)
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)
    assert run.name in str(error.value)


def test_the_card_of_an_older_run_follows_from_its_settings(run: Path) -> None:
    card = opened(run).card
    without_card(run)
    older = opened(run).card
    assert older == dataclasses.replace(card, identity_names=(), fitted=None, fitted_step=None)


@pytest.mark.parametrize(
    "changed",
    [
        {"image_shape": None},
        {"image_shape": [1, 28]},
        {"image_shape": [2, 28, 28]},
        {"image_shape": [1, 28, 10**9]},
        {"image_shape": [1, 28.0, 28]},
        {"image_shape": [True, 28, 28]},
        {"image_shape": "123"},
        {"name": 5},
        {"name": "a\x1b[2J"},
        {"identities": -1},
    ],
)
def test_an_older_config_is_read_as_a_strangers(changed: dict[str, Any], run: Path) -> None:
    without_card(run, **changed)
    with pytest.raises(ReidTuiError, match=r"config\.json does not say what its images are") as error:
        opened(run)
    assert "\x1b" not in str(error.value)


@pytest.mark.parametrize("content", ["", "[]", '{"dataset": 3}', '{"dataset": {}}', "[" * 100_000])
def test_an_older_config_that_is_damaged(content: str, run: Path) -> None:
    without_card(run)
    (run / "config.json").write_text(content)
    with pytest.raises(ReidTuiError, match=r"config\.json does not say what its images are"):
        opened(run)


@pytest.mark.parametrize("spec", ["nope", "nope/latest", "none.onnx"])
def test_what_is_not_there(spec: str, run: Path) -> None:
    with pytest.raises(ReidTuiError) as error:
        open_model(spec, run.parent)
    assert error.value.exit_code == 2
    assert "nope" in str(error.value) or "none.onnx" in str(error.value)


def test_a_device_that_is_not_there(run: Path) -> None:
    if not torch.cuda.is_available():
        with pytest.raises(ReidTuiError, match="finds no CUDA device"):
            open_model(str(run), run.parent, device="cuda")

"""A network as a file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch

from reid_tui.cli.main import run as command
from reid_tui.config import NetworkOptions
from reid_tui.data import catalog
from reid_tui.data.dataset import Dataset, ImageSet, fingerprint
from reid_tui.errors import CheckpointError, ReidTuiError, UsageError
from reid_tui.learning.networks import build_network, to_input
from reid_tui.training.card import card_from
from reid_tui.using import export as exporting
from reid_tui.using.export import ENDINGS, export
from reid_tui.using.model import Model, open_model
from tests.opening.rig import begin
from tests.training.test_trunks_learned import people
from tests.using.conftest import snapshot

pytestmark = pytest.mark.slow


def embedder(path: Path) -> tuple[Callable[[np.ndarray], np.ndarray], dict[str, str]]:
    """How somebody else computes with a file, and what it tells them."""
    if path.suffix == ".onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(path.read_bytes())
        told = session.get_modelmeta().custom_metadata_map
        return lambda images: session.run(None, {"images": images})[0], told
    if path.suffix == ".pt2":
        extra = dict.fromkeys(["reid_tui.card", "reid_tui.step", "reid_tui.run"], "")
        program = torch.export.load(path, extra_files=extra).module()
        return lambda images: program(torch.from_numpy(images)).detach().numpy(), extra
    with safetensors.safe_open(path, "pt") as file:
        told = file.metadata()
    card = card_from(json.loads(told["reid_tui.card"]))
    options = NetworkOptions(**json.loads(told["reid_tui.network"]))
    network = build_network(options, card.channels, card.height, card.width, seed=9).eval()
    network.load_state_dict(safetensors.torch.load_file(path))
    return lambda images: network(to_input(torch.from_numpy(images))).detach().numpy(), told


@pytest.fixture(scope="module", autouse=True)
def _drawn_once(pedestrians: Dataset) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(catalog.LOADERS, "pedestrians", lambda _: pedestrians)
        yield


@pytest.fixture(scope="module", params=ENDINGS)
def exported(
    request: pytest.FixtureRequest, trained_run: Path, exported_onnx: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The trained run in each format; the run's folder stays as it was."""
    if request.param == ".onnx":
        return exported_onnx
    target = tmp_path_factory.mktemp("exported") / f"m{request.param}"
    before = snapshot(trained_run)
    assert command(["export", str(trained_run), "-o", str(target)]) == 0
    assert snapshot(trained_run) == before
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    return target


def test_it_computes_what_the_run_does_in_batches_of_any_size(exported: Path, trained_model: Model) -> None:
    compute, _ = embedder(exported)
    card = trained_model.card
    for count in (1, 3, 100):
        shape = (count, card.channels, card.height, card.width)
        images = np.random.default_rng(count).integers(0, 256, shape, dtype=np.uint8)
        expected = trained_model.embed_pixels(images)
        found = compute(images)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_what_is_needed_to_use_it_travels_along(exported: Path, trained_model: Model) -> None:
    _, told = embedder(exported)
    card = card_from(json.loads(told["reid_tui.card"]))
    assert card == trained_model.card
    assert card.fitted is not None
    assert len(card.identity_names) == card.identities
    assert (told["reid_tui.step"], told["reid_tui.run"]) == (str(trained_model.step), trained_model.name)


def test_no_path_of_this_machine_travels_along(exported: Path) -> None:
    content = exported.read_bytes()
    for path in (exporting.__file__, torch.__file__):
        assert str(Path(path).parent).encode() not in content


def test_a_file_that_is_there_stays_unless_it_is_to_be_replaced(trained_run: Path, tmp_path: Path) -> None:
    target = tmp_path / "m.safetensors"
    target.write_text("mine")
    with pytest.raises(UsageError, match="is there; give --force"):
        export(str(trained_run), target, tmp_path)
    assert target.read_text() == "mine"
    found = export(str(trained_run), target, tmp_path, force=True)
    assert found.size == target.stat().st_size > 1000


def test_what_differs_is_not_kept(trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reid_tui.using.torch_export.to_input", lambda images: to_input(images) * 1.01)
    with pytest.raises(ReidTuiError, match=r"m\.safetensors differs from the network by .* nothing was kept"):
        export(str(trained_run), tmp_path / "m.safetensors", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("m.pth", "must end in .onnx, .safetensors, .pt2"),
        ("m", "must end in"),
        ("none/m.onnx", "lies in no folder that is there"),
        ("folder.onnx", "is a folder"),
    ],
)
def test_what_cannot_be_written_is_told_before_a_run_is_opened(name: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(UsageError, match=words):
        export("no such run", tmp_path / name, tmp_path)


def test_a_folder_that_may_not_be_written_to(
    trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting, "write_whole", full)
    with pytest.raises(ReidTuiError, match="No space left on device; free some space, or name another file"):
        export(str(trained_run), tmp_path / "m.safetensors", tmp_path)


def test_what_onnx_needs_is_named_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(UsageError, match=r"needs onnxscript; install with: pip install 'reid-tui\[export\]'"):
        export("no such run", tmp_path / "m.onnx", tmp_path)


def test_without_its_data_a_run_is_checked_on_generated_images(
    own_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reid_tui.using.torch_fitting.check_same_data", _changed)
    found = export(str(own_run), tmp_path / "m.safetensors", tmp_path)
    assert (found.source, found.images) == ("generated", exporting.CHECKED)
    assert any(line.startswith("checked on generated images: the data of the run cannot be had") for line in found.note)
    assert found.threshold is not None


def test_a_network_that_a_format_cannot_hold(
    trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise RuntimeError("no such operation\nin a long text\x1b[2J")

    monkeypatch.setattr("torch.export.export", unknown)
    with pytest.raises(ReidTuiError, match=r"cannot be exported so: no such operation.*; take another format") as error:
        export(str(trained_run), tmp_path / "m.pt2", tmp_path)
    assert (error.value.exit_code, str(error.value).isprintable()) == (1, True)
    assert not list(tmp_path.iterdir())


def test_a_few_images_are_filled_up_with_generated_ones(
    own_run: Path, pedestrians: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = dataclasses.replace(pedestrians, test=ImageSet(pedestrians.test.images[:7], pedestrians.test.identities[:7]))
    monkeypatch.setitem(catalog.LOADERS, "pedestrians", lambda _: few)
    found = export(str(own_run), tmp_path / "m.safetensors", tmp_path)
    assert (found.source, found.images, found.note) == ("pedestrians and generated", 100, ())


def _changed(*_: object) -> None:
    raise CheckpointError("the data changed")


def test_the_command_tells_what_was_written(
    trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "m.safetensors"
    assert command(["export", str(trained_run), "-o", str(target), "--json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["path"] == str(target)
    assert (found["images"], found["source"], found["difference"]) == (100, "pedestrians", 0.0)
    assert found["threshold"] == open_model(str(trained_run), tmp_path).fitted().threshold
    assert said.err == ""
    assert command(["export", str(trained_run), "-o", str(target)]) == 2
    assert "--force" in capsys.readouterr().err


def test_a_trunk_that_is_particular_about_versions_is_opened_and_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = people(36)
    names = tuple("abcdef")
    dataset = Dataset(
        "six", images, images, names, names, "made", unseen=False, fingerprint=fingerprint(images, images)
    )
    monkeypatch.setattr(catalog, "load", lambda *_, **__: dataset)
    begin(tmp_path, model="mnasnet0_5", steps=1, average_weights=0.5)
    model = open_model("latest", tmp_path)
    points = model.embed_pixels(images.images)
    assert points.shape == (24, model.card.embedding_dim)
    written = export("latest", tmp_path / "m.safetensors", tmp_path)
    assert written.difference == 0

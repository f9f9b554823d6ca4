from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from reid_tui.config import NetworkOptions
from reid_tui.errors import UsageError
from reid_tui.learning.networks import build_network
from reid_tui.learning.weights import fetch_pretrained, load_pretrained, take_weights

NAME = "mnasnet0_5"
"""Small, and particular about the version that its weights were saved with."""


@dataclass(frozen=True)
class Published:
    """Weights at an address, and a cache that does not have them."""

    source: Path
    cached: Path


def publish(model: str, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    """Let drawn weights of `model` be those that torchvision publishes for `name`."""
    from torchvision import models  # type: ignore[import-untyped]

    torch.manual_seed(1)
    return publish_tensors(models.get_model(model).state_dict(), name, folder, monkeypatch)


def publish_tensors(
    tensors: dict[str, torch.Tensor], name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Published:
    from torchvision import models

    torch.save(tensors, folder / "weights")
    digest = hashlib.sha256((folder / "weights").read_bytes()).hexdigest()
    source = (folder / "weights").rename(folder / f"{name}-{digest[:8]}.pth")
    monkeypatch.setattr(models.get_model_weights(name).DEFAULT.value, "url", source.as_uri())
    monkeypatch.setenv("TORCH_HOME", str(folder / "home"))
    return Published(source, folder / "home" / "hub" / "checkpoints" / source.name)


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    return publish(NAME, NAME, tmp_path, monkeypatch)


def pretrained(dim: int = 4) -> torch.nn.Module:
    return build_network(NetworkOptions(NAME, dim, pretrained=True), 3, 64, 64, seed=0)


def test_pretrained_weights_are_fetched_and_then_taken_from_the_cache(
    published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = torch.load(published.source, weights_only=True)
    first = pretrained().state_dict()
    published.source.unlink()
    again = pretrained().state_dict()
    for state in (first, again):
        for name, value in expected.items():
            assert name.startswith("classifier") or torch.equal(state[f"trunk.{name}"], value)
    assert [path.name for path in published.cached.parent.iterdir()] == [published.cached.name]
    drawn = build_network(NetworkOptions(NAME, 4), 3, 64, 64, seed=0).state_dict()
    assert drawn.keys() == first.keys()
    assert torch.equal(drawn["embedding.weight"], first["embedding.weight"])
    assert capsys.readouterr() == ("", ""), "the screen is not ours to write to"


def test_what_is_fetched_is_told(published: Published) -> None:
    told: list[str] = []
    assert fetch_pretrained(NAME, told.append) == published.cached
    assert fetch_pretrained(NAME, told.append) == published.cached
    assert told == [f"fetching {published.cached.name}"]


def test_offline_names_the_file_and_the_folder(published: Published) -> None:
    published.source.unlink()
    with pytest.raises(UsageError) as caught:
        pretrained()
    said = str(caught.value)
    assert published.source.as_uri() in said
    assert f"put it into {published.cached.parent}" in said
    assert "\n" not in said
    assert not list(published.cached.parent.iterdir())


def test_a_cut_file_is_not_opened(published: Published) -> None:
    published.cached.parent.mkdir(parents=True)
    published.cached.write_bytes(published.source.read_bytes()[:-1])
    with pytest.raises(UsageError, match=rf"{published.cached.name} is cut, .* remove it"):
        pretrained()


def test_what_comes_must_be_the_file(published: Published) -> None:
    published.source.write_bytes(b"<html>")
    with pytest.raises(UsageError, match=rf"what came for {published.source.name} is not that file .*SHA-256"):
        pretrained()
    assert not list(published.cached.parent.iterdir())


def test_a_whole_file_of_another_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(NAME, "squeezenet1_1", tmp_path, monkeypatch)
    with pytest.raises(UsageError, match=r"holds the weights of another network than squeezenet1_1$"):
        build_network(NetworkOptions("squeezenet1_1", 4, pretrained=True), 3, 64, 64, seed=0)


def test_a_cache_that_cannot_be_written(published: Published) -> None:
    (published.source.parent / "home").write_text("a file where a folder should be")
    with pytest.raises(UsageError, match=r"cannot be stored: .* put it into"):
        pretrained()


def test_older_names_and_second_classifiers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As densenet's and googlenet's files have them."""
    old = {"denselayer1.norm.2.weight": torch.ones(3), "aux1.fc.bias": torch.ones(1)}
    publish_tensors(old, "squeezenet1_1", tmp_path, monkeypatch)
    network = torch.nn.Module()
    network.denselayer1 = torch.nn.Module()
    network.denselayer1.norm2 = torch.nn.Linear(3, 1, bias=False)
    network.denselayer1.norm2.weight = torch.nn.Parameter(torch.zeros(3))
    load_pretrained(network, "squeezenet1_1")
    assert torch.equal(network.denselayer1.norm2.weight, torch.ones(3))


def checkpoint_of(model: str, dim: int, seed: int = 1, **options: bool) -> dict[str, torch.Tensor]:
    network = build_network(NetworkOptions(model, dim, **options), 1, 28, 28, seed)
    return {f"network.{name}": value for name, value in network.state_dict().items()} | {"adam.0.step": torch.ones(())}


def test_a_run_starts_from_another_runs_weights() -> None:
    network = build_network(NetworkOptions("bn", 2), 1, 28, 28, seed=0)
    theirs = checkpoint_of("bn", 2)
    assert take_weights(network, theirs) == []
    assert all(torch.equal(value, theirs[f"network.{name}"]) for name, value in network.state_dict().items())


def test_a_network_that_is_particular_about_versions_takes_another_runs_weights() -> None:
    network = build_network(NetworkOptions(NAME, 2), 1, 64, 64, seed=0)
    other = build_network(NetworkOptions(NAME, 4), 1, 64, 64, seed=1).state_dict()
    left = take_weights(network, {f"network.{name}": value for name, value in other.items()})
    assert left == ["embedding.weight", "embedding.bias"]
    assert all(torch.equal(value, other[name]) for name, value in network.state_dict().items() if name not in left)


def test_another_embedding_is_left_as_it_was_drawn() -> None:
    network = build_network(NetworkOptions("tutorial", 2), 1, 28, 28, seed=0)
    drawn = network.get_parameter("fc2.weight").clone()
    theirs = checkpoint_of("tutorial", 64, bnneck=True)
    assert take_weights(network, theirs) == ["fc2.weight", "fc2.bias"]
    assert torch.equal(network.get_parameter("fc2.weight"), drawn)
    assert torch.equal(network.get_parameter("fc1.weight"), theirs["network.fc1.weight"])


def test_a_neck_that_the_other_has_not_is_left() -> None:
    network = build_network(NetworkOptions("small", 2, bnneck=True), 1, 28, 28, seed=0)
    left = take_weights(network, checkpoint_of("small", 2))
    assert left
    assert all(name.startswith("neck.") for name in left)


@pytest.mark.parametrize(
    ("mine", "theirs", "said"),
    [
        ("tutorial", checkpoint_of("bn", 2), "conv1.bias is here only"),
        ("bn", checkpoint_of("tutorial", 2), "conv1.bias is there only"),
        ("small", {}, "conv1a.weight is here only"),
        (
            "tutorial",
            {name: value.new_zeros(1) for name, value in checkpoint_of("tutorial", 2).items()},
            "only 0 of 8 tensors have the same shape",
        ),
        ("tutorial", {"network.\x1b[2J": torch.zeros(1)}, r"there only"),
    ],
)
def test_another_architecture_is_refused(mine: str, theirs: dict[str, torch.Tensor], said: str) -> None:
    network = build_network(NetworkOptions(mine, 2), 1, 28, 28, seed=0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(UsageError, match=said) as caught:
        take_weights(network, theirs)
    assert str(caught.value).isprintable()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())

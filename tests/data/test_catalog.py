from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from reid_tui.config import DataOptions
from reid_tui.data import catalog
from reid_tui.data.dataset import Dataset, fingerprint
from reid_tui.errors import DataError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from reid_tui.data.idx.download import Body
    from tests.data.conftest import Site, Tiny


def test_files_become_grey_images_with_names(tiny_files: Tiny, tmp_path: Path) -> None:
    found = tiny_files.load(data_dir=tiny_files.put(tmp_path / "d"))
    assert found.name == "fashion-mnist"
    assert found.train.images.shape == (6, 1, 4, 4)
    assert found.train.images.tobytes() == tiny_files.contents[tiny_files.names[0]][16:]
    assert found.test.identities.tolist() == [0, 1, 2]
    assert found.test.identities.dtype == np.int64
    assert found.train.cameras is None
    assert found.identity_names == found.train_identity_names == ("ankle", "boot", "coat")
    assert not found.unseen
    assert found.source == f"Fashion-MNIST from {tmp_path / 'd'}"
    assert found.fingerprint == fingerprint(found.train, found.test)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("inside", [".", "fashion-mnist", "FashionMNIST/raw"])
@pytest.mark.parametrize("base", ["data-dir", "environment", "user"])
def test_every_place_and_layout_is_searched(
    tiny_files: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str, inside: str, *, packed: bool
) -> None:
    monkeypatch.setenv("REID_TUI_DATA", str(tmp_path / "environment"))
    folder = tiny_files.put(tmp_path / base / inside, packed=packed)
    found = tiny_files.load(data_dir=tmp_path / "data-dir")
    assert found.source == f"Fashion-MNIST from {folder}"


def test_places_are_searched_in_order(tiny_files: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REID_TUI_DATA", str(tmp_path / "environment"))
    wanted = tmp_path / "data-dir"
    for folder in (
        tiny_files.system,
        tmp_path / "user",
        tmp_path / "environment",
        wanted / "FashionMNIST" / "raw",
        wanted / "fashion-mnist",
        wanted,
    ):
        tiny_files.put(folder)
        assert tiny_files.load(data_dir=wanted).source == f"Fashion-MNIST from {folder}"


def test_files_may_lie_in_several_places_and_all_are_named(tiny_files: Tiny, tmp_path: Path) -> None:
    tiny_files.put(tmp_path / "d", names=tiny_files.names[:3])
    tiny_files.put(tiny_files.system)
    assert (
        tiny_files.load(data_dir=tmp_path / "d").source == f"Fashion-MNIST from {tmp_path / 'd'}, {tiny_files.system}"
    )


@pytest.mark.parametrize("spec", ["fashion-mnist", "auto"])
def test_damaged_file_is_never_passed_over(tiny_files: Tiny, tmp_path: Path, spec: str) -> None:
    tiny_files.put(tiny_files.system)
    folder = tiny_files.put(tmp_path / "d")
    content = tiny_files.contents[tiny_files.names[2]][:-1] + b"?"
    (folder / f"{tiny_files.names[2]}.gz").write_bytes(gzip.compress(content))
    with pytest.raises(DataError) as caught:
        tiny_files.load(spec, folder)
    message = str(caught.value)
    assert str(folder / f"{tiny_files.names[2]}.gz") in message
    assert str(tiny_files.source.files[2].sha256) in message
    assert hashlib.sha256(content).hexdigest() in message


def test_missing_files_are_an_error_that_names_places_reason_and_remedy(tiny_files: Tiny, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        tiny_files.load(data_dir=tmp_path / "d")
    message = str(caught.value)
    for part in (
        str(tmp_path / "d"),
        str(tiny_files.system),
        "Network is unreachable",
        "--data pedestrians",
        tiny_files.names[0],
    ):
        assert part in message
    assert message.isprintable()
    assert not (tmp_path / "d").exists()


def test_auto_takes_fashion_mnist_where_it_lies(tiny_files: Tiny) -> None:
    tiny_files.put(tiny_files.system)
    assert tiny_files.load("auto").name == "fashion-mnist"


def test_auto_without_files_and_network_takes_pedestrians_and_says_why(
    tiny_files: Tiny, people_set: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reid_tui.data.pedestrians.generate.pedestrians", lambda source: _renamed(people_set, source))
    found = tiny_files.load("auto")
    assert found.name == "pedestrians"
    assert found.source.startswith("pedestrians, generated, because Fashion-MNIST was not found and not fetched: ")
    assert found.source.endswith("Network is unreachable")


def _renamed(people: Dataset, source: str) -> Dataset:
    return Dataset(
        name=people.name,
        train=people.train,
        test=people.test,
        identity_names=people.identity_names,
        train_identity_names=people.train_identity_names,
        source=f"pedestrians, {source}",
        unseen=people.unseen,
        fingerprint=people.fingerprint,
    )


def test_auto_gives_a_fetch_little_time(tiny_files: Tiny, people_set: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reid_tui.data.pedestrians.generate.pedestrians", lambda source: people_set)
    given: list[float] = []

    def slow(url: str, timeout_s: float) -> Body:
        given.append(timeout_s)
        raise TimeoutError(110, "Connection timed out")

    tiny_files.load("auto", opener=slow)
    assert len(given) == 1
    assert 0 < given[0] <= catalog.AUTO_FETCH_S


def test_missing_files_are_fetched_kept_and_found_again(tiny_files: Tiny, tmp_path: Path, site: Site) -> None:
    site.bodies = {f"{name}.gz": gzip.compress(content) for name, content in tiny_files.contents.items()}
    lines: list[str] = []
    fetched = tiny_files.load("auto", tmp_path / "d", opener=site.open, report=lines.append)
    assert fetched.source == (
        f"Fashion-MNIST from https://example.invalid/tiny/ (kept in {tmp_path / 'd' / 'fashion-mnist'})"
    )
    assert any("fetching train-images" in line for line in lines)
    assert all(line.isprintable() for line in lines)
    found = tiny_files.load("auto", tmp_path / "d")
    assert found.fingerprint == fetched.fingerprint
    assert found.source == f"Fashion-MNIST from {tmp_path / 'd' / 'fashion-mnist'}"
    assert len(site.asked) == 4


@pytest.mark.parametrize("spec", ["", "cifar", "Fashion-MNIST", "\x1b[31m"])
def test_unknown_name_lists_the_known_ones(spec: str) -> None:
    with pytest.raises(
        UsageError, match="--data must be one of auto, fashion-mnist, mnist, kmnist, pedestrians"
    ) as caught:
        catalog.load(DataOptions(data=spec), print)
    assert str(caught.value).isprintable()


def test_data_dir_that_is_a_file_is_refused(tiny_files: Tiny, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"--data-dir .*file is not a folder"):
        tiny_files.load(data_dir=tmp_path / "file")


def test_fingerprint_tells_arrays_apart(tiny_files: Tiny, tmp_path: Path) -> None:
    found = tiny_files.load(data_dir=tiny_files.put(tmp_path / "d"))
    assert fingerprint(found.train) != fingerprint(found.test) != fingerprint(found.train, found.test)
    found.train.images[0, 0, 0, 0] ^= 1
    assert fingerprint(found.train, found.test) != found.fingerprint


def test_real_fashion_mnist(fashion_mnist: Dataset) -> None:
    assert fashion_mnist.train.images.shape == (60_000, 1, 28, 28)
    assert fashion_mnist.test.images.shape == (10_000, 1, 28, 28)
    assert np.bincount(fashion_mnist.train.identities).tolist() == [6000] * 10
    assert np.bincount(fashion_mnist.test.identities).tolist() == [1000] * 10
    assert fashion_mnist.identity_names[fashion_mnist.test.identities[0]] == "Ankle boot"
    assert round(float(fashion_mnist.train.images.mean() / 255), 4) == 0.2860

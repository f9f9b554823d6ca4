"""Sets in torchvision's layout: as files, and as arrays that torchvision's own classes read."""

from __future__ import annotations

import hashlib
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest

from reid_tui.config import DataOptions
from reid_tui.data.folders import sources, torchvision_files
from reid_tui.data.pool import UNDIVIDED, Pool
from reid_tui.errors import DataError, UsageError
from tests.data.conftest import idx_bytes
from tests.data.folders.trees import TEST, TRAIN, brief, counts, listed, put, quiet

EMNIST = "EMNIST/raw/emnist-balanced-{}-{}"


@pytest.fixture(autouse=True)
def no_other_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REID_TUI_DATA", raising=False)
    monkeypatch.setattr(platformdirs, "user_data_path", lambda *args, **kwargs: tmp_path / "user")


def arrays(spec: str, data_dir: Path) -> Pool:
    pool = sources.arrays(DataOptions(data=spec, data_dir=str(data_dir)), quiet)
    assert pool is not None
    return pool


def refused(spec: str, data_dir: Path) -> str:
    with pytest.raises(DataError) as error:
        arrays(spec, data_dir)
    return str(error.value)


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def test_omniglot_is_tested_on_other_alphabets(tmp_path: Path) -> None:
    pictures = (
        "images_background/Latin/character01/0001_01.png",
        "images_background/Greek/character01/0002_01.png",
        "images_evaluation/Tengwar/character02/0003_01.png",
    )
    put(tmp_path / "omniglot-py", *pictures, "images_background/loose.png", "strokes_background/x.png")
    listing = listed("torchvision:omniglot", data_dir=str(tmp_path))
    assert brief(listing) == [
        (pictures[1], "Greek/character01", None, TRAIN),
        (pictures[0], "Latin/character01", None, TRAIN),
        (pictures[2], "Tengwar/character02", None, TEST),
    ]
    assert (listing.spec, listing.name) == ("torchvision:Omniglot", "omniglot")
    assert listing.source == f"Omniglot in {tmp_path}/omniglot-py"
    assert counts(listing) == {"outside_identities": 1}


@pytest.mark.parametrize("folder", ["lfw_funneled", "lfw-deepfunneled", "lfw"])
def test_lfw_is_one_folder_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    put(tmp_path / "lfw-py" / folder, "Ann_Lee/Ann_Lee_0001.jpg", "Bo_Li/Bo_Li_0001.jpg", "pairs.txt")
    monkeypatch.setenv("REID_TUI_DATA", str(tmp_path))
    listing = listed("torchvision:LFWPeople")
    assert brief(listing) == [
        ("Ann_Lee/Ann_Lee_0001.jpg", "Ann_Lee", None, UNDIVIDED),
        ("Bo_Li/Bo_Li_0001.jpg", "Bo_Li", None, UNDIVIDED),
    ]
    assert (listing.spec, listing.name) == ("torchvision:LFWPeople", "lfwpeople")
    assert listing.source == f"LFWPeople in {tmp_path}/lfw-py/{folder}"


def test_what_lies_nowhere_is_told_with_the_folder_and_the_way_to_get_it(tmp_path: Path) -> None:
    for name, folder, way in (
        ("Omniglot", "omniglot-py", "fetch it with torchvision.datasets.Omniglot(DIR, download=True)"),
        ("LFWPeople", "lfw-py/lfw_funneled", "fetch it by hand and unpack it there"),
    ):
        with pytest.raises(DataError) as error:
            listed(f"torchvision:{name}", data_dir=str(tmp_path))
        assert str(error.value).startswith(f"{name} is not in {tmp_path}/{folder}, {tmp_path}/user/{folder}")
        assert str(error.value).endswith(f"; {way} and name the folder with --data-dir DIR")
    for name, folder, more in (
        ("CIFAR10", "cifar-10-batches-py", ""),
        ("CIFAR100", "cifar-100-python", ""),
        ("SVHN", "", ", split='train'"),
        ("EMNIST", "EMNIST/raw", ", split='balanced'"),
    ):
        text = refused(f"torchvision:{name}", tmp_path)
        assert text.startswith(f"{name} is not in {tmp_path / folder}, {tmp_path / 'user' / folder} with ")
        assert f"; fetch it with torchvision.datasets.{name}(DIR{more}, download=True) and name the folder" in text


def test_names_of_sets() -> None:
    assert sources.arrays(DataOptions(data="folder:x"), quiet) is None
    assert sources.arrays(DataOptions(data="torchvision:LFWPeople"), quiet) is None
    for ask in (sources.listing, sources.arrays):
        with pytest.raises(
            DataError, match="torchvision: knows Omniglot, LFWPeople, CIFAR10, CIFAR100, SVHN, EMNIST, not"
        ):
            ask(DataOptions(data="torchvision:MNIST1D"), quiet)
    with pytest.raises(UsageError, match="--image-root is of no use to torchvision:, only to csv:"):
        sources.arrays(DataOptions(data="torchvision:CIFAR10", image_root="x"), quiet)
    assert all(
        layout.arrays == (layout.name in ("CIFAR10", "CIFAR100", "SVHN", "EMNIST"))
        for layout in torchvision_files.LAYOUTS.values()
    )


def check_whole(pool: Pool, images: np.ndarray[Any, Any], identities: list[int], trained: int) -> None:
    assert np.array_equal(pool.images, images)
    assert pool.images.flags.c_contiguous
    assert pool.images.dtype == np.uint8
    assert pool.rows.tolist() == list(range(len(images)))
    assert pool.identities.tolist() == identities
    assert pool.identities.dtype == np.int64
    assert pool.roles.tolist() == [TRAIN] * trained + [TEST] * (len(images) - trained)
    assert pool.roles.dtype == np.int8
    assert pool.paths[0] == "train/0"
    assert pool.paths[-1] == f"test/{len(images) - trained - 1}"
    assert len(pool.paths) == len(images)
    assert (pool.cameras, pool.camera_names, pool.image_size, pool.findings) == (None, (), None, ())
    wanted = [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images]
    assert [digest.tobytes() for digest in pool.digests] == wanted


@pytest.mark.slow
@pytest.mark.parametrize("name", ["CIFAR10", "CIFAR100"])
def test_cifar_is_read_only_where_it_is_what_was_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    from torchvision import datasets

    images = np.random.default_rng(0).integers(0, 256, (4, 3, 32, 32), np.uint8)
    kind = getattr(datasets, name)
    folder = put(tmp_path / kind.base_folder)
    key = "labels" if name == "CIFAR10" else "fine_labels"
    contents = {
        "one": pickle.dumps({"data": images[:2].reshape(2, -1), key: [1, 0]}),
        "two": pickle.dumps({"data": images[2:3].reshape(1, -1), key: [0]}),
        "test": pickle.dumps({"data": images[3:].reshape(1, -1), key: [1]}),
        kind.meta["filename"]: pickle.dumps({kind.meta["key"]: ["cat", "dog"]}),
    }
    for file, content in contents.items():
        (folder / file).write_bytes(content)
    assert "is damaged or not whole: RuntimeError: Dataset not found or corrupted" in refused(
        f"torchvision:{name}", tmp_path
    )
    monkeypatch.setattr(kind, "train_list", [[file, md5(contents[file])] for file in ("one", "two")])
    monkeypatch.setattr(kind, "test_list", [["test", md5(contents["test"])]])
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": md5(contents[kind.meta["filename"]])})
    pool = arrays(f"torchvision:{name.lower()}", tmp_path)
    check_whole(pool, images, [1, 0, 0, 1], trained=3)
    assert pool.names == ("cat", "dog")
    assert (pool.name, pool.spec) == (name.lower(), f"torchvision:{name}")
    assert pool.source == f"{name} in {folder}"

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    (folder / "test").write_bytes(pickle.dumps(Trap()))
    assert "is damaged or not whole" in refused(f"torchvision:{name}", tmp_path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.slow
def test_emnist_stands_upright(tmp_path: Path) -> None:
    raw = put(tmp_path / "EMNIST/raw")
    upright = np.random.default_rng(0).integers(0, 256, (3, 1, 28, 28), np.uint8)
    for half, images, labels in (("train", upright[:2], [46, 10]), ("test", upright[2:], [3])):
        (raw / f"emnist-balanced-{half}-images-idx3-ubyte").write_bytes(idx_bytes(images[:, 0].swapaxes(1, 2)))
        (raw / f"emnist-balanced-{half}-labels-idx1-ubyte").write_bytes(idx_bytes(np.array(labels)))
    pool = arrays("torchvision:EMNIST", tmp_path)
    check_whole(pool, upright, [46, 10, 3], trained=2)
    assert (len(pool.names), pool.names[10], pool.names[46]) == (47, "A", "t")
    assert pool.source == f"EMNIST, split balanced in {raw}"
    (raw / "emnist-balanced-test-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + bytes(11))
    assert "EMNIST in" in refused("torchvision:EMNIST", tmp_path)


@pytest.mark.slow
def test_svhn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import datasets

    io = pytest.importorskip("scipy.io")
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 32, 32), np.uint8)
    for half, part, labels in (("train", images[:2], [10, 3]), ("test", images[2:], [9, 1])):
        file = tmp_path / f"{half}_32x32.mat"
        io.savemat(file, {"X": part.transpose(2, 3, 1, 0), "y": np.array(labels, np.uint8)[:, None]})
        listed_as = ["", file.name, md5(file.read_bytes())]
        monkeypatch.setitem(datasets.SVHN.split_list, half, listed_as)
    pool = arrays("torchvision:SVHN", tmp_path)
    check_whole(pool, images, [0, 3, 9, 1], trained=2)
    assert pool.names == tuple("0123456789")
    assert pool.source == f"SVHN in {tmp_path}"
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    assert refused("torchvision:SVHN", tmp_path) == "SVHN needs scipy to read its files; install scipy"

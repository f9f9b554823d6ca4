"""`--exclude`: a table's images are in no split, whatever the data comes from."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reid_tui.config import DataOptions
from reid_tui.data import catalog
from reid_tui.data.dataset import Dataset
from reid_tui.data.exclude import own_rows, without
from reid_tui.errors import DataError


def table(folder: Path, *lines: str) -> str:
    file = folder / "out.csv"
    file.write_text("".join(f"{line}\n" for line in lines))
    return str(file)


def test_rows_of_splits(tiny: Dataset, tmp_path: Path) -> None:
    told: list[str] = []
    file = table(tmp_path, "identity,Split,row", "x,train,3", "x,train,119", "x,unseen,0", "x,train,120", "x,seen,0")
    left = without(tiny, file, told.append)
    assert told == [f"3 images left out by {file}", "2 rows match no image of tiny"]
    kept = [row for row in range(120) if row not in (3, 119)]
    np.testing.assert_array_equal(own_rows(left.train), kept)
    np.testing.assert_array_equal(left.train.identities, tiny.train.identities[kept])
    np.testing.assert_array_equal(left.train.take(np.array([3])), tiny.train.images[[4]])
    assert len(left.test) == 59
    assert left.fingerprint != tiny.fingerprint
    again = without(left, table(tmp_path, "split,row", "train,4"), told.append)
    assert 4 not in own_rows(again.train), "a row keeps its name"
    assert len(again.train) == 117


def test_nothing_left_out_is_the_same_data(tiny: Dataset, tmp_path: Path) -> None:
    told: list[str] = []
    assert without(tiny, table(tmp_path, "path", "nowhere.png"), told.append) is tiny
    assert told[1] == "1 row matches no image of tiny"


@pytest.fixture
def crops(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for who in ("ann", "bob", "cyd", "dan", "eve", "fay"):
        (tmp_path / "crops" / who).mkdir(parents=True)
        for number in range(6):
            Image.fromarray(rng.integers(0, 256, (16, 16)).astype(np.uint8)).save(
                tmp_path / "crops" / who / f"{number}.png"
            )
    return tmp_path / "crops"


@pytest.mark.parametrize("absolute", [False, True])
def test_paths_of_pictures(crops: Path, tmp_path: Path, *, absolute: bool) -> None:
    paths = ["ann/0.png", "bob/./3.png", "fay/1.png"]
    file = table(tmp_path, "path,step", *(f"{crops / path if absolute else path},1" for path in paths), "zoe/1.png,1")
    told: list[str] = []
    whole = catalog.load(DataOptions(data=f"folder:{crops}"), lambda *_: None)
    options = DataOptions(data=f"folder:{crops}", exclude=file)
    left = catalog.load(options, lambda text, *_: told.append(text))
    assert told[-2:] == [f"3 images left out by {file}", f"1 row matches no image of {left.name}"]

    def files(dataset: Dataset) -> set[str]:
        splits = [split for split in (dataset.train, dataset.test, dataset.seen, dataset.validation) if split]
        return {dataset.path_of(split, place) for split in splits for place in range(len(split))}

    assert files(whole) - files(left) == {str(crops / path) for path in ("ann/0.png", "bob/3.png", "fay/1.png")}
    for place in range(len(left.train)):
        with Image.open(left.path_of(left.train, place)) as picture:
            np.testing.assert_array_equal(left.train.take(np.array([place]))[0, 0], np.asarray(picture))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["identity", "x"], "no column 'path', nor 'split' and 'row'"),
        ([], "no column 'path'"),
        (["split,row", "train,3", "train,-3"], "line 3: neither a path nor a split"),
        (["split,row", "dev,3"], "line 2: neither a path nor a split"),
        (["path,split,row", ",,"], "line 2: neither a path"),
        (["split,row", *(f"train,{row}" for row in range(120))], "leaves fewer than 2 identities in train"),
    ],
)
def test_what_cannot_be_used_is_one_line(lines: list[str], words: str, tiny: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        without(tiny, table(tmp_path, *lines), lambda _: None)
    assert words in str(caught.value)
    assert "--exclude" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tiny: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"--exclude .*gone.csv cannot be read: No such file"):
        without(tiny, str(tmp_path / "gone.csv"), lambda _: None)
    with pytest.raises(DataError, match="cannot be read"):
        without(tiny, str(tmp_path), lambda _: None)


def test_a_name_is_kept_by_the_options(tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalog.LOADERS, "tiny", lambda request: dataclasses.replace(tiny, name=request.name))
    file = table(tmp_path, "split,row", "train,3")
    assert len(catalog.load(DataOptions(data="tiny", exclude=file), lambda *_: None).train) == 119

"""MSMT17 is what its list files say."""

from __future__ import annotations

from pathlib import Path

import pytest

from reid_tui.errors import DataError
from tests.data.folders.trees import GALLERY, QUERY, TRAIN, brief, counts, found, listed, put

NAMES = {
    "train": ("0000/0000_000_01_0303morning_0008_0.jpg 0", "0001/0001_000_15_0113noon_0008_0.jpg 1"),
    "val": ("0000/0000_001_02_0303morning_0009_0.jpg 0",),
    "query": ("0000/0000_000_05_0303morning_0008_0.jpg 0",),
    "gallery": ("0000/0000_001_06_0303noon_0018_1.jpg 0", "0003/0003_000_06_0303noon_0018_1.jpg 3"),
}


def msmt17(root: Path, train: str = "train", test: str = "test") -> Path:
    for name, lines in NAMES.items():
        half = train if name in ("train", "val") else test
        put(root, *(f"{half}/{line.split()[0]}" for line in lines))
        (root / f"list_{name}.txt").write_text("".join(f"{line}\n" for line in lines))
    return root


@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("mask_train_v2", "mask_test_v2")])
def test_labels_of_train_and_test_are_other_people(tmp_path: Path, train: str, test: str) -> None:
    root = msmt17(tmp_path / "MSMT17_V1", train, test)
    listing = listed(f"msmt17:{root}")
    assert brief(listing) == [
        (f"{train}/0000/0000_000_01_0303morning_0008_0.jpg", "train/0", "01", TRAIN),
        (f"{train}/0001/0001_000_15_0113noon_0008_0.jpg", "train/1", "15", TRAIN),
        (f"{test}/0000/0000_000_05_0303morning_0008_0.jpg", "test/0", "05", QUERY),
        (f"{test}/0000/0000_001_06_0303noon_0018_1.jpg", "test/0", "06", GALLERY),
        (f"{test}/0003/0003_000_06_0303noon_0018_1.jpg", "test/3", "06", GALLERY),
    ]
    assert (listing.spec, listing.name, listing.source) == (f"msmt17:{root}", "MSMT17_V1", f"MSMT17 in {root}")
    assert listing.upright
    assert counts(listing) == {"val_left_out": 1}
    assert found(listing)["val_left_out"].examples == NAMES["val"]


def test_lines_that_fit_no_picture(tmp_path: Path) -> None:
    root = msmt17(tmp_path)
    many = [f"0000/0000_{number:03}_01_x_0_0.jpg" for number in range(100)]
    put(root / "train", *many)
    with (root / "list_train.txt").open("ab") as file:
        file.write(b"".join(f"{name} 0\r\n".encode() for name in many))
        file.write(b"\n0000/\xff\x1b.jpg\n../../0_0_0_0 0\n0000/0000_999_01_gone_0_0.jpg 0\n")
    listing = listed(f"msmt17:{root}")
    assert len(listing.pictures) == 105
    assert found(listing)["unread_names"].examples == ("0000/\udcff\x1b.jpg",)
    assert found(listing)["missing_files"].examples == ("../../0_0_0_0", "0000/0000_999_01_gone_0_0.jpg")


def test_a_set_that_is_not_whole(tmp_path: Path) -> None:
    root = msmt17(tmp_path)
    (root / "train/0000/0000_000_01_0303morning_0008_0.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 5 named pictures are missing .*, first '0000/0000_000_01_.*; name the"):
        listed(f"msmt17:{root}")
    (root / "list_gallery.txt").unlink()
    with pytest.raises(DataError, match=r"list_gallery.txt cannot be read: No such file or directory; name the folder"):
        listed(f"msmt17:{root}")
    for name in ("train", "query", "gallery"):
        (root / f"list_{name}.txt").write_text("what\n")
    with pytest.raises(
        DataError, match=r"name no picture as MSMT17 names them, such as '0000/.*, first 'what', 'what'"
    ):
        listed(f"msmt17:{root}")
    with pytest.raises(DataError, match=r"is not MSMT17: it wants the folders train and test, or mask_train_v2 and"):
        listed(f"msmt17:{root / 'train'}")

"""Folders of identities: who is whose, what is for what, and what is left out."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from reid_tui.data.pool import UNDIVIDED, VALIDATION
from reid_tui.errors import DataError
from reid_tui.text import printable
from tests.data.folders.trees import GALLERY, QUERY, TEST, TRAIN, brief, counts, found, listed, put
from tests.hostile import HOSTILE


def test_without_a_split_nothing_is_said_about_roles(tmp_path: Path) -> None:
    root = put(tmp_path / "crops 2024", "bob/x.jpg", "alice/1.jpg", "alice/deep/er/2.jpg", "007/1.png")
    listing = listed(f"folder:{root}")
    assert brief(listing) == [
        ("007/1.png", "007", None, UNDIVIDED),
        ("alice/1.jpg", "alice", None, UNDIVIDED),
        ("alice/deep/er/2.jpg", "alice", None, UNDIVIDED),
        ("bob/x.jpg", "bob", None, UNDIVIDED),
    ]
    assert (listing.spec, listing.name, listing.root) == (f"folder:{root}", "crops-2024", root)
    assert listing.source == f"folders of identities in {root}"
    assert listing.findings == ()
    assert not listing.upright


@pytest.mark.parametrize("train", ["train", "Training", "TRAIN"])
@pytest.mark.parametrize("above", [True, False])
def test_the_split_may_lie_above_or_under_the_identities(tmp_path: Path, train: str, *, above: bool) -> None:
    def path(split: str, identity: str) -> str:
        return f"{split}/{identity}/1.jpg" if above else f"{identity}/{split}/1.jpg"

    roles = {train: TRAIN, "Query": QUERY, "GALLERY": GALLERY, "test": TEST, "val": VALIDATION}
    root = put(tmp_path, *(path(split, name) for split in roles for name in ("a", "b")))
    assert sorted(brief(listed(f"folder:{root}"))) == sorted(
        (path(split, name), name, None, role) for split, role in roles.items() for name in ("a", "b")
    )


@pytest.mark.parametrize("val", ["val", "validation"])
def test_val_is_the_test_of_a_set_that_has_no_other(tmp_path: Path, val: str) -> None:
    root = put(tmp_path, "train/a/1.jpg", f"{val}/b/2.jpg")
    assert [role for _, _, _, role in brief(listed(f"folder:{root}"))] == [TRAIN, TEST]
    put(tmp_path, "gallery/c/1.jpg")
    assert [role for _, _, _, role in brief(listed(f"folder:{root}"))] == [GALLERY, TRAIN, VALIDATION]


def test_what_lies_in_no_identitys_folder_is_left_out_and_counted(tmp_path: Path) -> None:
    root = put(tmp_path, "a/1.jpg", "b/1.jpg", "loose.jpg", "test/loose.jpg")
    listing = listed(f"folder:{root}")
    assert [path for path, *_ in brief(listing)] == ["a/1.jpg", "b/1.jpg"]
    assert found(listing)["outside_identities"].examples == ("loose.jpg", "test/loose.jpg")


def test_beside_a_split_only_what_has_one_counts(tmp_path: Path) -> None:
    root = put(tmp_path, "train/a/1.jpg", "query/b/1.jpg", "original/1.jpg", "original/2.jpg", "original/3.jpg")
    listing = listed(f"folder:{root}")
    assert [path for path, *_ in brief(listing)] == ["query/b/1.jpg", "train/a/1.jpg"]
    assert counts(listing) == {"outside_identities": 3}


def test_one_folder_that_is_called_like_a_split_by_chance_does_not_cost_the_others(tmp_path: Path) -> None:
    root = put(tmp_path, *(f"person{number}/1.jpg" for number in range(9)), "person1/test/2.jpg")
    with pytest.raises(DataError, match=r" has 9 pictures in no identity's folder, first .*one folder per identity"):
        listed(f"folder:{root}")


def test_the_camera_stands_in_the_files_name(tmp_path: Path) -> None:
    root = put(tmp_path, "a_c9/x_c01_2.jpg", "b/y_c2_c3.jpg")
    assert [camera for _, _, camera, _ in brief(listed(f"folder:{root}", camera_pattern=r"_c(\d+)"))] == ["01", "2"]
    named = r"(.)_c\d+_(?P<camera>..)"
    assert [camera for _, _, camera, _ in brief(listed(f"folder:{root}", camera_pattern=named))] == ["2.", "c3"]


@pytest.mark.parametrize("pattern", [r"_c(\d+)", r"\d(?:_c(\d+))?", r"_c?(\d*)"])
def test_no_camera_is_invented(tmp_path: Path, pattern: str) -> None:
    root = put(tmp_path, "a/1_c1.jpg", *(f"b_c1/{number}_\x1b.jpg" for number in range(5)))
    with pytest.raises(DataError) as refused:
        listed(f"folder:{root}", camera_pattern=pattern)
    assert f"finds no camera in 5 of 6 names, first 'b_c1/0_{printable(chr(27))}.jpg', 'b_c1/1_" in str(refused.value)
    assert printable(refused.value, 10_000) == str(refused.value)


def test_names_that_differ_only_in_case_accents_or_spaces_are_told(tmp_path: Path) -> None:
    root = put(
        tmp_path, "Alice/1.jpg", "alice/1.jpg", "J\u00e9r\u00f4me/1.jpg", "Je\u0301ro\u0302me/1.jpg", "alice /1.jpg"
    )
    finding = found(listed(f"folder:{root}"))["names_differ_in_case"]
    assert finding.count == 3
    assert finding.examples == ("Je\u0301ro\u0302me / J\u00e9r\u00f4me", "Alice / alice ", "Alice / alice")
    assert finding.grave


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ((), "holds no picture; folder: wants one folder per identity"),
        (
            ("a/x.txt", "b/y.txt"),
            "holds no picture, 2 files are passed over: they have no picture's ending, or are hidden; folder: ",
        ),
        (("1.jpg", "2.jpg"), "has 2 pictures in no identity's folder, first '1.jpg', '2.jpg'; folder: wants one"),
        (("train/1.jpg", "test/2.jpg"), "has 2 pictures in no identity's folder, first 'test/2.jpg', 'train/1.jpg'"),
        (("alice/1.jpg", "alice/2.jpg"), "all pictures show one identity, 'alice'; at least two are needed"),
    ],
)
def test_a_folder_that_cannot_be_used(tmp_path: Path, paths: tuple[str, ...], message: str) -> None:
    root = put(tmp_path / "x", *paths)
    with pytest.raises(DataError) as refused:
        listed(f"folder:{root}")
    assert message in str(refused.value)


def test_a_tree_of_links_that_lead_out_says_so(tmp_path: Path) -> None:
    root = put(tmp_path / "x", "a/readme")
    (root / "a/1.jpg").symlink_to("/dev/null")
    with pytest.raises(DataError, match=r"holds no picture, 1 link leads out of the folder and is left out, 1 file"):
        listed(f"folder:{root}")


def test_any_name_is_kept_and_travels_as_json(tmp_path: Path) -> None:
    wild = [os.fsencode(text.replace("/", "").replace("\ud800", ""))[:250] for text in HOSTILE]
    for name in wild:
        put(tmp_path, os.fsdecode(name + b"/" + name[:200] + b".jpg"))
    listing = listed(f"folder:{tmp_path}")
    assert sorted(os.fsencode(str(p.identity)) for p in listing.pictures) == sorted(wild)
    assert json.loads(json.dumps(listing.pictures)) == [list(p) for p in listing.pictures]
    assert all((tmp_path / p.path).is_file() for p in listing.pictures)
    assert printable(listing.source, 10_000) == listing.source

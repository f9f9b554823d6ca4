"""The benchmarks' folders and names."""

from __future__ import annotations

from pathlib import Path

import pytest

from reid_tui.errors import DataError
from tests.data.folders.trees import GALLERY, MARKET, QUERY, TRAIN, brief, counts, found, listed, put

DUKE = (
    "bounding_box_train/0001_c2_f0046182.jpg",
    "query/0005_c2_f0046985.jpg",
    "bounding_box_test/0002_c1_f0044158.jpg",
)
VERI = (
    "image_train/0002_c002_00030600_0.jpg",
    "image_query/0001_c001_00016450_0.jpg",
    "image_test/0001_c014_00040750_0.jpg",
)
CUHK = ("bounding_box_train/0003_c1_21.png", "query/0001_c1_1.png", "bounding_box_test/0001_c2_6.png")


def test_market1501(tmp_path: Path) -> None:
    root = put(tmp_path / "Market-1501-v15.09.15", *MARKET, "gt_bbox/0001_c1s1_001051_00.jpg")
    listing = listed(f"market1501:{root}")
    assert brief(listing) == [
        ("bounding_box_test/0000_c1s1_000151_01.jpg", None, "1", GALLERY),
        ("bounding_box_test/0001_c2s1_001976_01.jpg", "0001", "2", GALLERY),
        ("bounding_box_train/0002_c1s1_000451_03.jpg", "0002", "1", TRAIN),
        ("bounding_box_train/0002_c2s1_000801_01.jpg", "0002", "2", TRAIN),
        ("bounding_box_train/0007_c3s3_077419_03.jpg", "0007", "3", TRAIN),
        ("query/0001_c1s1_001051_00.jpg", "0001", "1", QUERY),
    ]
    assert (listing.spec, listing.name) == (f"market1501:{root}", "Market-1501-v15.09.15")
    assert listing.source == f"Market-1501 in {root}"
    assert listing.upright
    assert counts(listing) == {"junk": 1, "distractors": 1, "other_files": 1}
    assert not any(finding.grave for finding in listing.findings)


def test_an_identity_0000_that_is_asked_for_is_no_distractor(tmp_path: Path) -> None:
    own = ("bounding_box_train/0001_c1_1.jpg", "query/0000_c1_1.jpg", "bounding_box_test/0000_c2_1.jpg")
    listing = listed(f"market1501:{put(tmp_path, *own)}")
    assert [identity for _, identity, _, _ in brief(listing)] == ["0000", "0001", "0000"]
    assert listing.findings == ()


@pytest.mark.parametrize(
    ("prefix", "files", "upright", "expected"),
    [
        ("dukemtmc", DUKE, True, [("0002", "1", GALLERY), ("0001", "2", TRAIN), ("0005", "2", QUERY)]),
        ("veri776", VERI, False, [("0001", "001", QUERY), ("0001", "014", GALLERY), ("0002", "002", TRAIN)]),
        ("cuhk03", CUHK, True, [("0001", "2", GALLERY), ("0003", "1", TRAIN), ("0001", "1", QUERY)]),
    ],
)
def test_the_others(
    tmp_path: Path, prefix: str, files: tuple[str, ...], expected: list[tuple[str, str, int]], *, upright: bool
) -> None:
    listing = listed(f"{prefix}:{put(tmp_path, *files)}")
    assert [(identity, camera, role) for _, identity, camera, role in brief(listing)] == expected
    assert listing.upright is upright
    assert listing.findings == ()


def test_of_two_ways_to_cut_cuhk03_one_is_taken_and_told(tmp_path: Path) -> None:
    put(tmp_path / "labeled", *CUHK)
    assert listed(f"cuhk03:{tmp_path}").source == f"CUHK03 in {tmp_path}"
    put(tmp_path / "detected", *CUHK)
    listing = listed(f"cuhk03:{tmp_path}")
    assert listing.source == f"CUHK03 in {tmp_path}, detected and not labeled"
    assert [path for path, *_ in brief(listing)] == sorted(f"detected/{file}" for file in CUHK)


def test_names_that_tell_nothing_are_counted(tmp_path: Path) -> None:
    listing = listed(f"market1501:{put(tmp_path, *MARKET, 'query/me.jpg', 'query/more/0001_c1s1_1.jpg')}")
    assert found(listing)["unread_names"].examples == ("query/me.jpg", "query/more/0001_c1s1_1.jpg")
    assert len(listing.pictures) == 6


def test_a_folder_that_is_not_the_set(tmp_path: Path) -> None:
    put(tmp_path, "bounding_box_train/a.jpg", "query/b\x1b.jpg")
    with pytest.raises(DataError) as refused:
        listed(f"market1501:{tmp_path}")
    assert str(refused.value) == (
        f"{tmp_path} is not Market-1501: it wants the folders bounding_box_train, query, bounding_box_test; name the "
        "folder of the unpacked set"
    )
    with pytest.raises(DataError, match=r"is not CUHK03: it wants .* in detected or labeled; name the folder"):
        listed(f"cuhk03:{tmp_path}")
    put(tmp_path, "bounding_box_test/c.jpg")
    with pytest.raises(DataError) as refused:
        listed(f"market1501:{tmp_path}")
    assert str(refused.value) == (
        f"{tmp_path} has no picture that is named as Market-1501 names them, such as 0002_c1s1_000451_03.jpg, first "
        "'bounding_box_test/c.jpg', 'bounding_box_train/a.jpg', 'query/b\ufffd.jpg'; take folder:PATH for folders of "
        "identities, or csv:FILE"
    )


def test_a_part_of_the_set_that_lies_elsewhere_is_not_followed(tmp_path: Path) -> None:
    put(tmp_path / "set", *MARKET[:3], *MARKET[4:])
    put(tmp_path / "else", "0001_c1s1_001051_00.jpg")
    (tmp_path / "set/query").symlink_to("../else")
    with pytest.raises(DataError, match=r"/set/query is a link out of its folder"):
        listed(f"market1501:{tmp_path / 'set'}")

"""Pixels that are kept, noticed to be old, and mended."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reid_tui.data.folders import cache, decode, index, reading
from reid_tui.data.folders.listing import Box
from reid_tui.errors import DataError
from reid_tui.text import printable
from tests.data.folders.conftest import SIZE, Crops, picture, wanted
from tests.hostile import HOSTILE

pytestmark = pytest.mark.usefixtures("several_parts")


def test_pictures_are_kept(crops: Crops, read: list[str]) -> None:
    crops.put(20)
    first = crops.pixels()
    assert crops.reports[0] == ("reading pictures", 0, 20)
    assert crops.reports[-1] == ("reading pictures", 20, 20)
    assert len(read) == 20
    second = crops.pixels()
    assert crops.reports == []
    assert len(read) == 20
    for found in (first, second):
        np.testing.assert_array_equal(found.images, wanted(*range(20)))
        assert found.images.flags.c_contiguous
        assert found.images.flags.writeable, "torch warns of others"
        assert found.unreadable == {}
        assert found.findings == ()
    np.testing.assert_array_equal(first.digests, second.digests)
    second.images[:] = 0
    np.testing.assert_array_equal(crops.pixels().images, wanted(*range(20)))


def test_only_the_user_may_look(crops: Crops) -> None:
    crops.put(3)
    crops.pixels()
    paths = [crops.home, *crops.home.rglob("*")]
    assert {path.stat().st_mode & 0o777 for path in paths if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in paths if path.is_file()} == {0o600}


def test_digests_tell_which_pixels_are_equal(crops: Crops) -> None:
    crops.put(2)
    crops.put(1, grey=True, start=2)
    shutil.copy(crops.root / "0001.png", crops.root / "0003.png")
    Image.fromarray(picture(2)[..., 0]).convert("RGB").save(crops.root / "0004.png")
    digests = [bytes(digest) for digest in crops.pixels().digests]
    assert digests[1] == digests[3]
    assert digests[2] == digests[4]
    assert len(set(digests)) == 3


def test_grey_until_a_picture_has_colour(crops: Crops) -> None:
    crops.put(10, grey=True)
    grey = wanted(*range(10))[:, :1]
    np.testing.assert_array_equal(crops.pixels().images, grey)
    crops.put(1, start=10)
    for _ in range(2):
        found = crops.pixels().images
        np.testing.assert_array_equal(found[:10], np.repeat(grey, 3, axis=1))
        np.testing.assert_array_equal(found[10:], wanted(10))
    (crops.root / "0010.png").unlink()
    np.testing.assert_array_equal(crops.pixels().images, grey)


def test_what_changed_is_read_and_the_rest_copied(crops: Crops, read: list[str]) -> None:
    crops.put(12)
    crops.pixels()
    read.clear()
    (crops.root / "0003.png").unlink()
    Image.fromarray(picture(77)).save(crops.root / "0005.png")
    os.utime(crops.root / "0005.png", ns=(1, 1))
    crops.put(1, start=30)
    found = crops.pixels()
    assert sorted(read) == ["0005.png", "0030.png"]
    np.testing.assert_array_equal(found.images, wanted(0, 1, 2, 4, 77, *range(6, 12), 30))
    assert len(crops.generations()) == 1
    fresh = tuple(bytes(digest) for digest in found.digests)
    cache.forget(crops.spec)
    assert tuple(bytes(digest) for digest in crops.pixels().digests) == fresh


def test_a_file_that_changed_since_it_was_listed_is_kept_as_it_is(crops: Crops, read: list[str]) -> None:
    crops.put(4)
    listing = crops.listing()
    Image.fromarray(picture(50)).save(crops.root / "0002.png")
    os.utime(crops.root / "0002.png", ns=(5, 5))
    cache.pixels(listing, SIZE, crops.report)
    read.clear()
    np.testing.assert_array_equal(crops.pixels().images, wanted(0, 1, 50, 3))
    assert read == []


def test_each_size_has_its_own(crops: Crops) -> None:
    crops.put(3)
    assert crops.pixels("8x8").images.shape == (3, 3, 8, 8)
    assert crops.pixels().images.shape == (3, 3, 6, 4)
    crops.pixels("8x8")
    assert not crops.read_again


def test_boxes(crops: Crops, read: list[str]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    Image.fromarray(image).save(crops.root / "frame.png")
    one = crops.listing().pictures[0]
    boxes = [Box(0, 0, 4, 6), Box(9, 11, 4, 6), Box(16, 24, 4, 6)]

    def found(boxes: list[Box]) -> np.ndarray:
        listing = crops.listing()
        pictures = tuple(one._replace(box=box) for box in boxes)
        return cache.pixels(type(listing)(listing.spec, "", "", listing.root, pictures), SIZE, crops.report).images

    for _ in range(2):
        for box, pixels in zip(boxes, found(boxes), strict=True):
            shown = image[box.y : box.y + 6, box.x : box.x + 4]
            np.testing.assert_array_equal(pixels, shown.transpose(2, 0, 1))
    assert read == ["frame.png"], "once for all its boxes"
    np.testing.assert_array_equal(found([Box(1, 0, 4, 6)])[0], image[:6, 1:5].transpose(2, 0, 1))


def cut(path: Path) -> None:
    os.truncate(path / "pixels", (path / "pixels").stat().st_size - 1)


def flip(place: int) -> Callable[[Path], None]:
    def work(path: Path) -> None:
        content = bytearray((path / "index").read_bytes())
        content[place] ^= 1
        (path / "index").write_bytes(content)

    return work


def foreign(path: Path) -> None:
    known = index.decode_index((path / "index").read_bytes(), None, (6, 4))
    version, index.VERSION = index.VERSION, 999  # type: ignore[misc]
    (path / "index").write_bytes(known.encode((6, 4)))
    index.VERSION = version  # type: ignore[misc]


DAMAGES: dict[str, Callable[[Path], object]] = {
    "pixels cut": cut,
    "pixels gone": lambda path: (path / "pixels").unlink(),
    "index empty": lambda path: (path / "index").write_bytes(b""),
    "index cut": lambda path: os.truncate(path / "index", 300),
    "another version": foreign,
    "index a folder": lambda path: ((path / "index").unlink(), (path / "index").mkdir()),
    **{f"byte {place} flipped": flip(place) for place in (0, 7, 20, 120, 250, -40, -1)},
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_made_again(crops: Crops, damage: str) -> None:
    crops.put(5)
    crops.pixels()
    DAMAGES[damage](crops.generations()[0])
    np.testing.assert_array_equal(crops.pixels().images, wanted(*range(5)))
    told = [text for text, _, _ in crops.reports if text != "reading pictures"]
    assert told == ["what was kept of these pictures is damaged; they are read again"]
    assert crops.read_again
    crops.pixels()
    assert not crops.read_again


def test_unreadable_pictures_are_left_out_and_listed(crops: Crops, read: list[str]) -> None:
    crops.put(30)
    (crops.root / "0007.png").write_bytes(b"no picture")
    for _ in range(2):
        found = crops.pixels()
        assert found.unreadable == {7: "no picture of a known format"}
        assert not found.images[7].any()
        assert not found.digests[7].any()
        np.testing.assert_array_equal(found.images[8:], wanted(*range(8, 30)))
        (finding,) = found.findings
        assert (finding.code, finding.count, finding.examples, finding.grave) == ("unreadable", 1, ("0007.png",), True)
        listed = crops.kept / "unreadable.txt"
        assert str(listed) in finding.text
        assert listed.read_text() == "0007.png\tno picture of a known format\n"
    assert len(read) == 30
    (crops.root / "0007.png").unlink()
    assert crops.pixels().findings == ()
    assert not listed.exists()


def test_too_large_pictures_are_a_finding_of_their_own(crops: Crops, monkeypatch: pytest.MonkeyPatch) -> None:
    crops.put(30)
    monkeypatch.setattr(decode, "LARGEST_PIXELS", 30)
    Image.new("RGB", (8, 4)).save(crops.root / "0003.png")
    for _ in range(2):
        (finding,) = crops.pixels().findings
        assert (finding.code, finding.count, finding.examples) == ("too_large", 1, ("0003.png",))


def test_too_many_unreadable_pictures_stop(crops: Crops) -> None:
    crops.put(39)
    for name in ("0004.png", "0011.png", "z\x1b[31m.png"):
        (crops.root / name).write_bytes(b"")
    for _ in range(2):
        with pytest.raises(DataError) as told:
            crops.pixels()
        assert str(told.value) == printable(told.value, 1000)
        assert str(told.value).startswith(
            "3 of the 40 pictures cannot be read, and at most 5% may be left out (0004.png:"
        )
        assert "z\ufffd[31m.png: empty file" in str(told.value)
        assert str(crops.kept / "unreadable.txt") in str(told.value)
    crops.put(1, start=4)
    assert crops.pixels().unreadable.keys() == {11, 39}


def test_no_readable_picture(crops: Crops) -> None:
    (crops.root / "a.png").write_bytes(b"x")
    with pytest.raises(DataError, match=r"^none of the 1 pictures can be read \(a.png: no picture of a known format"):
        crops.pixels()


def test_what_could_not_be_read_is_tried_again(crops: Crops, read: list[str]) -> None:
    crops.put(30)
    listing = crops.listing()
    away = crops.root.with_name("away.png")
    (crops.root / "0009.png").rename(away)
    for _ in range(2):
        found = cache.pixels(listing, SIZE, crops.report)
        assert found.unreadable == {9: "No such file or directory"}
    assert read.count("0009.png") == 1
    away.rename(crops.root / "0009.png")
    read.clear()
    for _ in range(2):
        found = cache.pixels(listing, SIZE, crops.report)
        np.testing.assert_array_equal(found.images, wanted(*range(30)))
        assert read == ["0009.png"]


def test_a_fifo_is_not_waited_for(crops: Crops) -> None:
    crops.put(30)
    (crops.root / "0009.png").unlink()
    os.mkfifo(crops.root / "0009.png")
    assert crops.pixels().unreadable == {9: "no regular file"}


@pytest.mark.parametrize("changes", [1, 2])
def test_a_picture_that_changes_while_it_is_read(crops: Crops, monkeypatch: pytest.MonkeyPatch, changes: int) -> None:
    crops.put(30)
    left, whole = [changes], reading._all

    def unsteady(descriptor: int, size: int) -> bytes:
        content = whole(descriptor, size)
        if left[0] and content == (crops.root / "0009.png").read_bytes():
            left[0] -= 1
            os.utime(crops.root / "0009.png", ns=(left[0], left[0]))
        return content

    monkeypatch.setattr(reading, "_all", unsteady)
    assert crops.pixels().unreadable == ({9: "changed while it was read"} if changes > 1 else {})


def test_names_are_shown_harmlessly_and_come_back(crops: Crops) -> None:
    names = [name.replace("/", "_")[:60] for name in HOSTILE if "\ud800" not in name] + ["x" * 255]
    names.append(os.fsdecode(b"\xff\xfe.png"))
    for name in names:
        Image.fromarray(picture(1)).save(crops.root / "new.png")
        (crops.root / "new.png").rename(crops.root / name)
    assert crops.pixels().unreadable == {}
    for name in names:
        (crops.root / name).write_bytes(b"")
    with pytest.raises(DataError) as told:
        crops.pixels()
    assert str(told.value) == printable(told.value, 2000)
    listed = [line.split("\t")[0] for line in (crops.kept / "unreadable.txt").read_text().splitlines()]
    assert sorted(json.loads(f'"{name}"') for name in listed) == sorted(names)


def test_forgetting(crops: Crops) -> None:
    assert cache.kept(crops.spec).size == 0
    assert cache.forget(crops.spec) == 0
    crops.put(10)
    crops.pixels()
    crops.pixels("8x8")
    found = cache.kept(crops.spec)
    assert found.folder == crops.kept.parent
    assert found.size > 10 * 3 * (6 * 4 + 8 * 8)
    assert cache.kept(f"{crops.spec}/") == (0, found.folder.with_name(cache.kept(f"{crops.spec}/").folder.name))
    mapped = crops.pixels().images
    assert cache.forget(crops.spec) == found.size
    assert not found.folder.exists()
    np.testing.assert_array_equal(mapped, wanted(*range(10)))

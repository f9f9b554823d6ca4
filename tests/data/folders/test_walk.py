"""A walk lists regular files with a picture's ending, waits for nothing, and leaves the folder by no link."""

from __future__ import annotations

import contextlib
import os
import random
import socket
from pathlib import Path

import pytest

from reid_tui.data.folders import walk as walk_module
from reid_tui.data.folders.walk import walk
from reid_tui.errors import DataError
from tests.another_user import as_another_user
from tests.data.folders.trees import put, quiet


def paths(root: Path) -> list[str]:
    return [file.path for file in walk(root, quiet).files]


def noticed(root: Path) -> dict[str, tuple[int, tuple[str, ...]]]:
    return {finding.code: (finding.count, finding.examples) for finding in walk(root, quiet).findings}


def test_pictures_are_told_by_their_ending_in_any_case(tmp_path: Path) -> None:
    kept = ["a/1.PNG", "a/2.jpg", "a/3.JpEg", "a/4.jpe", "a/5.bmp", "a/6.pgm", "a/7.ppm", "a/8.pnm", "a/9.webp"]
    kept += ["b/1.tif", "b/2.TIFF", "b/3.gif"]
    other = [".hidden/x.png", "__MACOSX/x.png", "a/.DS_Store", "a/._1.jpg", "a/Thumbs.db", "a/jpg", "a/x.txt"]
    put(tmp_path, *kept, *other)
    assert paths(tmp_path) == kept
    assert noticed(tmp_path) == {"other_files": (7, (".hidden", "__MACOSX", "a/.DS_Store"))}


def test_size_and_time_are_those_of_the_file(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png")
    (tmp_path / "a/1.png").write_bytes(b"12345")
    os.utime(tmp_path / "a/1.png", ns=(1, 1_700_000_000_123_456_789))
    (tmp_path / "a/2.png").symlink_to("1.png")
    assert [(f.size, f.changed_ns) for f in walk(tmp_path, quiet).files] == [(5, 1_700_000_000_123_456_789)] * 2


def test_what_is_no_file_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "a/1.png")
    os.mkfifo(tmp_path / "a/fifo.png")
    (tmp_path / "a/nothing.png").symlink_to("missing.png")
    (tmp_path / "a/itself.png").symlink_to("itself.png")
    (tmp_path / "a/pipe.png").symlink_to("fifo.png")
    (tmp_path / "a/device.png").symlink_to("/dev/zero")
    monkeypatch.chdir(tmp_path / "a")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket.png")
        assert paths(tmp_path) == ["a/1.png"]
    assert noticed(tmp_path) == {
        "links_outside": (1, ("a/device.png",)),
        "not_regular": (5, ("a/fifo.png", "a/itself.png", "a/nothing.png")),
    }


def test_no_link_leads_out_and_no_loop_goes_on(tmp_path: Path) -> None:
    put(tmp_path / "outside", "secret.png")
    put(tmp_path / "outside-too", "1.png")
    root = put(tmp_path / "out", "a/1.png", "b/2.png", ".store/3.png")
    (root / "a/secret.png").symlink_to(tmp_path / "outside/secret.png")
    (root / "a/beside.png").symlink_to("../../outside-too/1.png")
    (root / "c").symlink_to(tmp_path / "outside")
    (root / "a/up").symlink_to("..")
    (root / "a/b").symlink_to("../b")
    (root / "b/a").symlink_to("../a")
    (root / "b/same.png").symlink_to("../a/1.png")
    (root / "b/stored.png").symlink_to("../.store/3.png")
    (root / "b/stored.txt").symlink_to("../.store/3.png")
    assert paths(root) == ["a/1.png", "b/2.png", "b/same.png", "b/stored.png"]
    assert noticed(root) == {
        "links_outside": (3, ("a/beside.png", "a/secret.png", "c")),
        "folder_links": (3, ("a/b", "a/up", "b/a")),
        "other_files": (2, (".store", "b/stored.txt")),
    }
    with pytest.raises(DataError, match=r"/out/c is a link out of its folder, which is not followed; move it there"):
        walk(root, quiet, ("a", "c"))


def test_the_order_is_that_of_the_bytes(tmp_path: Path) -> None:
    names = ["Z.png", "a.png", "é.png", "\udcff.png", "🙂.png", "\ufb01.png", "a/b.png", "a-b.png"]
    random.Random(0).shuffle(names)
    put(tmp_path, *names)
    assert paths(tmp_path) == sorted(names, key=lambda name: name.encode("utf-8", "surrogateescape"))


def test_a_folder_that_may_not_be_read_is_counted(tmp_path: Path) -> None:
    put(tmp_path, "open/1.png", "shut/2.png")
    (tmp_path / "shut").chmod(0)
    code = """
import os
from pathlib import Path
from reid_tui.data.folders.walk import walk
from reid_tui.errors import DataError
become()
walked = walk(Path("."), lambda *_: None)
print([f.path for f in walked.files], [(f.code, f.count, f.examples) for f in walked.findings])
try:
    walk(Path("shut"), lambda *_: None)
except DataError as error:
    print(error)
"""
    assert as_another_user(code, tmp_path).splitlines() == [
        "['open/1.png'] [('unreadable_folders', 1, ('shut/',))]",
        "shut cannot be read as a folder: Permission denied; see that it is a folder and that you may read it",
    ]


def test_the_walk_tells_how_far_it_is_and_can_be_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk_module, "TOLD_EVERY", 2)
    put(tmp_path, *(f"{number}.png" for number in range(5)))
    lines: list[str] = []
    walk(tmp_path, lambda text, *_: lines.append(text))
    assert lines == [f"looking through {tmp_path}: {count} pictures" for count in (0, 2, 4)]

    def enough(text: str, done: int = 0, total: int = 0) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        walk(tmp_path, enough)


def test_a_tree_deeper_than_any_path(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png")
    with contextlib.chdir(tmp_path):
        for _ in range(20):
            Path("d" * 250).mkdir()
            os.chdir("d" * 250)
    assert paths(tmp_path) == ["a/1.png"]
    assert noticed(tmp_path)["unreadable_folders"][0] == 1

"""A cache of pictures that is broken off, shared, or has no room."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np
import platformdirs
import pytest

from reid_tui.data.folders import cache, generations
from reid_tui.errors import DataError
from tests.data.folders.conftest import SIZE, Crops, wanted
from tests.faults import limited_files, small_disk

pytestmark = pytest.mark.usefixtures("several_parts")


def in_child(work: Callable[[], object]) -> int:
    """Its process id; it ends with 0 when `work` returned."""
    if pid := os.fork():
        return pid
    try:
        work()
        os._exit(0)
    finally:
        os._exit(1)


class Stop(BaseException):
    """As a signal handler raises it."""


def test_a_stop_in_the_middle_leaves_nothing(crops: Crops) -> None:
    crops.put(100)

    def stop(text: str, done: int = 0, total: int = 0) -> None:
        if done:
            raise Stop

    before = threading.active_count()
    with pytest.raises(Stop):
        cache.pixels(crops.listing(), SIZE, stop)
    assert threading.active_count() == before
    assert list(crops.kept.iterdir()) == []


def test_what_a_report_raises_is_not_taken_for_a_full_disk(crops: Crops) -> None:
    crops.put(4)

    def broken(text: str, done: int = 0, total: int = 0) -> NoReturn:
        raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        cache.pixels(crops.listing(), SIZE, broken)


def test_a_kill_in_the_middle_leaves_nothing_that_is_taken_for_whole(crops: Crops) -> None:
    crops.put(100)

    def kill(text: str, done: int = 0, total: int = 0) -> None:
        if done:
            os.kill(os.getpid(), signal.SIGKILL)

    pid = in_child(lambda: cache.pixels(crops.listing(), SIZE, kill))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    (left,) = crops.generations()
    np.testing.assert_array_equal(crops.pixels().images, wanted(*range(100)))
    assert crops.read_again
    assert left.exists(), "another process might be about to write there"
    os.utime(left, (time.time() - 100,) * 2)
    crops.pixels()
    assert not crops.read_again
    assert not left.exists()


def test_what_another_process_writes_is_left_alone(crops: Crops, monkeypatch: pytest.MonkeyPatch) -> None:
    crops.put(50)
    monkeypatch.setattr(generations, "_ABANDONED_S", -1.0)
    beside: list[int] = []

    def look(text: str, done: int = 0, total: int = 0) -> None:
        if not beside:
            beside.append(in_child(lambda: crops.pixels()))
            assert os.waitpid(beside[0], 0)[1] == 0

    found = cache.pixels(crops.listing(), SIZE, look)
    np.testing.assert_array_equal(found.images, wanted(*range(50)))
    assert found.findings == ()
    assert len(crops.generations()) == 1
    crops.pixels()
    assert not crops.read_again


def test_two_processes_fill_at_once(crops: Crops) -> None:
    crops.put(40)
    gate, go = os.pipe()

    def work() -> None:
        os.close(go)
        os.read(gate, 1)
        found = crops.pixels()
        assert found.findings == ()
        np.testing.assert_array_equal(found.images, wanted(*range(40)))

    children = [in_child(work) for _ in range(3)]
    os.close(go)
    os.close(gate)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
    assert len(list(crops.kept.iterdir())) == 1
    crops.pixels()
    assert not crops.read_again


def without_cache(crops: Crops, said: str) -> None:
    """The pixels are right, the reason is told, and nothing half written stays."""
    count = len(list(crops.root.iterdir()))
    found = crops.pixels()
    np.testing.assert_array_equal(found.images, wanted(*range(count)))
    assert found.images.flags.writeable
    (finding,) = found.findings
    assert (finding.code, finding.count) == ("cache_off", 1)
    assert said in finding.text
    assert not list(crops.home.rglob(".filling-*"))


def test_a_full_disk_is_seen_before_it_is_filled(crops: Crops, read: list[str]) -> None:
    crops.put(500)
    crops.home.mkdir()
    with small_disk(crops.home, 4 << 10):
        without_cache(crops, "No space left on device; free some space")
    assert len(read) == 500
    assert crops.pixels().findings == ()


@pytest.mark.parametrize("largest", [0, 1 << 30])
def test_a_disk_that_turns_out_to_be_full(crops: Crops, monkeypatch: pytest.MonkeyPatch, largest: int) -> None:
    """The kernel refuses a write that there seemed to be room for, and another place is found."""
    crops.put(500)
    monkeypatch.setattr(cache, "LARGEST_IN_MEMORY", largest)
    crops.home.mkdir()
    with small_disk(crops.home, 16 << 10):
        monkeypatch.setattr(os, "fstatvfs", lambda descriptor: os.statvfs("/"))
        without_cache(crops, "No space left on device")


def test_a_limit_on_files(crops: Crops) -> None:
    crops.put(300)
    with limited_files(10_000):
        without_cache(crops, "allow larger files with 'ulimit -f'")


def test_what_is_kept_is_used_where_nothing_can_be_added(crops: Crops, read: list[str]) -> None:
    crops.put(300)
    crops.pixels()
    read.clear()
    os.utime(crops.root / "0100.png", ns=(1, 1))
    with limited_files(10_000):
        without_cache(crops, "File too large")
    assert set(read) == {"0100.png"}
    crops.pixels()
    assert set(read) == {"0100.png"}


def test_no_room_anywhere(crops: Crops, monkeypatch: pytest.MonkeyPatch) -> None:
    crops.put(300)
    monkeypatch.setattr(cache, "LARGEST_IN_MEMORY", 0)
    with (
        limited_files(10_000),
        pytest.raises(DataError, match=r"no room for 0.0 GB of pixels: File too large; name an"),
    ):
        crops.pixels()
    monkeypatch.setattr(tempfile, "tempdir", str(crops.root / "nowhere"))
    shutil.rmtree(crops.home)
    crops.home.write_text("")
    with pytest.raises(DataError, match=r"no room for .*No such file"):
        crops.pixels()


def test_a_file_where_the_folder_should_be(crops: Crops) -> None:
    crops.put(3)
    crops.home.write_text("")
    without_cache(crops, "Not a directory")


def test_no_home(crops: Crops, monkeypatch: pytest.MonkeyPatch) -> None:
    crops.put(3)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: Path("~/.cache/reid-tui"))
    without_cache(crops, "you have no home folder")
    assert not Path("~").exists()

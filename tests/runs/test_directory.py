from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from reid_tui.errors import RunError
from reid_tui.runs.directory import RunDirectory, check_writable, create_run, locate_run, run_folders, tidy
from reid_tui.runs.lock import RunLock
from tests.faults import limited_files, small_disk


def made(runs: Path, name: str) -> RunDirectory:
    run = create_run(runs, name)
    run.write_config({"run": run.name})
    return run


def test_private_and_two_in_one_second_do_not_collide(tmp_path: Path) -> None:
    one, two = made(tmp_path / "runs", "a"), made(tmp_path / "runs", "a")
    assert one.path != two.path
    assert one.name.endswith("-a")
    assert two.name.endswith("-a"), "found by its name too"
    for path in (one.path, one.checkpoints, one.embeddings):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE(one.config.stat().st_mode) == 0o600


def test_found_by_path_name_short_name_and_latest(tmp_path: Path) -> None:
    first = tmp_path / "20260101-000000-first"
    second = tmp_path / "20260102-000000-second"
    for path in (first, second):
        path.mkdir()
        (path / "config.json").write_text("{}")
    assert locate_run(str(first), tmp_path) == first
    assert locate_run(first.name, tmp_path) == first
    assert locate_run("first", tmp_path) == first
    assert locate_run("latest", tmp_path) == second
    assert locate_run(f"{tmp_path}/latest", tmp_path / "elsewhere") == second
    (tmp_path / "latest").symlink_to(first)
    assert locate_run(f"{tmp_path}/latest", tmp_path / "elsewhere") == tmp_path / "latest"


def test_a_run_that_still_loads_is_found_by_who_asks_for_it(tmp_path: Path) -> None:
    made(tmp_path, "whole")
    loading = tmp_path / "29991231-000000-loading"
    loading.mkdir()
    RunLock(RunDirectory(loading).lock).release()
    for spec in ("loading", loading.name, str(loading), "latest"):
        assert locate_run(spec, tmp_path, begun=False) == loading
    assert locate_run("latest", tmp_path).name.endswith("-whole")
    with pytest.raises(RunError, match="no run 'loading'"):
        locate_run("loading", tmp_path)


@pytest.mark.parametrize(
    ("spec", "words"), [("nope", "no run 'nope'"), ("latest", "no run in"), ("a/latest", "no run in 'a'")]
)
def test_missing(spec: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=words):
        locate_run(spec, tmp_path)


def test_a_name_that_two_runs_have_is_refused(tmp_path: Path) -> None:
    for day in (1, 2):
        path = tmp_path / f"2026010{day}-000000-same"
        path.mkdir()
        (path / "config.json").write_text("{}")
    with pytest.raises(RunError, match="2 runs are named 'same'"):
        locate_run("same", tmp_path)


def test_what_is_no_run_beside_the_runs_hides_none(tmp_path: Path) -> None:
    run = made(tmp_path, "a")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "file").write_text("")
    assert run_folders(tmp_path) == [run.path]
    assert locate_run("a", tmp_path) == run.path


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    run = made(tmp_path, "a")
    (run.checkpoints / ".tmp-step-00000001.safetensors").write_bytes(b"half")
    tidy(run)
    assert not list(run.checkpoints.iterdir())


def test_unwritable(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(RunError, match=r"cannot write to the runs folder .*--runs-dir"):
        check_writable(file / "runs")
    if os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(RunError, match="Permission denied"):
            create_run(tmp_path / "locked", "a")


def test_looking_leaves_nothing_and_takes_nothing_away(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "runs")
    assert not list(tmp_path.iterdir())
    (tmp_path / "mine").mkdir()
    check_writable(tmp_path / "mine")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_full_disk_is_found_before_a_run_is_made(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, 64 * 1024):
        (disk / "rubbish").write_bytes(bytes(64 * 1024))
        for look in (check_writable, lambda folder: create_run(folder, "a")):
            with pytest.raises(RunError, match=r"cannot write .* No space left on device; name another"):
                look(disk / "runs")
        assert [path.name for path in disk.iterdir()] == ["rubbish"]


def test_a_lock_that_cannot_name_its_process(tmp_path: Path) -> None:
    with (
        limited_files(0),
        pytest.raises(RunError, match=r"cannot lock the run .*File too large; allow larger files with 'ulimit -f', or"),
    ):
        RunLock(tmp_path / "lock")
    RunLock(tmp_path / "lock").release()


def test_two_writers_of_one_run(tmp_path: Path) -> None:
    lock = RunLock(tmp_path / "lock")
    with pytest.raises(RunError, match=f"process {os.getpid()}"):
        RunLock(tmp_path / "lock")
    lock.release()
    RunLock(tmp_path / "lock").release()


def test_a_file_system_without_locks_is_not_taken_for_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(RunError, match=r"cannot lock the run .*: No locks available; .* another one with --runs-dir"):
        RunLock(tmp_path / "lock")


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(RunError, match="cannot lock the run"):
        RunLock(tmp_path / "lock")
    assert (tmp_path / "precious").read_text() == "kept"

"""Where the socket lies, and how it is found."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from pathlib import Path

import pytest

from reid_tui.control import endpoint
from reid_tui.control.endpoint import LONGEST_PATH, commander
from reid_tui.control.server import socket_path
from reid_tui.errors import RunError
from reid_tui.runs.directory import RunDirectory
from reid_tui.runs.lock import RunLock, holder, told_socket
from tests.another_user import UID, as_another_user
from tests.control.lines import OK, PAUSE, connected, serving

LONG = "long-" * 30


@pytest.fixture
def temporary(short: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What stands for the system's folder of temporary files."""
    folder = short / "tmp"
    folder.mkdir(mode=0o777)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    return folder


def private(parent: Path) -> Path:
    return parent / f"reid-tui-{os.geteuid()}"


def test_it_lies_in_the_run_and_is_found_after_the_folder_was_moved(short: Path) -> None:
    with serving(short / "run") as served:
        assert served.server.path == short / "run" / "control.sock"
        assert socket_path(served.run) == served.server.path
        assert holder(served.run.lock) == os.getpid()
        moved = RunDirectory(served.run.path.rename(short / "moved"))
        with connected(moved) as line:
            assert line.ask(PAUSE) == OK
        (short / "moved").rename(short / "run")


def test_a_path_that_is_too_long(short: Path, temporary: Path) -> None:
    with serving(short / LONG) as served, serving(short / f"{LONG}b") as other:
        path = served.server.path
        assert path.parent == private(temporary)
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert len(os.fsencode(path)) <= LONGEST_PATH
        assert socket_path(served.run) == path
        assert other.server.path.parent == path.parent
        assert other.server.path != path
        with connected(served.run) as line:
            assert line.ask(PAUSE) == OK
        assert len(served.taken) == 1
    assert list(private(temporary).iterdir()) == []


@pytest.mark.parametrize("folder", ["run", LONG], ids=["in the run", "in a private folder"])
def test_whose_commands_are_taken_is_seen_by_others(folder: str, short: Path, temporary: Path) -> None:
    with serving(short / folder) as served:
        assert commander(served.run) == os.geteuid()
        for path in (served.run.path, served.run.lock):
            path.chmod(0o755)
        code = f"""
from pathlib import Path
from reid_tui.control.endpoint import commander
from reid_tui.runs.directory import RunDirectory
become()
print(commander(RunDirectory(Path({folder!r}))), commander(RunDirectory(Path("none"))))
"""
        assert as_another_user(code, short) == f"{os.geteuid()} {UID}\n"
    assert commander(served.run) == os.geteuid(), "of the lock"


def test_without_a_folder_for_temporary_files_the_runtime_folder_is_taken(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    with serving(short / LONG) as served:
        assert served.server.path.parent == short / "reid-tui"


def test_the_longest_path_that_fits(short: Path, temporary: Path) -> None:
    room = LONGEST_PATH - len(os.fsencode(short / "x" / "control.sock")) + 1
    with serving(short / ("x" * room)) as served, connected(served.run) as line:
        assert len(os.fsencode(served.server.path)) == LONGEST_PATH
        assert line.ask(PAUSE) == OK
    with serving(short / ("x" * (room + 1))) as served:
        assert served.server.path.parent == private(temporary)


def test_names_of_any_bytes(short: Path) -> None:
    with serving(short / os.fsdecode(b"line\nbreak \xff")) as served, connected(served.run) as line:
        assert line.ask(PAUSE) == OK


def test_what_a_dead_process_left_is_replaced(short: Path) -> None:
    (short / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(short / "run" / "control.sock"))
    with serving(short / "run") as served, connected(served.run) as line:
        assert served.server.path.parent == short / "run"
        assert line.ask(PAUSE) == OK


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_no_socket_is_left_alone(short: Path, temporary: Path, kind: str) -> None:
    path = short / "run" / "control.sock"
    path.parent.mkdir()
    precious = short / "precious"
    precious.write_text("kept")
    {"file": lambda: path.write_text("kept"), "folder": path.mkdir, "link": lambda: path.symlink_to(precious)}[kind]()
    with serving(short / "run") as served, connected(served.run) as line:
        assert served.server.path.parent == private(temporary)
        assert line.ask(PAUSE) == OK
    assert os.path.lexists(path)
    assert precious.read_text() == "kept"


def make_bad(folder: Path, kind: str) -> None:
    match kind:
        case "link":
            target = folder.with_name("elsewhere")
            target.mkdir(mode=0o700)
            folder.symlink_to(target)
        case "dangling":
            folder.symlink_to(folder.with_name("nowhere"))
        case "file":
            folder.write_text("")
        case "open":
            folder.mkdir()
            folder.chmod(0o750)
        case "foreign":
            if os.geteuid() != 0:
                pytest.skip("only root can give a folder away")
            folder.mkdir(mode=0o700)
            os.chown(folder, 65534, 65534)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("link", "not a real folder"),
        ("dangling", "not a real folder"),
        ("file", "not a real folder"),
        ("open", "open to others"),
        ("foreign", "belongs to user 65534"),
    ],
)
def test_a_runtime_folder_that_others_may_reach_is_refused(
    short: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch, kind: str, words: str
) -> None:
    make_bad(private(temporary), kind)
    with pytest.raises(RunError, match=words) as raised, serving(short / LONG):
        pass
    assert "attach" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not [path for path in short.rglob("*") if path.is_socket()]

    runtime = short / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    with serving(short / LONG) as served, connected(served.run) as line:
        assert served.server.path.parent == runtime / "reid-tui"
        assert line.ask(PAUSE) == OK
    make_bad(short / "second", kind)
    served.server.path.parent.rmdir()
    (short / "second").rename(runtime / "reid-tui")
    with pytest.raises(RunError, match=words), serving(short / LONG):
        pass


def test_a_system_that_does_not_know_its_peers(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "_KNOWS_PEERS", False)
    with pytest.raises(RunError, match="does not say which user connects"), serving(short / "run"):
        pass
    assert [path.name for path in (short / "run").iterdir()] == ["lock"]


def test_a_lock_tells_only_while_it_is_held(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert told_socket(path) is None
    lock = RunLock(path)
    assert told_socket(path) is None
    lock.tell(Path("/somewhere/else.sock"))
    assert told_socket(path) == Path("/somewhere/else.sock")
    assert holder(path) == os.getpid()
    with pytest.raises(RunError, match=f"process {os.getpid()};"):
        RunLock(path)
    lock.release()
    assert told_socket(path) is None
    assert path.read_text() == f"{os.getpid()}\n/somewhere/else.sock\n"
    lock = RunLock(path)
    assert told_socket(path) is None, "the holder has told nothing yet"
    lock.release()

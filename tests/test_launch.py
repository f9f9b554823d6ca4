"""The parent, with real processes: exit codes, signals handed on, letting go, and a terminal restored after a kill."""

from __future__ import annotations

import importlib.util
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from reid_tui.launch import _LEAVE_SCREEN
from tests.conftest import ends_within
from tests.faults import read_until

BEGIN = """
import os, pathlib, signal, sys, time
from reid_tui.launch import tethered
folder = pathlib.Path(sys.argv[1])
def note(name, text="x"):
    (folder / f".{name}").write_text(str(text)); (folder / f".{name}").rename(folder / name)
"""


def start(folder: Path, work: str, **options: object) -> subprocess.Popen[bytes]:
    code = f"{BEGIN}\ndef work(tether):\n" + "\n".join(f"    {line}" for line in work.strip().splitlines())
    code += "\ncode = tethered(work)\nsys.stdout.flush(); os._exit(code)\n"
    return subprocess.Popen([sys.executable, "-c", code, str(folder)], stderr=subprocess.PIPE, **options)  # type: ignore[call-overload]


def until(path: Path) -> str:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"no {path.name}"
        time.sleep(0.01)
    return path.read_text()


def test_the_childs_code_is_the_parents(tmp_path: Path) -> None:
    process = start(tmp_path, "return 3")
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (3, b"")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGXCPU", "SIGUSR1", "SIGUSR2"])
def test_signals_to_the_parent_reach_the_child(name: str, tmp_path: Path) -> None:
    process = start(
        tmp_path,
        f"""
signal.signal(signal.{name}, lambda *_: (note("got"), os._exit(7)))
note("ready")
while True: time.sleep(0.01)
""",
    )
    until(tmp_path / "ready")
    process.send_signal(signal.Signals[name])
    process.communicate(timeout=30)
    assert process.returncode == 7
    assert (tmp_path / "got").exists()


def test_signals_to_both_end_nobody(tmp_path: Path) -> None:
    """As ctrl+\\ does, or a batch system: the whole process group gets them."""
    process = start(
        tmp_path,
        """
note("ready")
while not (folder / "go").exists(): time.sleep(0.01)
return 5
""",
        start_new_session=True,
    )
    until(tmp_path / "ready")
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT):
        os.killpg(process.pid, number)
    assert process.stderr is not None
    told = read_until(process.stderr.fileno(), b"in work")
    (tmp_path / "go").touch()
    _, rest = process.communicate(timeout=30)
    assert process.returncode == 5
    assert (told + rest).count(b"thread MainThread") == 1


def test_letting_go_gives_the_prompt_back_and_the_child_lives_on_in_its_own_session(tmp_path: Path) -> None:
    process = start(
        tmp_path,
        """
note("pid", os.getpid())
tether.let_go("detached; come back with: reid-tui attach x")
os.dup2(os.open(os.devnull, os.O_RDWR), 2)
while not (folder / "go").exists(): time.sleep(0.01)
note("session", f"{os.getsid(0)} {os.getpid()}")
return 5
""",
    )
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, b"reid-tui: detached; come back with: reid-tui attach x\n")
    child = int(until(tmp_path / "pid"))
    os.kill(child, 0)
    (tmp_path / "go").touch()
    session, pid = until(tmp_path / "session").split()
    assert session == pid == str(child)
    assert ends_within(child, 30)


def test_a_killed_child_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    process = start(
        tmp_path,
        """
import tty
tty.setraw(0)
note("pid", os.getpid())
while True: signal.pause()
""",
        stdin=slave,
    )
    child = int(until(tmp_path / "pid"))
    assert termios.tcgetattr(slave) != before
    os.kill(child, signal.SIGKILL)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 137
    assert b"killed by SIGKILL" in err
    assert b"\x1b[?1049l" in err
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


def test_every_mode_that_textual_turns_is_turned_back() -> None:
    driver = importlib.util.find_spec("textual.drivers.linux_driver")
    assert driver is not None
    assert driver.origin is not None
    modes = set(re.findall(r"^ *[a-z][^#\n]*\[\?(\d+)[hl]", Path(driver.origin).read_text(), re.MULTILINE))
    on_before = {"7", "25"}  # line wrap and cursor
    assert len(modes) > 8
    assert not {mode for mode in modes if f"\x1b[?{mode}{'h' if mode in on_before else 'l'}" not in _LEAVE_SCREEN}

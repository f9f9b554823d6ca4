"""Signals before there is anything to save, and what SIGQUIT tells."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reid_tui.cli.main import run
from reid_tui.signals import Haste, hold, let_go, stacks_on_quit, taken
from tests.conftest import ends_within
from tests.faults import wait_for
from tests.ptys import Pty

SIGNALLED_WHILE = """
import os, signal, sys
class Send:
    def find_spec(name, *_):
        if name in ("typer", "reid_tui.headless", "reid_tui.launch", "reid_tui.tui.app"):
            for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT):
                os.kill(os.getpid(), number)
sys.meta_path.insert(0, Send)
del sys.argv[1:4]
from reid_tui.__main__ import main
main()
"""


def test_no_signal_comes_too_early(tmp_path: Path) -> None:
    """While the command line and what it needs are still imported."""
    python = [sys.executable, "-W", "error"]
    command = [*python, "-c", SIGNALLED_WHILE, *python, "train", "--resume", "nope", "--runs-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2, done
    assert "no run 'nope'" in done.stderr


@pytest.fixture
def attached(tmp_path: Path) -> Iterator[Callable[..., Pty]]:
    """Starts a screen on a run that has not begun."""
    started: list[Pty] = []
    run = tmp_path / "20260101-000000-a"
    (run / "checkpoints").mkdir(parents=True)
    (run / "config.json").touch()

    def start(*under: str) -> Pty:
        started.append(Pty(tmp_path, "attach", str(run), under=under, afresh=True))
        return started[-1]

    yield start
    for terminal in started:
        terminal.end()


def child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())


@pytest.mark.slow
def test_signals_that_must_not_end_a_screen(attached: Callable[..., Pty]) -> None:
    terminal = attached(sys.executable, "-c", SIGNALLED_WHILE)
    terminal.until_shown(b"no process trains this run")
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT):
        terminal.process.send_signal(number)
    terminal.press("?")
    terminal.until_shown(b"command palette")
    assert b"thread MainThread" in terminal.shown, "what waited was answered before the screen came"
    terminal.press("\x11")
    assert terminal.process.wait(30) == 0


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["screen", "parent"])
def test_a_screen_that_is_killed_leaves_the_terminal_as_it_was(whom: str, attached: Callable[..., Pty]) -> None:
    terminal = attached("bash", "-mc", '"$@"; echo "code=$?"', "bash")  # the shell keeps the terminal
    terminal.until_shown(b"no process trains this run")
    parent = child_of(terminal.process.pid)
    screen = child_of(parent)
    os.kill(screen if whom == "screen" else parent, signal.SIGKILL)
    wait_for(lambda: b"code=137" in terminal.shown)
    assert ends_within(screen, 30)
    assert (b"killed by SIGKILL; a run that trains goes on" in terminal.shown) == (whom == "screen")
    for mode in (b"?1000l", b"?1003l", b"?1049l", b"?25h"):
        assert b"\x1b[" + mode in terminal.shown


def test_a_command_that_owns_no_run_is_as_any_other(tmp_path: Path) -> None:
    held = {signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT}
    hold()
    try:
        assert held <= signal.pthread_sigmask(signal.SIG_BLOCK, ())
        assert run(["runs", "--runs-dir", str(tmp_path)]) == 0
        assert not held & signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        let_go()


def test_a_signal_that_waited_is_taken() -> None:
    came: list[int] = []
    before = signal.getsignal(signal.SIGUSR2)
    hold()
    try:
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR2)
        with taken({signal.SIGUSR2: lambda number, _frame: came.append(number)}):
            assert came == [signal.SIGUSR2]
        assert signal.SIGUSR2 in signal.pthread_sigmask(signal.SIG_BLOCK, ())
        assert signal.getsignal(signal.SIGUSR2) is before
    finally:
        let_go()


def test_only_a_persons_second_signal_asks_for_haste() -> None:
    now = [0.0]
    haste = Haste(lambda: now[0])
    assert [haste.of("SIGXCPU") for _ in range(3)] == ["first", "same", "same"]
    assert [haste.of("SIGINT"), haste.of("SIGINT"), haste.of("SIGXCPU")] == ["first", "same", "same"]
    assert haste.of("SIGTERM") == "more"
    now[0] += 0.5
    assert haste.of("SIGINT") == "more"


def test_sigquit_tells_where_every_thread_stands(capfd: pytest.CaptureFixture[str]) -> None:
    told, goes_on = "", threading.Event()
    other = threading.Thread(target=goes_on.wait, name="other \x1b[31m")
    other.start()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with stacks_on_quit():
        watcher = next(thread for thread in threading.enumerate() if thread.name == "reid-tui-signals")
        assert watcher.ident is not None

        def complete() -> bool:
            nonlocal told
            told += capfd.readouterr().err
            return "thread MainThread:" in told and "thread other" in told

        for _ in range(2):  # within a moment
            signal.pthread_kill(watcher.ident, signal.SIGQUIT)
        wait_for(complete)
    goes_on.set()
    wait_for(lambda: not watcher.is_alive())
    other.join()
    told += capfd.readouterr().err
    assert "in test_sigquit_tells_where_every_thread_stands" in told
    assert told.splitlines().count("thread MainThread:") == 1  # the line, not this test's own text in its stack
    assert "\x1b" not in told
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask

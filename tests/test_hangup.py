"""The terminal goes away, for real: a pty's other end is closed while the command runs. Training goes on to its end."""

from __future__ import annotations

import logging
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reid_tui.training.checkpoint import load_latest
from tests.conftest import ends_within
from tests.faults import wait_for
from tests.ptys import Pty

RUN = ["--data", "pedestrians", "--batch-size", "16", "--steps", "30", "--eval-every", "1", "--seed", "2"]
LONG = ["--steps", "20000", "--eval-every", "1"]
FULL = 4000
"""Bytes: of what a terminal that is not read has taken, it tells 4,095 and no more."""
UNREAD_S = float(os.environ.get("REID_TUI_UNREAD_S", "20"))
KEPT_MIB = 64
MIB = 2**20

Start = Callable[..., Pty]
FAILS_TO_READ = """
import errno, os, sys
read = os.read
def fail(descriptor, size):
    part = read(descriptor, size)
    if descriptor == 0 and part == b"\\x05":
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    return part
os.read = fail
from reid_tui.cli.main import run
os._exit(run(sys.argv[4:]))
"""
SYNCS_SLOWLY = """
import os, sys, time
from pathlib import Path
sync = os.fsync
def slow(descriptor):
    file = Path(f"/proc/self/fd/{descriptor}").readlink()
    if file.name.startswith(".tmp-step-"):
        (file.parents[1] / "saving").touch()
        time.sleep(1)
    sync(descriptor)
os.fsync = slow
from reid_tui.cli.main import run
os._exit(run(sys.argv[4:]))
"""


TELLS_NOBODY = """
import os, select, sys
from pathlib import Path
from reid_tui.tui import app
tell = app.tell
def late(*given, **more):
    (Path(sys.argv[-1]) / "telling").touch()
    gone = select.poll()
    gone.register(1, 0)
    gone.poll()
    tell(*given, **more)
app.tell = late
from reid_tui.cli.main import run
os._exit(run(sys.argv[4:]))
"""


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts the small run in a terminal; everything is ended with the test."""
    started: list[Pty] = []

    def start_one(folder: Path, *argv: str, under: tuple[str, ...] = (), afresh: bool = False) -> Pty:
        words = ("train", *RUN, *argv[1:]) if argv[:1] == ("train",) else (*RUN, *argv)
        started.append(Pty(folder, *words, under=under, afresh=afresh))
        return started[-1]

    yield start_one
    for terminal in started:
        terminal.end()


def whole(terminal: Pty) -> None:
    """The run is complete, its checkpoint verifies, and nothing spun on the dead terminal."""
    assert terminal.process.wait(90) == 0
    assert terminal.events()[-1]["event"] == "finished"
    (run,) = terminal.folder.glob("2*")
    assert load_latest(run / "checkpoints")[0].manifest.state.step == 30


def ends_saved_by_sigterm(terminal: Pty) -> None:
    """The process is told to end, and its checkpoint holds its last step."""
    terminal.process.terminate()
    assert terminal.process.wait(60) == 143
    last = terminal.events()[-1]
    assert (last["event"], last["reason"], last["saved"]) == ("stopped", "SIGTERM", True)
    (run,) = terminal.folder.glob("2*")
    assert load_latest(run / "checkpoints")[0].manifest.state.step == last["step"]


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["loading", "started", "training", "dialog", "unread"])
def test_the_dashboards_terminal_goes_away(moment: str, start: Start, tmp_path: Path) -> None:
    terminal = start(tmp_path, afresh=moment == "loading")
    if moment == "loading":
        terminal.until_shown(b"LOADING")
    else:
        terminal.until("run_started")
    if moment in ("training", "dialog", "unread"):
        terminal.until("progress", step=2)
    if moment == "dialog":
        terminal.press("q")
    if moment == "unread":
        terminal.stop_reading()
        terminal.press("?")
        time.sleep(1)
    terminal.close()
    whole(terminal)


@pytest.mark.slow
def test_a_terminal_that_cannot_be_read_any_more(start: Start, tmp_path: Path) -> None:
    terminal = start(tmp_path, under=(sys.executable, "-c", FAILS_TO_READ))
    terminal.until("progress", step=2)
    terminal.press("\x05")
    whole(terminal)


@pytest.mark.slow
def test_the_shell_takes_its_terminal_back(start: Start, tmp_path: Path) -> None:
    terminal = start(tmp_path, under=("bash", "-mc", '"$@"; cat', "bash"))
    terminal.until("progress", step=2)
    trainer = next(line["pid"] for line in terminal.events() if line["event"] == "run_started")
    parent = int(Path(f"/proc/{trainer}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    assert ends_within(trainer, 60)
    assert terminal.events()[-1]["event"] == "finished"


@pytest.mark.slow
def test_a_stop_from_outside_stops_no_training(start: Start, tmp_path: Path) -> None:
    terminal = start(tmp_path)
    terminal.until("progress", step=2)
    trainer = next(line["pid"] for line in terminal.events() if line["event"] == "run_started")
    for pid in (terminal.process.pid, trainer):
        os.kill(pid, signal.SIGTSTP)
    terminal.until_shown(b"DONE")
    terminal.press("q")
    whole(terminal)


@pytest.mark.slow
def test_on_hangup_stop_stops(start: Start, tmp_path: Path) -> None:
    terminal = start(tmp_path, "--on-hangup", "stop")
    terminal.until("progress", step=2)
    terminal.close()
    assert terminal.process.wait(60) == 129
    last = terminal.events()[-1]
    assert (last["event"], last["reason"], last["saved"]) == ("stopped", "SIGHUP", True)


@pytest.mark.slow
def test_a_paused_run_stays_paused(start: Start, tmp_path: Path) -> None:
    terminal = start(tmp_path)
    terminal.until("progress", step=2)
    terminal.press(" ")
    terminal.until("paused")
    terminal.close()
    with pytest.raises(subprocess.TimeoutExpired):
        terminal.process.wait(1)
    assert terminal.events()[-1]["event"] == "paused"
    terminal.process.terminate()
    assert terminal.process.wait(60) == 143
    assert terminal.events()[-1]["saved"] is True


@pytest.mark.slow
def test_without_a_screen_a_signal_still_saves(start: Start, tmp_path: Path) -> None:
    terminal = start(tmp_path)
    terminal.until("run_started")
    terminal.close()
    time.sleep(0.5)
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.process.wait(60) in (143, 0)  # 0 where it was done by then
    assert terminal.events()[-1]["event"] in ("stopped", "finished")


def resident(pid: int) -> int:
    """Bytes of memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def steps_a_second(terminal: Pty, seconds: float) -> float:
    first, began = terminal.events()[-1]["step"], time.monotonic()
    time.sleep(seconds)
    return (terminal.events()[-1]["step"] - first) / (time.monotonic() - began)


@pytest.mark.slow
def test_a_terminal_that_nobody_reads_for_a_while(start: Start, tmp_path: Path) -> None:
    """REID_TUI_UNREAD_S says how long, 600 in earnest; `--log-cli-level=INFO` shows what it costs."""
    # Thirty frames fill the kernel's 64 KiB in some seconds. Afresh: of what is forked only what was touched counts.
    terminal = start(tmp_path, *LONG, "--fps", "30", "--eval-every", "0.2", afresh=True)
    terminal.until("evaluated", step=1)  # beside a training it keeps 50 MiB, once
    pid = next(line["pid"] for line in terminal.events() if line["event"] == "run_started")
    read = steps_a_second(terminal, UNREAD_S / 6)
    terminal.stop_reading()
    before = resident(pid)
    unread = steps_a_second(terminal, UNREAD_S)
    deadline = time.monotonic() + 20
    while (grown := (resident(pid) - before) / MIB) >= KEPT_MIB and time.monotonic() < deadline:
        time.sleep(0.1)  # an evaluation takes more for a moment
    logging.getLogger(__name__).info("%.1f steps/s while read, %.1f while not, %+.1f MiB", read, unread, grown)
    assert unread > 0
    assert grown < KEPT_MIB
    assert terminal.waiting() >= FULL
    shown = len(terminal.shown)
    terminal.read()
    wait_for(lambda: b" numbers" in terminal.shown[shown:])
    terminal.until("progress", step=terminal.events()[-1]["step"] + 20)
    assert terminal.shown[shown:].count(b" numbers") == 1, "one repaint shows how things stand"


@pytest.mark.slow
def test_sigterm_on_a_terminal_that_nobody_reads(start: Start, tmp_path: Path) -> None:
    terminal = start(tmp_path, *LONG)
    terminal.until("progress", step=2)
    terminal.stop_reading()
    deadline = time.monotonic() + 60
    for _ in range(20):  # more writes than Textual's own queue holds, once the terminal takes no more
        while terminal.waiting() < FULL:
            assert time.monotonic() < deadline, f"{terminal.waiting()} bytes wait"
            time.sleep(0.05)
        terminal.press("?")
        time.sleep(0.05)
        terminal.press("\x1b")
        time.sleep(0.05)
    step = terminal.events()[-1]["step"]
    terminal.until("progress", step=step + 3)
    ends_saved_by_sigterm(terminal)


@pytest.mark.slow
@pytest.mark.parametrize("argv", [(), ("train",)])
def test_sigterm_while_a_save_is_written(argv: tuple[str, ...], start: Start, tmp_path: Path) -> None:
    """On a disk that takes a second for each file."""
    terminal = start(tmp_path, *argv, under=(sys.executable, "-c", SYNCS_SLOWLY))
    terminal.until("progress", step=2)
    terminal.process.send_signal(signal.SIGUSR1)
    wait_for(lambda: bool(list(tmp_path.glob("*/saving"))))
    ends_saved_by_sigterm(terminal)
    assert argv or b"\x1b[?1049l" in terminal.shown, "the terminal is as it was"


@pytest.mark.slow
def test_headless_on_a_terminal_that_goes_away(start: Start, tmp_path: Path) -> None:
    terminal = start(tmp_path, "train")
    terminal.until("progress", step=2)
    terminal.close()
    whole(terminal)


def saved_by(terminal: Pty) -> list[str]:
    return [line["origin"] for line in terminal.events() if line["event"] == "checkpoint_saved" and line["origin"]]


@pytest.mark.slow
def test_signals_that_end_no_run_and_the_limit_of_the_cpu_that_saves_it(start: Start, tmp_path: Path) -> None:
    terminal = start(tmp_path, *LONG, afresh=True)
    terminal.until_shown(b"LOADING")
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT):
        terminal.process.send_signal(number)
    terminal.until("progress", step=2)
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        terminal.process.send_signal(number)
        wait_for(lambda number=number: number.name in saved_by(terminal))  # type: ignore[misc]
    terminal.press(" ")
    terminal.until("paused")
    terminal.process.send_signal(signal.SIGQUIT)
    (run,) = tmp_path.glob("2*")
    stacks = "thread reid-tui-trainer:"
    wait_for(lambda: stacks in (run / "run.log").read_text().partition("SIGQUIT")[2].partition("SIGQUIT")[2])
    trainer = next(line["pid"] for line in terminal.events() if line["event"] == "run_started")
    terminal.press(" ")
    resource.prlimit(trainer, resource.RLIMIT_CPU, (1, resource.RLIM_INFINITY))  # the kernel sends it each second
    assert terminal.process.wait(60) == 152
    last = terminal.events()[-1]
    assert (last["event"], last["reason"], last["saved"]) == ("stopped", "SIGXCPU", True)
    assert load_latest(run / "checkpoints")[0].manifest.state.step == last["step"]
    assert b"\x1b[?1049l" in terminal.shown, "the terminal is as it was"
    assert stacks.encode() not in terminal.shown


@pytest.mark.slow
def test_json_that_goes_elsewhere_is_not_for_the_terminal(start: Start, tmp_path: Path) -> None:
    out = tmp_path / "out"
    terminal = start(tmp_path, "train", "--json", under=("sh", "-c", 'exec "$@" > "$0"', str(out)))
    assert terminal.process.wait(90) == 0
    lines = out.read_text().splitlines()
    (log,) = tmp_path.glob("*/events.jsonl")
    assert lines[-1] == log.read_text().splitlines()[-1]
    assert b'{"event"' not in terminal.shown
    assert b"30/30" in terminal.shown


@pytest.mark.slow
@pytest.mark.parametrize("progress", ["bar", "plain"])
def test_headless_on_a_terminal_that_nobody_reads(progress: str, start: Start, tmp_path: Path) -> None:
    terminal = start(tmp_path, "train", "--progress", progress)
    terminal.until("progress", step=2)
    terminal.fill()
    terminal.until("finished")
    terminal.close()
    whole(terminal)


@pytest.mark.slow
def test_sigterm_to_headless_on_a_terminal_that_nobody_reads(start: Start, tmp_path: Path) -> None:
    terminal = start(tmp_path, "train", *LONG)
    terminal.until("progress", step=2)
    terminal.fill()
    step = terminal.events()[-1]["step"]
    terminal.until("progress", step=step + 3)
    ends_saved_by_sigterm(terminal)


@pytest.mark.slow
def test_a_terminal_that_sends_no_signal(start: Start, tmp_path: Path) -> None:
    terminal = start(tmp_path, under=("setsid", "--wait"))
    terminal.until("progress", step=2)
    trainer = next(line["pid"] for line in terminal.events() if line["event"] == "run_started")
    terminal.close()
    assert ends_within(trainer, 90)
    assert terminal.events()[-1]["event"] == "finished"
    (run,) = tmp_path.glob("2*")
    assert "the terminal went away" in (run / "run.log").read_text()


@pytest.mark.slow
def test_nobody_hears_the_summary(start: Start, tmp_path: Path) -> None:
    piped = ("bash", "-c", '"$@" | true; exit ${PIPESTATUS[0]}', "bash")
    terminal = start(tmp_path, "--exit-when-done", under=piped)
    whole(terminal)


@pytest.mark.slow
def test_the_terminal_goes_away_behind_the_screen(start: Start, tmp_path: Path) -> None:
    """Just before the summary is told."""
    terminal = start(tmp_path, "--exit-when-done", under=(sys.executable, "-c", TELLS_NOBODY))
    terminal.until("finished")
    wait_for((tmp_path / "telling").exists)
    terminal.close()
    whole(terminal)

"""A run in several processes from its start to its end, by whatever ends it. Each part goes on where the last ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reid_tui.control.client import ControlClient
from reid_tui.cores import share
from reid_tui.errors import FAILURE, OK, TERMINATED, USAGE
from reid_tui.runs.directory import RunDirectory
from reid_tui.runs.log import read_events
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from tests.conftest import ends_within
from tests.ptys import Pty

pytestmark = pytest.mark.slow

LONGEST_S = 120.0
ENDS_S = 30.0
OPTIONS = ("--data", "pedestrians", "--batch-size", "4", "--device", "cpu", "--eval-every", "100")
TRAIN = (sys.executable, "-m", "reid_tui", "train", "--progress", "plain")


@dataclass
class Part:
    """One command and what became of it."""

    code: int = -1
    said: str = ""
    ended_in_time: bool = False
    events: list[ev.AnyEvent] = field(default_factory=list)
    listening: list[str] = field(default_factory=list)
    cores: list[set[int]] = field(default_factory=list)
    """On which the threads of each process may run."""
    left: list[str] = field(default_factory=list)
    """Temporary folders."""

    def last(self, kind: type[ev.AnyEvent]) -> ev.AnyEvent:
        return next(event for event in reversed(self.events) if isinstance(event, kind))


class Run:
    """A command that trains in several processes."""

    def __init__(self, runs: Path, *options: str) -> None:
        self.runs = runs
        before = len(self.events())
        self.process = subprocess.Popen(
            (*TRAIN, "--runs-dir", str(runs), *options),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(runs.parent)},
            text=True,
        )
        self.skip = before
        self.others: list[int] = []
        self.until(lambda: sum(isinstance(event, ev.Progress) for event in self.new()) >= 3)
        self.others = children(self.process.pid)

    def events(self) -> list[ev.AnyEvent]:
        logs = list(self.runs.glob("*/events.jsonl"))
        return list(read_events(logs[0])) if logs else []

    def new(self) -> list[ev.AnyEvent]:
        return self.events()[self.skip :]

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LONGEST_S
        while not condition():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(self.process.communicate()[1])
            time.sleep(0.1)

    def told(self, kind: type[ev.AnyEvent]) -> bool:
        return any(isinstance(event, kind) for event in self.new())

    def end(self, listening: list[str] | None = None, cores: list[set[int]] | None = None) -> Part:
        """Wait for it, after something that should end it."""
        began = time.monotonic()
        try:
            _, said = self.process.communicate(timeout=ENDS_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return Part()
        left = ENDS_S - (time.monotonic() - began)
        gone = all(ends_within(pid, left) for pid in self.others)
        found = [path.name for path in self.runs.parent.glob("reid-tui-*")]
        return Part(self.process.returncode, said, gone, self.new(), listening or [], cores or [], found)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def allowed(pid: int) -> set[int]:
    """Cores that a thread of a process may run on."""
    return set().union(*(os.sched_getaffinity(int(thread.name)) for thread in Path(f"/proc/{pid}/task").iterdir()))


def listeners(pids: list[int]) -> list[str]:
    """Local addresses of TCP sockets that these processes listen at, as the kernel writes them."""
    sockets = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed since it was listed
                name = str(link.readlink())
                if name.startswith("socket:["):
                    sockets.add(name[8:-1])
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and words[9] in sockets:
                found.append(words[1].partition(":")[0])
    return found


def steered(runs: Path) -> Part:
    """Margin, pause and resume by the socket; then SIGTERM to another process than rank 0."""
    run = Run(runs, *OPTIONS, "--nproc", "2")
    (folder,) = runs.iterdir()
    client = ControlClient(RunDirectory(folder))
    client.send(cmd.SetMargin(1.4))
    client.send(cmd.Pause())
    run.until(lambda: run.told(ev.Paused))
    time.sleep(3)  # longer than between two pulses
    client.send(cmd.Resume())
    run.until(lambda: run.told(ev.Resumed) and isinstance(run.new()[-1], ev.Progress))
    client.close()
    listening = listeners([run.process.pid, *run.others])
    cores = [allowed(pid) for pid in (run.process.pid, *run.others)]
    os.kill(run.others[0], signal.SIGTERM)
    return run.end(listening, cores)


def killed(runs: Path) -> Part:
    """Goes on with more processes, one of which is killed."""
    run = Run(runs, "--resume", "latest", "--nproc", "3")
    os.kill(run.others[0], signal.SIGKILL)
    return run.end()


def killed_in_a_pause(runs: Path) -> Part:
    run = Run(runs, "--resume", "latest", "--nproc", "2")
    (folder,) = runs.iterdir()
    client = ControlClient(RunDirectory(folder))
    client.send(cmd.Pause())
    run.until(lambda: run.told(ev.Paused))
    client.close()
    os.kill(run.others[0], signal.SIGKILL)
    return run.end()


def terminated(runs: Path) -> Part:
    run = Run(runs, "--resume", "latest", "--nproc", "2")
    run.process.terminate()
    return run.end()


def leader_killed(runs: Path) -> Part:
    run = Run(runs, "--resume", "latest", "--nproc", "2")
    run.process.kill()
    return run.end()


def stopped(runs: Path) -> Part:
    """Goes on in one process."""
    run = Run(runs, "--resume", "latest")
    (folder,) = runs.iterdir()
    client = ControlClient(RunDirectory(folder))
    client.send(cmd.Stop())
    part = run.end()
    client.close()
    return part


PARTS: list[Callable[[Path], Part]] = [steered, killed, killed_in_a_pause, terminated, leader_killed, stopped]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Part]:
    """One run in parts, each ended in another way."""
    runs = tmp_path_factory.mktemp("several") / "runs"
    runs.mkdir()
    return {part.__name__: part(runs) for part in PARTS}


def test_each_part_goes_on_where_the_last_ended(parts: dict[str, Part]) -> None:
    """With another number of processes too. What SIGKILL of rank 0 left is an older checkpoint."""
    ends = [max(event.step for event in part.events) for part in parts.values()]
    starts = [part.last(ev.RunStarted).step for part in parts.values()]
    assert starts[1:5] == ends[:4]
    assert starts[5] == starts[4]


def test_all_processes_end_in_time(parts: dict[str, Part]) -> None:
    """And leave nothing behind."""
    assert {name: part.ended_in_time for name, part in parts.items()} == dict.fromkeys(parts, True)
    assert {name: part.left for name, part in parts.items()} == {name: [] for name in parts}


def test_a_margin_turned_through_the_socket_holds(parts: dict[str, Part]) -> None:
    assert [event.new for event in parts["steered"].events if isinstance(event, ev.MarginChanged)] == [1.4]
    last = parts["stopped"].last(ev.Progress)
    assert isinstance(last, ev.Progress)
    assert last.margin == 1.4


def test_sigterm_to_any_process_saves_and_ends_the_run(parts: dict[str, Part]) -> None:
    for name, origin in (("steered", "process 1"), ("terminated", "SIGTERM")):
        end = parts[name].last(ev.Stopped)
        assert isinstance(end, ev.Stopped)
        assert (parts[name].code, end.reason, end.saved, end.origin) == (TERMINATED, "SIGTERM", True, origin)


@pytest.mark.parametrize(("name", "size"), [("killed", 3), ("killed_in_a_pause", 2)])
def test_where_another_process_is_killed_rank_0_saves_and_says_so(parts: dict[str, Part], name: str, size: int) -> None:
    part = parts[name]
    end = part.last(ev.Failed)
    assert isinstance(end, ev.Failed)
    assert part.code == FAILURE
    assert end.message.startswith(f"process 1 of {size} was killed by SIGKILL; step {end.step} is saved")
    assert part.said.strip().splitlines()[-1] == f"reid-tui: {end.message}"
    assert "Traceback" not in part.said


def test_a_run_goes_on_in_one_process(parts: dict[str, Part]) -> None:
    assert parts["stopped"].code == OK


def test_nobody_listens_but_on_loopback(parts: dict[str, Part]) -> None:
    assert parts["steered"].listening
    assert {address[-8:] for address in parts["steered"].listening} == {"0100007F"}


def test_each_process_keeps_to_its_cores(parts: dict[str, Part]) -> None:
    """Where there is one for each."""
    everywhere = os.sched_getaffinity(0)
    expected = [share(number, 2) or everywhere for number in range(2)]
    assert parts["steered"].cores == expected
    assert len(everywhere) < 2 or not expected[0] & expected[1]


def test_the_dashboard_steers_all_of_them(tmp_path: Path) -> None:
    terminal = Pty(tmp_path, *OPTIONS, "--nproc", "2")
    try:
        terminal.until("progress", step=3)
        others = children(terminal.process.pid)
        terminal.press("+")
        terminal.until("margin_changed")
        turned = terminal.events()[-1]["step"]
        terminal.until("progress", step=turned + 3)
        terminal.press("q")
        terminal.until_shown(b"save and quit")
        terminal.press("s")
        assert terminal.process.wait(ENDS_S) == OK, terminal.shown[-2000:]
        lines = terminal.events()
    finally:
        terminal.end()
    assert lines[0]["processes"] == 2
    assert (lines[-1]["event"], lines[-1]["saved"]) == ("stopped", True)
    assert {line["margin"] for line in lines if line["event"] == "progress" and line["step"] > turned} == {1.05}
    assert all(ends_within(pid, ENDS_S) for pid in others)


def test_torchrun_starts_them(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "reid_tui", "train")
    options = (*OPTIONS, "--steps", "3", "--runs-dir", str(tmp_path))
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run((*command, *options), capture_output=True, text=True, timeout=LONGEST_S, env=environ)
    assert done.returncode == OK, done.stderr
    (log,) = tmp_path.glob("*/events.jsonl")
    assert isinstance(list(read_events(log))[-1], ev.Finished)


def test_what_several_cannot_do_is_refused_in_a_line(tmp_path: Path) -> None:
    done = subprocess.run(
        (*TRAIN, *OPTIONS, "--nproc", "2", "--replay", "x"), capture_output=True, text=True, cwd=tmp_path
    )
    assert (done.returncode, done.stderr.count("\n")) == (USAGE, 1)
    assert done.stderr.startswith("reid-tui: --replay repeats a run in one process")

"""How much of the cores other processes take, on made-up machines and on this one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from reid_tui.cores import SHORTEST_S, SPINS, Cores, Shared, keep_to, share, wait_briefly
from tests.doctor.machines import machine

OWN = sorted(os.sched_getaffinity(0))
TICKS = os.sysconf("SC_CLK_TCK")


class Kernel:
    """Counts what a test says that the cores did."""

    def __init__(self, root: Path) -> None:
        self.root, self.now, self.own_s, self.busy_s = root, 100.0, 0.0, 0.0
        self._write()
        self.cores = Cores(root, lambda: self.now, lambda: self.own_s)

    def shared(self, seconds: float, *, busy: float, own: float) -> Shared | None:
        """After so many seconds, in which so many cores were busy, and so many of them with us."""
        self.now, self.own_s, self.busy_s = self.now + seconds, self.own_s + own * seconds, self.busy_s + busy * seconds
        self._write()
        return self.cores.shared()

    def _write(self) -> None:
        first, *others = OWN
        idle = int(TICKS * (self.now * len(OWN) - self.busy_s))
        lines = [f"cpu{first} {int(TICKS * self.busy_s)} 0 0 {idle} {idle} 0 0 0 {idle} 0"]
        lines += [f"cpu{number} 0 0 0 0 0 0 0 0 0 0" for number in others]
        pinned = f"cpu{max(OWN) + 1} {int(self.now**2)} 0 0 0 0 0 0 0 0 0"  # none of ours
        machine(self.root, {"proc/stat": "\n".join(["cpu 9 9 9 9", *lines, pinned, "ctxt 7"])})


def test_what_is_neither_idle_nor_ours_is_of_others(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    shared = kernel.shared(10, busy=1.75, own=0.5)
    assert shared is not None
    assert shared.others == pytest.approx(1.25, abs=0.01)
    assert shared.cores == len(OWN)
    assert kernel.shared(SHORTEST_S / 2, busy=1, own=0) is None
    shared = kernel.shared(SHORTEST_S / 2, busy=3, own=0)
    assert shared is not None
    assert shared.others == pytest.approx(2, abs=0.1)  # over both, none is lost
    shared = kernel.shared(10, busy=0.5, own=0.51)
    assert shared is not None
    assert shared.others == 0


@pytest.mark.parametrize("text", [None, "", "cpu0\n", f"cpu{OWN[0]} one two", f"cpu{OWN[0]} 1"])
def test_a_kernel_that_does_not_say(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        machine(tmp_path, {"proc/stat": text})
    now = iter(range(9))
    assert Cores(tmp_path, lambda: float(next(now))).shared() is None


@pytest.mark.parametrize(
    ("others", "cores", "threads", "remedy"),
    [
        (0.4, 2, 2, None),
        (0.6, 2, 2, "end what else runs, or set OMP_NUM_THREADS=1"),
        (1.4, 2, 1, None),
        (2.0, 2, 1, "end what else runs"),
        (3.2, 8, 8, "OMP_NUM_THREADS=4"),
        (60, 64, 4, None),
        (2.0, 2, 0, None),
    ],
)
def test_threads_that_find_too_little_room(others: float, cores: int, threads: int, remedy: str | None) -> None:
    told = Shared(others, cores).short_of(threads)
    assert bool(told) == (remedy is not None)
    if remedy is not None:
        assert told.endswith(remedy)
        assert told.startswith(f"other processes keep {others:.1f} of {cores} cores busy beside the ")


def test_this_machine_is_understood() -> None:
    clock = iter((0.0, 1000.0))
    shared = Cores(clock=lambda: next(clock)).shared()
    assert shared is not None
    assert shared.cores == len(OWN)
    assert 0 <= shared.others < 1


@pytest.mark.parametrize("asked", [{}, {"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "7"}])
def test_threads_wait_briefly_unless_somebody_says_how(asked: dict[str, str]) -> None:
    environ = dict(asked)
    wait_briefly(environ)
    assert environ == (asked or {"GOMP_SPINCOUNT": SPINS})


def test_training_sees_to_it_before_torch_is_loaded(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom reid_tui import headless\n"
        "headless.wait_briefly = lambda: os._exit(8 if 'torch' in sys.modules else 7)\n"
        "from reid_tui.cli.main import run\nrun(['train', '--data', 'pedestrians', '--runs-dir', sys.argv[1]])"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 7


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (1, [{0, 1, 2, 3, 4, 5, 6, 7}]),
        (2, [{0, 1, 4, 5}, {2, 3, 6, 7}]),
        (3, [{0, 4}, {1, 5}, {2, 6}]),
        (4, [{0, 4}, {1, 5}, {2, 6}, {3, 7}]),
        (9, [set()] * 9),
    ],
)
def test_processes_share_whole_cores(
    of: int, expected: list[set[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of which each of these computes with two threads, by numbers that are four apart."""
    for number in range(8):
        folder = f"sys/devices/system/cpu/cpu{number}/topology"
        machine(tmp_path, {f"{folder}/physical_package_id": "0\n", f"{folder}/core_id": f"{number % 4}\n"})
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert [share(number, of, tmp_path) for number in range(of)] == expected
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 3, 5})
    assert [share(number, 3, tmp_path / "nothing") for number in range(3)] == [{2}, {3}, {5}]
    monkeypatch.delattr(os, "sched_getaffinity")
    assert share(0, of, tmp_path) == set()


def test_all_threads_keep_to_some_cores_and_get_the_others_back() -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        assert thread.native_id is not None
        for cores in ({OWN[0]}, set(OWN)):
            keep_to(cores)
            assert os.sched_getaffinity(0) == os.sched_getaffinity(thread.native_id) == cores
    finally:
        over.set()
        thread.join()

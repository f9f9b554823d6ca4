"""What other processes leave of the processor: threads that compute in step are as slow as the slowest of them."""

from __future__ import annotations

import contextlib
import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

SPINS: Final = "20000"
"""Looks that a thread takes at what it waits for."""
SHORT: Final = 0.5
"""Cores that are missing where it is worth a word."""
_IDLE: Final = (3, 4)
"""Which of the kernel's counts are of a core that had nothing to do, or waited for a disk."""
_COUNTS: Final = 9
"""Those of guests behind them are among the others."""
SHORTEST_S: Final = 0.5
"""Between two looks: the kernel counts in hundredths."""


def wait_briefly(environ: MutableMapping[str, str] = os.environ) -> None:
    """Have threads that wait leave the core after tenths of a millisecond; call it before torch is loaded.

    GNU's OpenMP waits busily for milliseconds, on the very core that another process, or the awaited thread, needs. So
    short a wait costs a lone training nothing. What the environment says stands.
    """
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & environ.keys():
        environ["GOMP_SPINCOUNT"] = SPINS


def share(number: int, of: int, root: Path = Path("/")) -> set[int]:
    """Cores for one of several processes, out of those that this process may run on.

    Args:
        number: of the process, from 0.
        of: how many processes there are.
        root: where /sys lies.

    Returns:
        As many for each, what two threads of a core compute on together; none where there are too few, or the system
        does not say.
    """
    if not hasattr(os, "sched_getaffinity"):
        return set()

    def place(core: int) -> tuple[int, ...]:
        folder = root / f"sys/devices/system/cpu/cpu{core}/topology"
        try:
            return *(int((folder / name).read_text()) for name in ("physical_package_id", "core_id")), core
        except (OSError, ValueError):
            return 0, core, core

    cores = sorted(os.sched_getaffinity(0), key=place)
    each = len(cores) // of
    return set(cores[number * each : (number + 1) * each])


def keep_to(cores: set[int]) -> None:
    """Have all threads of this process, and those that they start, run on these cores alone.

    Two processes that wait for each other in every step are else woken on each other's cores, whose caches hold nothing
    of theirs.
    """
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # it has ended, or the cores were taken away
            os.sched_setaffinity(int(thread.name), cores)


class Shared(NamedTuple):
    """How the cores were shared between two looks."""

    others: float
    """Cores that other processes kept busy, on average."""
    cores: int
    """That this process may run on."""

    def short_of(self, threads: int) -> str:
        """What is wrong and what to do about it; empty where so many threads have room."""
        if self.others + threads <= self.cores + SHORT:
            return ""
        left = max(1, math.floor(self.cores - self.others))
        fewer = f", or set OMP_NUM_THREADS={left}" if left < threads else ""
        own = f"the {threads} threads" if threads != 1 else "the one thread"
        return (
            f"other processes keep {self.others:.1f} of {self.cores} cores busy beside {own} that torch computes with; "
            f"end what else runs{fewer}"
        )


class _Look(NamedTuple):
    at_s: float
    """On a steady clock."""
    busy_s: float
    """All that the cores have done."""
    own_s: float
    """What they have done for us."""
    cores: int


def _own_s() -> float:
    return sum(os.times()[:4])


class Cores:
    """Looks at those that this process may run on, as the kernel counts them in /proc/stat."""

    def __init__(
        self, root: Path = Path("/"), clock: Callable[[], float] = time.monotonic, own_s: Callable[[], float] = _own_s
    ) -> None:
        """Look for the first time.

        Args:
            root: where /proc lies.
            clock: steady seconds.
            own_s: seconds that cores have spent on this process, and on children that have ended.
        """
        self._file, self._clock, self._own_s = root / "proc/stat", clock, own_s
        self._before = self._look()

    def shared(self) -> Shared | None:
        """Since the last look; None where the kernel does not say, or that was only just."""
        before, now = self._before, self._look()
        if before is None or now is None or (seconds := now.at_s - before.at_s) < SHORTEST_S:
            return None
        self._before = now
        others_s = (now.busy_s - before.busy_s) - (now.own_s - before.own_s)
        return Shared(max(others_s, 0) / seconds, now.cores)

    def _look(self) -> _Look | None:
        try:
            lines = [line.split() for line in self._file.read_text().splitlines()]
            own = {f"cpu{number}" for number in os.sched_getaffinity(0)}
            counts = [[int(count) for count in line[1:_COUNTS]] for line in lines if line[0] in own]
            ticks = sum(sum(core) - sum(core[place] for place in _IDLE) for core in counts)
        except (OSError, AttributeError, ValueError, IndexError):  # another system
            return None
        seconds = ticks / os.sysconf("SC_CLK_TCK")
        return _Look(self._clock(), seconds, self._own_s(), len(counts)) if counts else None

"""Threads that wait: a training alone and two side by side, as reid-tui has them wait and as they can be told to."""

from __future__ import annotations

import os
import subprocess
from statistics import median
from typing import TYPE_CHECKING, Final

from reid_tui.bench.processes import REID_TUI, Setup, device_of, events_of
from reid_tui.bench.rates import WARM_UP_STEPS, pairs_per_s
from reid_tui.bench.report import Result, Side
from reid_tui.errors import ReidTuiError

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS: Final = ("", "OMP_WAIT_POLICY=PASSIVE", "GOMP_SPINCOUNT=1000", "GOMP_SPINCOUNT=300000", "OMP_NUM_THREADS=1")
COUNTS: Final = {1: ("a training alone", 0.99), 2: ("each of two trainings at once", 1.0)}
"""How many train, in words, and what a setting must reach of the pace without it to be taken."""


def measure_sharing(setup: Setup) -> Iterator[Result]:
    """Pairs a second of each training, with each setting over without it, by turns.

    Raises:
        ReidTuiError: a training failed.
    """
    paces: dict[tuple[int, str], list[float]] = {(count, setting): [] for count in COUNTS for setting in SETTINGS}
    for number in range(setup.rounds):
        for (count, setting), found in paces.items():
            setup.talk(f"sharing: {COUNTS[count][0]}, {setting or 'as it is'}, round {number + 1} of {setup.rounds}")
            pace, device = _pace(setup, f"sharing-{number}-{count}-{setting}", setting, count)
            found.append(pace)
    for count, (what, least) in COUNTS.items():
        b = Side("as it is", tuple(paces[count, ""]))
        for setting in SETTINGS[1:]:
            a = Side(setting, tuple(paces[count, setting]))
            yield Result(
                name="sharing",
                what=what,
                unit="pairs/s",
                a=a,
                b=b,
                target=f">= {least:g}",
                met=median(x / y for x, y in zip(a.values, b.values, strict=True)) >= least,
                device=device,
            )


def _pace(setup: Setup, name: str, setting: str, count: int) -> tuple[float, str]:
    """Mean pairs a second of so many trainings that begin together, and their device."""
    folders = [setup.folder / f"{name}-{place}" for place in range(count)]
    variable, _, value = setting.partition("=")
    environ = os.environ | ({variable: value} if variable else {})
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for folder in folders:
            command = (*REID_TUI, "train", "--json", *setup.run_options(folder))
            processes.append(
                subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )
        codes = [process.wait(setup.timeout_s) for process in processes]
    except subprocess.TimeoutExpired as error:
        raise ReidTuiError(f"a training did not end within {setup.timeout_s:.0f} s; take fewer --steps") from error
    finally:
        for process in processes:
            process.kill()
            process.wait()
    if any(codes):
        raise ReidTuiError(f"a training ended with exit code {max(codes, key=abs)}")
    runs = [events_of(folder) for folder in folders]
    return sum(pairs_per_s(events, WARM_UP_STEPS) for events in runs) / count, device_of(runs[0])

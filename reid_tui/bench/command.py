"""`reid-tui bench`: runs the measurements one after the other and shows what they gave."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from reid_tui.bench.measurements import MEASUREMENTS
from reid_tui.bench.processes import Setup
from reid_tui.bench.rates import WARM_UP_STEPS
from reid_tui.bench.report import print_results, results_json, this_machine
from reid_tui.console import console_on, print_line
from reid_tui.data.idx.locate import places
from reid_tui.errors import OK, TERMINATED, UsageError, why

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from reid_tui.bench.report import Result

BUSY: Final = 0.25
"""Runnable processes for each core from which on other work shows in the numbers."""


def run_bench(*, rounds: int, steps: int, only: tuple[str, ...], as_json: bool, data: str, data_dir: str | None) -> int:
    """Measure, and write a table or one JSON object to stdout. Nothing is left on disk.

    Args:
        rounds: how often each of two compared things runs.
        steps: optimiser steps of each run.
        only: names of the measurements to take; empty for all.
        as_json: an object instead of the table.
        data: data set of the runs.
        data_dir: where it is searched first.

    Returns:
        The exit code: 0 when everything could be measured, whether or not it reached its target.

    Raises:
        SystemExit: on SIGTERM, after what is being measured was ended and the temporary files removed.
        UsageError: a number, a name or a folder that cannot be used.
        ReidTuiError: something that was measured failed.
    """
    if rounds < 1:
        raise UsageError(f"--rounds must be a whole number from 1 up, not {rounds}")
    if steps <= WARM_UP_STEPS:
        raise UsageError(f"--steps must be more than the {WARM_UP_STEPS} steps of warm-up, not {steps}")
    if unknown := [name for name in only if name not in MEASUREMENTS]:
        raise UsageError(f"--only must be one of {', '.join(MEASUREMENTS)}, not {unknown[0]!r}")
    places(data_dir)  # a screen that is measured would hide what is wrong with it
    talk = console_on(sys.stderr)
    results: list[Result] = []
    if warning := load_warning():
        print_line(talk, warning)
    with _ended_by_sigterm(), _temporary() as folder:
        setup = Setup(
            rounds=rounds,
            steps=steps,
            data=data,
            data_dir=data_dir,
            folder=Path(folder),
            talk=lambda line: print_line(talk, line),
        )
        for name, measure in MEASUREMENTS.items():
            if not only or name in only:
                results.extend(measure(setup))
    machine = this_machine(next((result.device for result in results if result.device), ""))
    if as_json:
        sys.stdout.write(json.dumps(results_json(results, machine, rounds, steps)) + "\n")
    else:
        print_results(console_on(sys.stdout), results, machine, rounds, steps)
    return OK


def _temporary() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="reid-tui-bench-")
    except OSError as error:
        raise UsageError(f"no folder for temporary files: {why(error)}; name one with TMPDIR") from error


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM unwind, so that no measured process outlives this one."""

    def unwind(_number: int, _frame: FrameType | None) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # `timeout` sends it twice, and the second would break this off
        raise SystemExit(TERMINATED)

    previous = signal.signal(signal.SIGTERM, unwind)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def load_warning() -> str:
    """A sentence where other processes keep the machine busy, so that numbers would say little."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load <= BUSY * cores:
        return ""
    return f"other work keeps this machine busy (load {load:.1f} on {cores} cores): expect numbers that are too low"

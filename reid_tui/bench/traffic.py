"""How many bytes the dashboard writes while it trains: what a slow line to a far machine has to carry."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from reid_tui.bench.processes import REID_TUI, Setup, device_of, events_of, last_line, until_training
from reid_tui.bench.report import Result, Side
from reid_tui.bench.terminal import Terminal
from reid_tui.errors import ReidTuiError
from reid_tui.training.events import Progress, ends_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reid_tui.bench.terminal import Chunk

WINDOW_S: Final = 60.0
_KIB: Final = 1024


class Case(NamedTuple):
    """A terminal, and how much may be written to it."""

    label: str
    columns: int
    rows: int
    target_kib_per_s: float
    options: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()


CASES: Final = (
    Case("default", 120, 40, 12.0),
    Case("--fps 2", 80, 24, 3.0, options=("--fps", "2")),
    Case("over SSH", 120, 40, 10.0, variables=(("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22"),)),
)


def measure_bytes(setup: Setup) -> Iterator[Result]:
    """KiB in each second of the first minute of training; all else as a person finds it.

    Raises:
        ReidTuiError: the dashboard ended, or did not get to train.
    """
    for number, case in enumerate(CASES):
        what = f"written at {case.columns}x{case.rows}, {case.label}"
        setup.talk(f"bytes: {what}, for {WINDOW_S:.0f} s")
        runs_dir = setup.folder / f"bytes-{number}"
        command = (*REID_TUI, *setup.data_options, *case.options, "--runs-dir", str(runs_dir))
        with Terminal(command, case.columns, case.rows, dict(case.variables)) as terminal:
            until_training(terminal, runs_dir, steps=1)
            clock = time.time() - time.perf_counter()
            began = next(event.time for event in events_of(runs_dir) if isinstance(event, Progress)) - clock
            time.sleep(max(began + WINDOW_S - time.perf_counter(), 0))
            if not terminal.running:
                raise ReidTuiError(f"the dashboard ended while its bytes were counted: {last_line(terminal)}")
            chunks, events = terminal.chunks, events_of(runs_dir)
        steps = [event for event in events if isinstance(event, Progress)]
        ended = next((event.time - clock for event in events if ends_run(event)), math.inf)
        seconds = min(ended - began, WINDOW_S)
        values = kib_by_second(chunks, began, seconds)
        mean = sum(values) / len(values)
        pace = (steps[-1].step - steps[0].step) / max(steps[-1].time - steps[0].time, 1e-9)
        yield Result(
            name="bytes",
            what=what,
            unit="KiB/s",
            a=Side("each second", values),
            target=f"mean <= {case.target_kib_per_s:g}",
            met=mean <= case.target_kib_per_s,
            device=device_of(events),
            note=f"{case.label}: mean {mean:.1f} KiB/s over the {len(values)} s from the first step on, "
            f"{pace:.0f} steps/s",
        )


def kib_by_second(chunks: Sequence[Chunk], began: float, seconds: float) -> tuple[float, ...]:
    """KiB read from a terminal in each whole second.

    Args:
        chunks: all that was read.
        began: start of the first second, as the chunks' times.
        seconds: how long; what is left after the last whole second does not count, unless it is the only one.

    Returns:
        One value a second, at least one.
    """
    whole = max(math.floor(seconds + 1e-6), 1)
    sums = [0] * whole
    for chunk in chunks:
        if 0 <= (second := math.floor(chunk.at - began)) < whole:
            sums[second] += len(chunk.data)
    return tuple(value / _KIB for value in sums)

"""What the dashboard's own thread takes of a processor core while it trains."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reid_tui.bench.processes import REID_TUI, Setup, device_of, events_of, last_line, until_training
from reid_tui.bench.report import Result, Side
from reid_tui.bench.terminal import COLUMNS, ROWS, Terminal
from reid_tui.errors import ReidTuiError

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET_PERCENT: Final = 2.5
WINDOW_S: Final = 10.0
_EPOCHS: Final = "20"
"""Long enough to be watched, short enough that each step is logged as in a usual run."""


def measure_cost(setup: Setup) -> Iterator[Result]:
    """Percent of a core in several stretches of training, without a key.

    Raises:
        ReidTuiError: the dashboard ended, or did not get to train.
    """
    runs_dir = setup.folder / "screen"
    command = (*REID_TUI, *setup.data_options, "--epochs", _EPOCHS, "--runs-dir", str(runs_dir))
    percents = []
    with Terminal(command) as terminal:
        until_training(terminal, runs_dir)
        for number in range(setup.rounds):
            setup.talk(f"screen: {WINDOW_S:.0f} s, round {number + 1} of {setup.rounds}")
            before = time.perf_counter(), processor_s(terminal.pid)
            time.sleep(WINDOW_S)
            if not terminal.running:
                raise ReidTuiError(f"the dashboard ended while its thread was watched: {last_line(terminal)}")
            percents.append(100 * (processor_s(terminal.pid) - before[1]) / (time.perf_counter() - before[0]))
        device = device_of(events_of(runs_dir))
    yield Result(
        name="screen",
        what=f"dashboard's thread {COLUMNS}x{ROWS}",
        unit="% of a core",
        a=Side("dashboard", tuple(percents)),
        target=f"median <= {TARGET_PERCENT:g}",
        met=sorted(percents)[len(percents) // 2] <= TARGET_PERCENT,
        device=device,
        note=f"stretches of {WINDOW_S:.0f} s without a key, evaluations among them",
    )


def processor_s(parent: int) -> float:
    """Seconds that the main thread of the only child of a process has run."""
    child = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()[0]
    return int(Path(f"/proc/{child}/task/{child}/schedstat").read_text().split()[0]) / 1e9

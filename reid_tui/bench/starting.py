"""From the shell to the dashboard's first picture, and to the first step of training."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, Final

from reid_tui.bench.processes import REID_TUI, device_of, events_of, last_line, until_training
from reid_tui.bench.report import Result, Side
from reid_tui.bench.terminal import COLUMNS, ROWS, Terminal
from reid_tui.errors import ReidTuiError
from reid_tui.training.events import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reid_tui.bench.processes import Setup
    from reid_tui.bench.terminal import Chunk

FRAME_TARGET_S: Final = 0.8
STEP_TARGET_S: Final = 4.0
_SHOWN: Final = b"LOADING"


def measure_start(setup: Setup) -> Iterator[Result]:
    """Start the dashboard on a new run, as often as there are rounds.

    Raises:
        ReidTuiError: it ended, or showed nothing.
    """
    frames, steps, device = [], [], ""
    for number in range(setup.rounds):
        setup.talk(f"start: round {number + 1} of {setup.rounds}")
        runs_dir = setup.folder / f"start-{number}"
        began, clock = time.perf_counter(), time.time() - time.perf_counter()
        with Terminal((*REID_TUI, *setup.data_options, "--runs-dir", str(runs_dir))) as terminal:
            until_training(terminal, runs_dir, steps=1)
            frames.append(first_shown(terminal.chunks, last_line(terminal)) - began)
            events = events_of(runs_dir)
        steps.append(next(event.time for event in events if isinstance(event, Progress)) - clock - began)
        device = device_of(events)
    for what, seconds, target in (("first frame", frames, FRAME_TARGET_S), ("first step", steps, STEP_TARGET_S)):
        yield Result(
            name="start",
            what=f"dashboard {COLUMNS}x{ROWS} to its {what}",
            unit="s",
            a=Side("reid-tui", tuple(seconds)),
            target=f"median <= {target:g}",
            met=median(seconds) <= target,
            device=device,
        )


def first_shown(chunks: Sequence[Chunk], line: str) -> float:
    """When the dashboard stood on the screen, as the chunks' times.

    Args:
        chunks: all that was read.
        line: told where it never did.

    Raises:
        ReidTuiError: it never did.
    """
    for chunk in chunks:
        if _SHOWN in chunk.data:
            return chunk.at
    raise ReidTuiError(f"the dashboard was not shown: {line}")

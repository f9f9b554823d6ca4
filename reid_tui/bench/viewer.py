"""What it takes to look at a run of another process: seconds until it is shown, and memory meanwhile."""

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

START_TARGET_S: Final = 1.0
MEMORY_TARGET_MIB: Final = 80.0
PANELS_TARGET_MIB: Final = 110.0
EXTRAS: Final = b"678"
"""Keys of the panels that are hidden at first."""
LARGE: Final = (200, 60)
"""Columns and rows in which all panels are shown at once."""
WATCHED_S: Final = 10.0
_EPOCHS: Final = "1000"
_LONGEST_S: Final = 60.0
_SHOWN: Final = b"TRAINING"
_LOOK_S: Final = 0.01
_MIB: Final = 1024**2


def measure_viewer(setup: Setup) -> Iterator[Result]:
    """Attach to a run that trains, as often as there are rounds.

    Raises:
        ReidTuiError: the run or the viewer ended, or nothing was shown.
    """
    runs_dir = setup.folder / "viewer"
    command = (*REID_TUI, "train", *setup.data_options, "--epochs", _EPOCHS, "--runs-dir", str(runs_dir))
    seconds: list[float] = []
    mib: list[float] = []
    all_panels: list[float] = []
    with Terminal(command) as trainer:
        until_training(trainer, runs_dir)
        for number in range(setup.rounds):
            setup.talk(f"viewer: round {number + 1} of {setup.rounds}")
            shown, occupied = _attached(runs_dir)
            seconds.append(shown)
            mib.append(occupied)
            all_panels.append(_attached(runs_dir, EXTRAS, *LARGE)[1])
        device = device_of(events_of(runs_dir))
    yield Result(
        name="viewer",
        what="attach until the run is shown",
        unit="s",
        a=Side("reid-tui attach", tuple(seconds)),
        target=f"median <= {START_TARGET_S:g}",
        met=sorted(seconds)[len(seconds) // 2] <= START_TARGET_S,
        device=device,
        note="beside a run that trains on the same processor cores",
    )
    yield Result(
        name="viewer",
        what=f"attached viewer {COLUMNS}x{ROWS}",
        unit="MiB",
        a=Side("with its parent, at most", tuple(mib)),
        target=f"<= {MEMORY_TARGET_MIB:g}",
        met=max(mib) <= MEMORY_TARGET_MIB,
        device=device,
        note=f"looked at for {WATCHED_S:.0f} s; of memory that processes share, each counts its part",
    )

    yield Result(
        name="viewer",
        what=f"attached viewer {LARGE[0]}x{LARGE[1]}, all panels shown",
        unit="MiB",
        a=Side("with its parent, at most", tuple(all_panels)),
        target=f"<= {PANELS_TARGET_MIB:g}",
        met=max(all_panels) <= PANELS_TARGET_MIB,
        device=device,
        note="the images of the scored split opened too",
    )


def _attached(runs_dir: Path, keys: bytes = b"", columns: int = COLUMNS, rows: int = ROWS) -> tuple[float, float]:
    """Seconds from the start until the running state is shown, and the most MiB that the viewer occupied with keys."""
    began = time.perf_counter()
    with Terminal((*REID_TUI, "attach", "--runs-dir", str(runs_dir)), columns, rows) as terminal:
        while not any(_SHOWN in chunk.data for chunk in terminal.chunks):
            if not terminal.running or time.perf_counter() > began + _LONGEST_S:
                raise ReidTuiError(f"the viewer showed no run: {last_line(terminal)}")
            time.sleep(_LOOK_S)
        shown = next(chunk.at for chunk in terminal.chunks if _SHOWN in chunk.data) - began
        for key in keys:
            terminal.press(bytes([key]))
        most = 0
        until = time.perf_counter() + WATCHED_S
        while time.perf_counter() < until and terminal.running:
            most = max(most, occupied_bytes(terminal.pid))
            time.sleep(0.2)
    return shown, most / _MIB


def occupied_bytes(pid: int) -> int:
    """What a process and its children occupy of the memory; each page is shared out among those who have it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = Path(f"/proc/{pid}/smaps_rollup").read_text().partition("\nPss:")[2].split()[0]
    return int(own) * 1024 + sum(occupied_bytes(int(child)) for child in children)

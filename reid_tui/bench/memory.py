"""What the screen occupies of the memory, in the long run and at all."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

from reid_tui.bench.processes import Setup, last_line
from reid_tui.bench.report import Result, Side
from reid_tui.bench.simulated_day import TICK_S
from reid_tui.bench.terminal import COLUMNS, ROWS, Terminal
from reid_tui.errors import OK, ReidTuiError

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY: Final = (sys.executable, "-m", "reid_tui.bench.simulated_day")
HOURS: Final = 24
GROWTH_TARGET_MIB: Final = 8.0
"""From the end of the first hour on: the scores and the log fill up to their bounds for a while after it."""
_LONGEST_S: Final = 3600.0
_MIB: Final = 1024**2


def measure_memory(setup: Setup) -> Iterator[Result]:
    """MiB that the dashboard occupies at the end of each hour of a made-up day, torch not among them.

    Raises:
        ReidTuiError: the day did not come to its end.
    """
    setup.talk(f"memory: {HOURS} hours of events through the dashboard")
    file = setup.folder / "memory"
    with Terminal((*DAY, str(file), str(HOURS))) as terminal:
        try:
            code = terminal.wait(_LONGEST_S)
        except subprocess.TimeoutExpired as error:
            raise ReidTuiError(f"a day of events did not pass within {_LONGEST_S:.0f} s") from error
        if code != OK:
            raise ReidTuiError(f"the screen ended with exit code {code} within a day: {last_line(terminal)}")
    values = tuple(int(line) / _MIB for line in file.read_text().split())
    growth = values[-1] - values[0]
    yield Result(
        name="memory",
        what=f"dashboard {COLUMNS}x{ROWS}, {HOURS} hours",
        unit="MiB",
        a=Side("each hour's end", values),
        target=f"growth <= {GROWTH_TARGET_MIB:g}",
        met=len(values) == HOURS and growth <= GROWTH_TARGET_MIB,
        note=f"{growth:+.1f} MiB from the end of the first hour to the end of the last; the screen without torch, "
        f"fed with {TICK_S} s of events at each of its {HOURS * 3600 // TICK_S:,} ticks",
    )

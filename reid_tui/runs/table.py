"""What `reid-tui runs` prints: the runs as a table, or as JSON."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from reid_tui.console import WIDEST, print_line
from reid_tui.text import printable
from reid_tui.view.text import UNKNOWN, amount, count, fixed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from reid_tui.runs.overview import RunSummary

COLUMNS: Final = ("run", "state", "data", "steps", "loss", "mAP", "margin", "age", "size")
DROPPED: Final = ("data", "size", "margin", "age", "loss", "mAP", "steps")
"""In this order where the terminal is too narrow for all."""
_LEFT: Final = ("run", "state", "data")
_COLORS: Final = {"running": "green", "paused": "yellow", "failed": "red", "crashed": "red", "diverged": "red"}
_STATES: Final = {"unreadable": "not readable for you"}
_AGES: Final = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_SIZES: Final = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def to_json(runs: Sequence[RunSummary]) -> str:
    """One JSON array in plain ASCII; what is not known is null."""
    return encoded([_as_object(run) for run in runs])


def encoded(objects: list[dict[str, Any]]) -> str:
    """One JSON array in plain ASCII."""
    # DEL is the one control character that the encoder leaves as it is.
    return json.dumps(objects, indent=2, allow_nan=False).replace("\x7f", "\\u007f")


def _as_object(run: RunSummary) -> dict[str, Any]:
    return {
        "name": run.name,
        "path": str(run.path),
        "state": run.status,
        "pid": run.pid or None,
        "data": run.data,
        "step": run.step,
        "total_steps": run.total_steps,
        "loss": run.loss,
        "map": run.map,
        "map_step": run.map_step,
        "margin": run.margin,
        "started": run.started,
        "time": run.time,
        "age_s": run.age_s,
        "bytes": run.size,
    }


def print_runs(console: Console, runs: Sequence[RunSummary]) -> None:
    """Print the table."""
    print_rows(console, [_cells(run) for run in runs], COLUMNS, DROPPED, _LEFT)


def print_rows(
    console: Console,
    rows: Sequence[Mapping[str, Text]],
    columns: Sequence[str],
    dropped: Sequence[str],
    left: Sequence[str],
) -> None:
    """Print rows; where the console is too narrow for them columns are left out.

    Args:
        console: where to.
        rows: a cell for each column.
        columns: in their order; the first is folded where nothing else helps.
        dropped: what is left out, in this order.
        left: columns whose cells begin at the left.
    """
    shown = list(columns)
    table = _table(rows, shown, left)
    left_out = []
    for name in dropped:
        if _width(console, table) <= console.width:
            break
        shown.remove(name)
        left_out.append(name)
        table = _table(rows, shown, left)
    console.print(table)
    if left_out:
        note = f"not shown for want of width: {', '.join(left_out)}; --json has everything"
        print_line(console, note, style="dim")


def _width(console: Console, table: Table) -> int:
    """Cells that the table needs so that nothing in it is cut or folded."""
    return Measurement.get(console, console.options.update(width=WIDEST), table).maximum


def _table(rows: Sequence[Mapping[str, Text]], columns: Sequence[str], left: Sequence[str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in columns:
        first = name == columns[0]
        table.add_column(
            name,
            justify="left" if name in left else "right",
            no_wrap=not first,
            min_width=8 if first else None,
            overflow="fold" if first else "ellipsis",
        )
    for row in rows:
        table.add_row(*(row[name] for name in columns))
    return table


def _cells(run: RunSummary) -> dict[str, Text]:
    status = f"{run.status} {run.pid}" if run.status == "running" and run.pid else _STATES.get(run.status, run.status)
    steps = f"{_count(run.step)}/{_count(run.total_steps)}"
    texts = {
        "run": printable(run.name),
        "data": printable(run.data, 40) if run.data else UNKNOWN,
        "steps": steps if run.step is not None or run.total_steps is not None else UNKNOWN,
        "loss": fixed(or_nan(run.loss), 4),
        "mAP": fixed(or_nan(run.map), 3) + ("" if run.map_step is None else f" @{count(run.map_step)}"),
        "margin": amount(or_nan(run.margin)),
        "age": age(run.age_s),
        "size": size(run.size),
    }
    return {"state": Text(status, style=_COLORS.get(run.status, ""))} | {k: Text(v) for k, v in texts.items()}


def age(seconds: float | None) -> str:
    """Seconds in the largest unit of which there is one whole: 45 s, 5 min, 2 h, 3 d."""
    if seconds is None:
        return UNKNOWN
    per_unit, unit = next((item for item in _AGES if seconds >= item[0]), _AGES[-1])
    return f"{int(seconds // per_unit)} {unit}"


def size(in_bytes: int) -> str:
    """Bytes in decimal units: 950 B, 13.2 MB."""
    for per_unit, unit in _SIZES:
        if in_bytes >= per_unit:
            return f"{in_bytes / per_unit:.1f} {unit}"
    return f"{in_bytes} B"


def _count(value: int | None) -> str:
    return UNKNOWN if value is None else count(value)


def or_nan(value: float | None) -> float:
    """The value, NaN for none."""
    return math.nan if value is None else value

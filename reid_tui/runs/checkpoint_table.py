"""What `reid-tui runs show` prints: the checkpoints of a run as a table, or as JSON."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from reid_tui.runs.checkpoints import CHEAP
from reid_tui.runs.table import age, encoded, or_nan, print_rows, size
from reid_tui.text import printable
from reid_tui.training.splits import VALIDATION
from reid_tui.view.text import UNKNOWN, count, fixed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from reid_tui.runs.checkpoints import SavedCheckpoint

COLUMNS: Final = ("step", "age", "reason", "loss", "mAP", "rank-1", "size", "mark")
_DROPPED: Final = ("size", "reason", "age", "rank-1", "loss")
_LEFT: Final = ("reason", "mark")
_COLORS: Final = {"diverged": "red", "damaged": "red", "good": ""}


def to_json(found: Sequence[SavedCheckpoint]) -> str:
    """One JSON array in plain ASCII; what is not known is null."""
    return encoded([_as_object(item) for item in found])


def _as_object(item: SavedCheckpoint) -> dict[str, Any]:
    value = dataclasses.asdict(item) | {"path": str(item.path)}
    value["bytes"] = value.pop("size")
    return value


def print_checkpoints(console: Console, found: Sequence[SavedCheckpoint]) -> None:
    """Print the table, and what it takes to read it."""
    print_rows(console, [_cells(item) for item in found], COLUMNS, _DROPPED, _LEFT)
    notes = [f"step {item.step}: {printable(item.why, 300)}" for item in found if item.state == "damaged"]
    if any(item.split == VALIDATION for item in found):
        notes.append("mAP and rank-1 are of the validation, which chooses the best; the run reports on other images")
    if any(item.checked == "size" for item in found):
        notes.append(f"of files above {size(CHEAP)} the size was checked, not the content")
    for note in notes:
        console.print(Text(note, style="dim"), soft_wrap=True)


def _cells(item: SavedCheckpoint) -> dict[str, Text]:
    marks = {
        "newest: --resume takes it": item.newest,
        "kept as the best": item.best,
        "kept as asked for": item.asked,
        "passed over": item.passed_over,
        item.state: item.state != "good",
    }
    texts = {
        "step": count(item.step),
        "age": age(None if item.time is None else max(0.0, time.time() - item.time)),
        "reason": printable(item.reason, 20) if item.reason else UNKNOWN,
        "loss": fixed(or_nan(item.loss), 4),
        "mAP": fixed(or_nan(item.map), 3),
        "rank-1": fixed(or_nan(item.rank1), 3),
        "size": size(item.size),
    }
    mark = Text(", ".join(name for name, holds in marks.items() if holds), style=_COLORS[item.state])
    return {"mark": mark} | {name: Text(text) for name, text in texts.items()}

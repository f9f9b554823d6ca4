"""How much memory a run finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reid_tui.doctor.cgroup import ROOT, memory_limit
from reid_tui.doctor.rows import Row
from reid_tui.runs.table import size

if TYPE_CHECKING:
    from pathlib import Path

TIGHT: Final = 2 * 10**9
"""Bytes. A run on the CPU takes half of it."""
TOO_LITTLE: Final = 500 * 10**6


def memory_row(root: Path = ROOT) -> Row:
    """What is there, what is left, and what the control group leaves of it.

    Raises:
        OSError: /proc or a control group cannot be read.
        ValueError: they hold something unknown.
    """
    facts = {}
    for line in (root / "proc/meminfo").read_text(errors="replace").splitlines():
        name, _, amount = line.partition(":")
        facts[name] = int(amount.split()[0]) * 1024
    if not {"MemTotal", "MemAvailable"} <= facts.keys():
        raise ValueError("/proc/meminfo tells no MemTotal or no MemAvailable")
    total, left = facts["MemTotal"], facts["MemAvailable"]
    text = f"{size(left)} of {size(total)} are free"
    group = memory_limit(root)
    if group is not None and group.limit < total:
        text += f"; the control group leaves {size(group.left)} of {size(group.limit)}"
        left = min(left, group.left)
    if left >= TIGHT:
        return Row("memory", "ok", text)
    remedy = "end what else runs, or ask for more memory: a run takes about 1 GB, less with a smaller --batch-size"
    return Row("memory", "problem" if left < TOO_LITTLE else "note", text, remedy)

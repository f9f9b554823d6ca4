"""Results of measurements, as a table for a person and as JSON for a program."""

from __future__ import annotations

import math
import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from reid_tui.console import print_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two things that are compared, or the only one."""

    label: str
    values: tuple[float, ...]
    """One a round (or a key press), in their order."""

    def spread(self) -> tuple[float, float, float]:
        """Minimum, median and maximum; NaN without values."""
        if not self.values:
            return math.nan, math.nan, math.nan
        return min(self.values), median(self.values), max(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A measurement held against what it must reach."""

    name: str
    what: str
    unit: str
    a: Side
    b: Side | None = None
    compared: bool = True
    """Whether A over B means something."""
    target: str
    met: bool
    device: str = ""
    """That was trained on; empty where nothing was."""
    note: str = ""

    def ratios(self) -> tuple[float, ...]:
        """A over B of each round; empty where they do not compare."""
        if self.b is None or not self.compared:
            return ()
        return tuple(a / b for a, b in zip(self.a.values, self.b.values, strict=True))


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured."""

    cpu: str
    cores: int
    """That this process may use."""
    torch: str
    python: str
    device: str
    """That the runs trained on; empty where none did."""

    def __str__(self) -> str:
        device = f", device {self.device}" if self.device else ""
        return f"{self.cpu}, {self.cores} cores, torch {self.torch}, Python {self.python}{device}"


def this_machine(device: str, cpuinfo: Path = Path("/proc/cpuinfo")) -> Machine:
    """Describe the machine without importing torch."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    affinity = getattr(os, "sched_getaffinity", None)
    return Machine(
        cpu=models[0] if models else platform.processor() or platform.machine(),
        cores=len(affinity(0)) if affinity else os.cpu_count() or 1,
        torch=version("torch"),
        python=platform.python_version(),
        device=device,
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least so many percent of all do not exceed; NaN without values."""
    if not values:
        return math.nan
    return sorted(values)[max(math.ceil(percent / 100 * len(values)), 1) - 1]


def number(value: float) -> str:
    """For the table: no more digits than a reader compares."""
    if not math.isfinite(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def print_results(console: Console, results: Sequence[Result], machine: Machine, rounds: int, steps: int) -> None:
    """A table, and below it what was measured on."""
    console.print(_table(results))
    print_line(console, f"{machine}.")
    print_line(console, f"Rounds: {rounds}, steps of a run: {steps}, A and B in turn.")
    for result in results:
        if result.note:
            print_line(console, f"{result.note}.", f"{result.name}: ")


def _table(results: Sequence[Result]) -> Table:
    """A row for each side of a result: minimum, median and maximum; then the median ratio A / B and the target."""
    table = Table(title="reid-tui bench", box=SIMPLE_HEAD)
    for heading in ("what", "A, B", "min", "median", "max", "A / B", "target", "met"):
        numeric = heading in ("min", "median", "max", "A / B")
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=numeric, overflow="fold")
    for result in results:
        ratios = result.ratios()
        what = Text(f"{result.what} [{result.unit}]")
        ratio = Text(f"{median(ratios):.3f}" if ratios else "")
        met = Text("yes" if result.met else "NO", style="green" if result.met else "bold red")
        sides = [result.a] if result.b is None else [result.a, result.b]
        first, *rest = [(Text(side.label), *(Text(number(value)) for value in side.spread())) for side in sides]
        table.add_row(what, *first, ratio, Text(result.target), met, end_section=not rest)
        for row in rest:
            table.add_row("", *row, end_section=True)
    return table


def results_json(results: Sequence[Result], machine: Machine, rounds: int, steps: int) -> dict[str, Any]:
    """The same as one JSON object, with every single value."""
    return {
        "machine": {
            "cpu": machine.cpu,
            "cores": machine.cores,
            "torch": machine.torch,
            "python": machine.python,
            "device": machine.device,
        },
        "rounds": rounds,
        "steps": steps,
        "results": [
            {
                "name": result.name,
                "what": result.what,
                "unit": result.unit,
                "a": _side_json(result.a),
                "b": None if result.b is None else _side_json(result.b),
                "ratio": _spread_json(result.ratios()) if result.ratios() else None,
                "target": result.target,
                "met": result.met,
                "note": result.note,
            }
            for result in results
        ],
    }


def _side_json(side: Side) -> dict[str, Any]:
    return {"label": side.label, **_spread_json(side.values)}


def _spread_json(values: tuple[float, ...]) -> dict[str, Any]:
    low, middle, high = (value if math.isfinite(value) else None for value in Side("", values).spread())
    return {"values": list(values), "min": low, "median": middle, "max": high}

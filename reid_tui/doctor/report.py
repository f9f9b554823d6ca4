"""`reid-tui doctor`: all rows, as a table for a person or as JSON for a program."""

from __future__ import annotations

import json
import os
import platform
import sys
from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from reid_tui import __version__
from reid_tui.console import console_on
from reid_tui.cores import Cores
from reid_tui.doctor.data_sets import data_rows
from reid_tui.doctor.devices import device_rows, torch_rows
from reid_tui.doctor.extras import extra_rows
from reid_tui.doctor.memory import memory_row
from reid_tui.doctor.probe import ask_torch
from reid_tui.doctor.processor import busy_row, instructions_row, threads_row
from reid_tui.doctor.rows import NOTHING_TO_DO, Row
from reid_tui.doctor.screen import screen_rows, screen_size
from reid_tui.doctor.storage import storage_rows
from reid_tui.errors import FAILURE, OK, cause
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from rich.console import Console

_STYLES: Final = {"ok": "green", "note": "yellow", "problem": "bold red"}
_LONGEST: Final = 1000


def run_doctor(runs_dir: Path, data_dir: str | None, *, as_json: bool) -> int:
    """Print what this machine gives a run.

    Args:
        runs_dir: where runs would be kept.
        data_dir: where data files are said to lie; None where nothing is said.
        as_json: one JSON object instead of the table.

    Returns:
        The exit code: 1 where a row is a problem.
    """
    with console_on(sys.stderr).status("asking torch and its devices"):
        rows = examine(runs_dir, data_dir)
    if as_json:
        sys.stdout.write(to_json(rows) + "\n")
    else:
        print_rows(console_on(sys.stdout), rows)
    return FAILURE if count(rows, "problem") else OK


def examine(runs_dir: Path, data_dir: str | None) -> list[Row]:
    """Every row, in the table's order."""
    environ, cores = os.environ, Cores()
    found = ask_torch()
    shared = cores.shared()
    gpu = any(device.name.startswith("cuda") for device in found.devices)
    checks: tuple[tuple[str, Callable[[], Iterable[Row]]], ...] = (
        ("python", lambda: [_python()]),
        ("torch", lambda: torch_rows(found)),
        ("device", lambda: device_rows(found, environ)),
        ("instructions", lambda: [instructions_row(found.capability, environ, platform.machine())]),
        ("threads", lambda: [threads_row(found.threads, environ)]),
        ("other work", lambda: [busy_row(shared, found.threads)]),
        ("memory", lambda: [memory_row()]),
        ("terminal", lambda: screen_rows(environ, screen_size())),
        ("data folders", lambda: data_rows(data_dir)),
        ("runs folder", lambda: storage_rows(runs_dir)),
        ("extras", lambda: extra_rows(gpu=gpu)),
    )
    return [row for topic, check in checks for row in told(topic, check)]


def told(topic: str, check: Callable[[], Iterable[Row]]) -> Iterator[Row]:
    """What a check finds; what it cannot find out leaves the others."""
    try:
        yield from check()
    except Exception as error:
        yield Row(topic, "note", f"cannot be told: {cause(error)}", f"{NOTHING_TO_DO}: a run does not need it")


def _python() -> Row:
    return Row(
        "python", "ok", f"{platform.python_version()} on {platform.platform(terse=True)}, reid-tui {__version__}"
    )


def count(rows: Iterable[Row], status: str) -> int:
    """Rows of a status."""
    return sum(row.status == status for row in rows)


def to_json(rows: Sequence[Row]) -> str:
    """One JSON object in plain ASCII."""
    fields = ("topic", "status", "text", "remedy")
    listed = [{name: printable(getattr(row, name), _LONGEST) for name in fields} for row in rows]
    return json.dumps({"rows": listed, "problems": count(rows, "problem")}, indent=2)


def print_rows(console: Console, rows: Sequence[Row]) -> None:
    """Print the table and what it adds up to."""
    table = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        finding = Text(printable(row.text, _LONGEST))
        if row.remedy:
            finding.append("\nremedy: ", "bold").append(printable(row.remedy, _LONGEST))
        table.add_row(Text(printable(row.topic)), Text(row.status, _STYLES[row.status]), finding)
    with console.capture() as captured:
        console.print(table)
    console.file.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())
    problems, notes = count(rows, "problem"), count(rows, "note")
    told = f"{problems or 'no'} problem{'' if problems == 1 else 's'}, {notes or 'no'} note{'' if notes == 1 else 's'}"
    console.print(Text(told, "bold red" if problems else "bold"))

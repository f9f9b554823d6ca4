"""What the commands share that look through pictures with a trained network."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reid_tui.cli import options as opt
from reid_tui.cli.dashboard import PROG
from reid_tui.data.catalog import PREFIXES, SPECS
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reid_tui.data.catalog import Report
    from reid_tui.using.model import Model


def pictures_argument(metavar: str, text: str) -> Any:  # noqa: ANN401
    """An argument that names pictures in any way there is."""
    return typer.Argument(metavar=metavar, help=text, autocompletion=opt.words(*SPECS, *PREFIXES))


def out_option(text: str) -> Any:  # noqa: ANN401
    """The file to write."""
    return typer.Option(
        "-o", metavar="FILE", help=text, parser=lambda path: opt.expanded(path, "-o"), rich_help_panel=opt.OUTPUT
    )


Force = Annotated[bool, typer.Option("--force", help="Replace what is there.", rich_help_panel=opt.OUTPUT)]


def opened(run: str, runs_dir: str, device: str, report: Report) -> Model:
    """Open the network of a run or a file.

    Raises:
        ReidTuiError: it cannot be used.
    """
    report("opening the network")
    from reid_tui.using.model import open_model

    return open_model(run, Path(runs_dir), device=device)


def tell(lines: Iterable[str]) -> None:
    """Say something beside the answer."""
    for line in lines:
        print(f"{PROG}: {printable(line, 1000)}", file=sys.stderr)


def about(model: Model) -> tuple[str, ...]:
    """What is to be said of a network whose threshold was asked for."""
    name = printable(model.name)
    late = () if model.card.fitted else (f"{name} has no threshold of its own; one was fitted on its data",)
    return (*model.note, *late)


def print_object(value: dict[str, Any]) -> None:
    """As JSON, of which no terminal takes anything for a command."""
    print(json.dumps(value, indent=2, allow_nan=False).replace("\x7f", "\\u007f"))


def print_rows(rows: Iterable[Iterable[str]]) -> None:
    """As CSV."""
    csv.writer(sys.stdout, lineterminator="\n").writerows(rows)

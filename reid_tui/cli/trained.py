"""What the commands share that put a trained network to work."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reid_tui.cli import options as opt
from reid_tui.cli.dashboard import PROG
from reid_tui.data.catalog import PREFIXES, SPECS
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reid_tui.data.catalog import Report
    from reid_tui.using.model import Model

Far = Annotated[
    float | None,
    opt.option(
        "far", "X", "The threshold fitted for this rate of false acceptance. [equal error]", opt.OUTPUT, opt.reader("far")
    ),
]
Prior = Annotated[
    float,
    opt.option("prior", "P", "Share of same pairs among those that you ask about.", opt.OUTPUT, opt.reader("prior")),
]


def pictures_argument(metavar: str, text: str) -> typer.models.ArgumentInfo:
    """An argument that names pictures in any way."""
    return typer.Argument(metavar=metavar, help=text, autocompletion=opt.words(*SPECS, *PREFIXES))


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

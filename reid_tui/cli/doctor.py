"""`reid-tui doctor`: what this machine gives a run."""

from pathlib import Path
from typing import Annotated

import typer

from reid_tui.cli import options as opt


def doctor(
    runs_dir: opt.RunsDir = "runs",
    data_dir: opt.DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> int:
    """Show what this machine gives a run.

    Each row is ok, a note, or a problem with its remedy; with a problem the exit code is 1.
    """
    from reid_tui.doctor.report import run_doctor

    return run_doctor(Path(runs_dir), data_dir, as_json=as_json)

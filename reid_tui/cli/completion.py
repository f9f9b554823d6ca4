"""What the shell is offered for RUN. Read from the runs folder at each press of tab, so nothing large is imported."""

import os
import re
from pathlib import Path
from typing import Final

import typer

from reid_tui.errors import ReidTuiError
from reid_tui.runs.directory import LATEST, run_folders

_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""Names that no shell takes for anything else."""
_MOST: Final = 200


def complete_run(context: typer.Context, incomplete: str) -> list[str]:
    """The newest runs by their names, and latest; where a path is begun, the shell's own completion goes on."""
    asked = context.params.get("runs_dir") or os.environ.get("REID_TUI_RUNS") or "runs"
    try:
        names = [folder.name for folder in run_folders(Path(asked))[:_MOST]]
    except ReidTuiError:
        return []
    return [name for name in (LATEST, *names) if name.startswith(incomplete) and _SAFE.fullmatch(name)]

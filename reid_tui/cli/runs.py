"""`reid-tui runs`: the runs in a folder, and what is done with them."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from reid_tui.cli import options as opt
from reid_tui.cli.dashboard import PROG, refuse_typed_before
from reid_tui.errors import UsageError
from reid_tui.text import printable


def list_runs(
    context: typer.Context,
    runs_dir: opt.RunsDir = "runs",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array on stdout.")] = False,
) -> int:
    """List the runs, newest first."""
    if context.invoked_subcommand is not None:
        refuse_typed_before(context, context.invoked_subcommand)
        return 0
    from reid_tui.console import console_on
    from reid_tui.runs import overview, table

    found = overview.list_runs(Path(runs_dir))
    if as_json:
        print(table.to_json(found))
    elif found:
        table.print_runs(console_on(sys.stdout), found)
    else:
        none = f"no run in {runs_dir!r} yet; start one with '{PROG} train' or name --runs-dir"
        print(f"{PROG}: {printable(none, 1000)}", file=sys.stderr)
    return 0


def show_run(
    run: Annotated[str, opt.RunArgument],
    runs_dir: opt.RunsDir = "runs",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array on stdout.")] = False,
) -> int:
    """List the checkpoints of a run.

    Newest first; `--resume RUN --at STEP` goes on from one.
    """
    from reid_tui.console import console_on
    from reid_tui.runs import checkpoint_table, checkpoints
    from reid_tui.runs.directory import RunDirectory, locate_run

    folder = RunDirectory(locate_run(run, Path(runs_dir)))
    found = checkpoints.list_checkpoints(folder)
    if as_json:
        print(checkpoint_table.to_json(found))
    elif found:
        checkpoint_table.print_checkpoints(console_on(sys.stdout), found)
    else:
        print(f"{PROG}: no checkpoint in {printable(folder.path, 1000)} yet", file=sys.stderr)
    return 0


def remove_run(
    run: Annotated[str, opt.RunArgument],
    runs_dir: opt.RunsDir = "runs",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> int:
    """Remove a run with everything in its folder, after asking."""
    from reid_tui.runs import overview, remove, table

    path = remove.find_removable(run, Path(runs_dir))
    if not yes:
        found = overview.summarize(path)
        what = f"{found.name!r} ({found.status}, {table.size(found.size)}) in {str(path.parent)!r}"
        if not _confirmed(printable(f"remove the run {what}? [y/N] ", 1000)):
            raise UsageError(f"the run {path.name!r} is kept; answer y on a terminal, or give --yes")
    remove.remove_run(path)
    print(f"{PROG}: removed {printable(path, 1000)}", file=sys.stderr)
    return 0


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")

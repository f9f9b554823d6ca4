"""`reid-tui attach`: the dashboard on a run that exists."""

import os
from pathlib import Path
from typing import Annotated

import typer

from reid_tui.cli import options as opt
from reid_tui.cli.completion import complete_run
from reid_tui.cli.dashboard import screen_options
from reid_tui.tui.terminal.look import check_terminal


def attach(
    context: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(
            parser=opt.named,
            autocompletion=complete_run,
            metavar="[RUN]",
            help="A run's folder, its name, or latest. [the newest running]",
        ),
    ] = None,
    runs_dir: opt.RunsDir = "runs",
    read_only: Annotated[bool, typer.Option("--read-only", help="Watch only: no key steers the run.")] = False,
    fps: opt.Fps = None,
    glyphs: opt.Glyphs = "auto",
    color: opt.Color = "auto",
    theme: opt.Theme = "auto",
    no_mouse: opt.NoMouse = False,
    exit_when_done: opt.ExitWhenDone = False,
) -> int:
    """Open the dashboard on a run that exists.

    One that trains can be steered, one that has ended can be looked at.
    """
    screen = screen_options(context)
    check_terminal(os.environ)
    from reid_tui.launch import Tether, tethered
    from reid_tui.runs.directory import locate_run
    from reid_tui.runs.overview import newest_running

    folder = Path(runs_dir)
    path = newest_running(folder) if run is None else locate_run(run, folder, begun=False)

    def show(tether: Tether) -> int:
        from reid_tui.tui.app import run_attached

        return run_attached(path, screen, tether, read_only=read_only)

    return tethered(show, "a run that trains goes on, and 'reid-tui attach' shows it again")

"""The dashboard command: from options to a screen, and from the screen back to a clean terminal and an exit code.

Textual is imported inside: it reads its settings when it is imported, and they are known here only.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reid_tui.errors import FAILURE
from reid_tui.runs.directory import check_writable, locate_run
from reid_tui.training.events import Failed, RunStarted
from reid_tui.tui.descriptors import Descriptors, redirected
from reid_tui.tui.hangup import Hangup, train_on
from reid_tui.tui.terminal import check_terminal, decide_look, prepare_textual
from reid_tui.tui.title import POP, PUSH

if TYPE_CHECKING:
    from reid_tui.config import RunOptions, ScreenOptions
    from reid_tui.tui.dashboard import ReidTuiApp
    from reid_tui.tui.session import Session
    from reid_tui.tui.terminal import Look

_LAST_WAIT: Final = 0.3
"""Seconds that the trainer's thread gets to end by itself once the screen is closed."""
_RESCUE_WAIT: Final = 60.0
"""Seconds that a run gets to save itself after the screen broke."""


def run_dashboard(options: RunOptions, screen: ScreenOptions) -> int:
    """Train with the dashboard on the terminal.

    Returns:
        The exit code: 0 finished or stopped on request, 1 failed, 2 bad input, 3 diverged, 130 SIGINT, 143 SIGTERM.

    Raises:
        UsageError: there is no terminal to draw on.
        RunError: the run to resume is not there, or none can be kept.
    """
    check_terminal(os.environ)
    if options.resume:
        locate_run(options.resume, Path(options.runs_dir))
    check_writable(Path(options.runs_dir))
    look = decide_look(screen, os.environ)
    prepare_textual(look, screen.fps)
    from reid_tui.tui.session import WorkerSession

    return show_session(WorkerSession(options), screen, look, Path(options.runs_dir))


def show_session(session: Session, screen: ScreenOptions, look: Look, runs_dir: Path) -> int:
    """Show a session until it is left; see `run_dashboard`."""
    from reid_tui.tui.dashboard import ReidTuiApp

    with redirected(ascii_only=look.glyphs == "ascii") as descriptors:
        places = _Places(runs_dir, descriptors)
        hangup = Hangup(descriptors.terminal)
        app = ReidTuiApp(
            session,
            look,
            fps=screen.fps,
            exit_when_done=screen.exit_when_done,
            handle_signals=True,
            on_started=places.started,
            picture_folder=places.folder,
            hung_up=lambda: hangup.came,
        )
        hangup.watch()
        descriptors.screen.write(PUSH)
        app.run(mouse=screen.mouse)
        descriptors.screen.write(POP)
        descriptors.screen.flush()
        broken = app.return_code == FAILURE and not hangup.came
        if broken:
            _rescue(session, app)
        if hangup.came:
            _go_on_alone(session, app, screen.on_hangup)
        session.join(_LAST_WAIT)
        app.pull_rest()
    code = FAILURE if broken else app.leaving.code
    _tell(app, broken=broken, run=places.path)
    return code


class _Places:
    """Where the run lies, once it is known."""

    def __init__(self, runs_dir: Path, descriptors: Descriptors) -> None:
        self._runs_dir = runs_dir
        self._descriptors = descriptors
        self.path: Path | None = None

    def started(self, event: RunStarted) -> None:
        path = Path(event.run)
        self.path = path if path.is_dir() else self._runs_dir / event.run
        if self.path.is_dir():
            self._descriptors.follow(self.path / "run.log")

    def folder(self) -> Path:
        return self.path if self.path is not None and self.path.is_dir() else Path.cwd()


def _go_on_alone(session: Session, app: ReidTuiApp, on_hangup: str) -> None:
    """The terminal is gone. A run that waits for a person who cannot come back is saved instead."""
    app.pull_rest()
    if not session.alive and app.leaving.ended is None:
        session.start()
    waits = app.state.paused
    logging.getLogger(__name__).info("the terminal went away at step %d", app.state.step)
    if on_hangup == "stop" or waits:
        app.leaving.signal = "SIGHUP" if on_hangup == "stop" else None
        session.send(app.leaving.stop(save=True, reason="SIGHUP"))
    app.leaving.signal = train_on(session, app.pull_rest) or app.leaving.signal


def _rescue(session: Session, app: ReidTuiApp) -> None:
    """The screen broke, the run must not: have it saved."""
    if app.leaving.ended is None and session.alive:
        session.send(app.leaving.stop(save=True))
        session.join(_RESCUE_WAIT)


def _tell(app: ReidTuiApp, *, broken: bool, run: Path | None) -> None:
    """What stands in the scrollback: how it ended on stderr, the summary on stdout."""
    from rich.console import Console
    from rich.text import Text

    from reid_tui.text import printable
    from reid_tui.view.summary import print_summary

    talk = Console(stderr=True, highlight=False)
    state = app.state
    if broken:
        where = f"; the traceback is in {printable(run / 'run.log')}" if run else ""
        talk.print(
            Text(f"reid-tui: the screen failed ({printable(app.failure or 'no reason')}){where}"), soft_wrap=True
        )
    if isinstance(state.ended, Failed):
        talk.print(Text(f"reid-tui: {printable(state.ended.message, 1000)}"), soft_wrap=True)
    elif state.started is not None and state.log and state.ended is not None:
        unsaved = [line for line in state.log if line.kind == "warning"][-1:]
        if getattr(state.ended, "saved", True) is False and app.leaving.save_wanted and unsaved:
            talk.print(Text(f"reid-tui: {unsaved[0].text}"), soft_wrap=True)
    if state.started is None:
        return
    print_summary(state, Console(highlight=False), str(run or ""))

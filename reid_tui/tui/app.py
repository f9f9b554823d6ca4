"""The dashboard command: from options to a screen, and from the screen back to a clean terminal and an exit code.

Textual is imported inside: it reads its settings when it is imported, and they are known here only.
"""

from __future__ import annotations

import logging
import os
import shlex
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reid_tui.allocator import keep_freed_memory
from reid_tui.cores import wait_briefly
from reid_tui.errors import FAILURE
from reid_tui.opening.beside import uncollected
from reid_tui.opening.place import check_place
from reid_tui.runs.directory import RunDirectory
from reid_tui.text import printable
from reid_tui.tui.host import Host
from reid_tui.tui.leaving.guard import Guard
from reid_tui.tui.leaving.scrollback import tell
from reid_tui.tui.remembered import remember_theme
from reid_tui.tui.terminal.background import decide_theme
from reid_tui.tui.terminal.descriptors import Descriptors, redirected
from reid_tui.tui.terminal.hangup import Hangup, train_on
from reid_tui.tui.terminal.look import decide_look, prepare_textual
from reid_tui.tui.terminal.title import POP, PUSH

if TYPE_CHECKING:
    from reid_tui.config import RunOptions, ScreenOptions
    from reid_tui.launch import Tether
    from reid_tui.training.events import RunStarted
    from reid_tui.tui.dashboard import ReidTuiApp
    from reid_tui.tui.session import Session
    from reid_tui.tui.terminal.look import Look

_LOG = logging.getLogger(__name__)
_LAST_WAIT: Final = 0.3
"""Seconds that the trainer's thread gets to end by itself once the screen is closed."""
_RESCUE_WAIT: Final = 60.0
"""Seconds that a run gets to save itself after the screen broke."""


def run_dashboard(options: RunOptions, screen: ScreenOptions, tether: Tether | None = None) -> int:
    """Train with the dashboard on the terminal.

    Args:
        options: of the run.
        screen: of the dashboard.
        tether: to the process that the shell waits for; without one the run cannot be detached.

    Returns:
        The exit code: 0 finished or stopped on request, 1 failed, 2 bad input, 3 diverged, 130 SIGINT, 143 SIGTERM,
        152 SIGXCPU.

    Raises:
        RunError: the run to resume is not there, or none can be kept.
    """
    keep_freed_memory()
    wait_briefly()
    hangup = Hangup()
    hangup.watch()
    check_place(options)
    look = prepare(screen)
    from reid_tui.tui.session import WorkerSession

    session = WorkerSession(options)
    return _Showing(session, screen, look, hangup, tether, runs_dir=Path(options.runs_dir)).until_left()


def run_attached(path: Path, screen: ScreenOptions, tether: Tether | None = None, *, read_only: bool) -> int:
    """Show a run that exists on the terminal.

    Args:
        path: its folder.
        screen: of the dashboard.
        tether: to the process that the shell waits for, if there is one.
        read_only: send no command.

    Returns:
        The exit code: 0 when left, 130 SIGINT, 143 SIGTERM, 152 SIGXCPU; how the run ended is no matter of the one
        who looks.
    """
    hangup = Hangup()
    hangup.watch()
    look = prepare(screen)
    from reid_tui.tui.attached import AttachedSession

    session = AttachedSession(RunDirectory(path), read_only=read_only)
    return _Showing(session, screen, look, hangup, tether, runs_dir=path.parent, run=path).until_left()


def prepare(screen: ScreenOptions) -> Look:
    """Find out how the screen may look, and import Textual accordingly."""
    look = decide_look(screen, os.environ)
    prepare_textual(look, screen.fps)
    theme, answer = decide_theme(screen.theme, os.environ, _import_dashboard)
    if answer.typed or answer.late:
        from reid_tui.tui.terminal.before_textual import hand_over

        hand_over(answer)
    return replace(look, theme=theme)


def _import_dashboard() -> None:
    """Takes longer than a terminal's answer."""
    with uncollected():
        from reid_tui.tui import dashboard  # noqa: F401


class _Showing(Host):
    """One session on the terminal, and what becomes of it when the terminal is left."""

    takes_signals = True

    def __init__(
        self,
        session: Session,
        screen: ScreenOptions,
        look: Look,
        hangup: Hangup,
        tether: Tether | None,
        *,
        runs_dir: Path,
        run: Path | None = None,
    ) -> None:
        self._session = session
        self._screen = screen
        self._look = look
        self._hangup = hangup
        self._tether = tether
        self._runs_dir = runs_dir
        self._run = run
        self._app: ReidTuiApp | None = None
        self._descriptors: Descriptors | None = None
        self._guard = Guard()
        self._closed = threading.Event()

    def until_left(self) -> int:
        """Show it; returns the exit code."""
        from reid_tui.tui.dashboard import ReidTuiApp

        session, hangup = self._session, self._hangup
        with redirected(ascii_only=self._look.glyphs == "ascii") as descriptors:
            self._descriptors = descriptors
            hangup.descriptors = descriptors.terminal
            if session.remote:
                session.start()  # so that the first picture shows the run; what it cannot read goes to no terminal
            app = self._app = ReidTuiApp(
                session, self._look, fps=self._screen.fps, exit_when_done=self._screen.exit_when_done, host=self
            )
            if not hangup.came:
                descriptors.screen.write(PUSH)
                app.run(mouse=self._screen.mouse)
                descriptors.screen.write(POP)
                descriptors.screen.flush()
                if app.return_code is None or self.hung_up():  # nobody asked Textual to end: it could not read any more
                    hangup.come()
            hangup.ignore()
            self._closed.set()
            broken = app.return_code == FAILURE and not hangup.came
            if broken:
                _rescue(session, app)
            if not session.remote and (hangup.came or app.detached):
                self._go_on_alone(app)
            session.join(_LAST_WAIT)
            app.pull_rest()
        elsewhere = session.alive if session.remote else None
        code = FAILURE if broken else app.leaving.code
        told = threading.Event()
        self._guard.end_unless(told, lambda: code)
        tell(app.state, app.leaving, self._run, failure=app.failure if broken else None, elsewhere=elsewhere)
        told.set()
        return code

    @property
    def detachable(self) -> bool:  # type: ignore[override]
        """With a parent that the shell waits for."""
        return self._tether is not None

    def hung_up(self) -> bool:
        """Whether the terminal went away, by a signal or with the process that the shell waits for."""
        return self._hangup.look() or (self._tether is not None and self._tether.torn)

    def written(self) -> int:
        """As the descriptors count."""
        return self._descriptors.sent.total if self._descriptors else 0

    def picture_folder(self) -> Path:
        """The run's, once it has one."""
        return self._run or Path.cwd()

    def theme_chosen(self, name: str) -> None:
        """For the next time too."""
        remember_theme(name)

    def closing(self) -> None:
        """A terminal that nobody reads would hold up the screen's last bytes, and the process with them, for ever."""
        app = self._app
        if app is not None and not self.hung_up() and not app.detached:
            self._guard.end_unless(self._closed, lambda: app.leaving.code)

    def started(self, event: RunStarted) -> None:
        """The run of our own has a folder."""
        path = Path(event.run)
        if not path.is_dir():
            path = self._runs_dir / path.name
        if self._session.remote or not path.is_dir():
            return
        self._run = path
        if self._descriptors is not None:
            self._descriptors.follow(path / "run.log")

    def _go_on_alone(self, app: ReidTuiApp) -> None:
        """Without a screen to the run's end. A paused run stays paused: somebody may attach to it."""
        app.pull_rest()
        if self._hangup.came:
            _LOG.info("the terminal went away at step %d", app.state.step)
            if not self._session.alive and app.leaving.ended is None:
                self._session.start()
            if self._screen.on_hangup == "stop":
                app.leaving.signal = "SIGHUP"
                self._session.send(app.leaving.stop(save=True, reason="SIGHUP"), "SIGHUP")
        else:
            assert self._tether is not None
            _LOG.info("detached at step %d", app.state.step)
            back = f"reid-tui attach {shlex.quote(str(self._run.resolve() if self._run else 'latest'))}"
            self._tether.let_go(
                f"detached, training goes on as process {os.getpid()}; {printable(back, 1000)} comes back"
            )
            self._hangup.let_go_of_terminal()
        app.leaving.signal = train_on(self._session, app.pull_rest, app.signals.missed) or app.leaving.signal


def _rescue(session: Session, app: ReidTuiApp) -> None:
    """The screen broke, the run must not: have it saved."""
    if not session.remote and app.leaving.ended is None and session.alive:
        session.send(app.leaving.stop(save=True))
        session.join(_RESCUE_WAIT)

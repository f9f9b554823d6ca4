"""The Textual app: pulls events, folds them into one state, has it drawn, and turns keys into commands."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from textual import events
from textual.app import App, SystemCommand

from reid_tui.config import LIMITS
from reid_tui.files import write_whole
from reid_tui.signals import SAVING
from reid_tui.text import printable
from reid_tui.training.commands import Command, Evaluate, GoBack, Save, SetLearningRate, Step
from reid_tui.training.events import AnyEvent, Progress, RunStarted
from reid_tui.tui import themes
from reid_tui.tui.bindings import bindings
from reid_tui.tui.host import Host
from reid_tui.tui.keys import KEYS
from reid_tui.tui.leaving.exit import Leaving
from reid_tui.tui.leaving.quitting import Quitting
from reid_tui.tui.margin_keys import MarginKeys
from reid_tui.tui.notices import notices
from reid_tui.tui.pace import rhythm
from reid_tui.tui.pause_key import PauseKey
from reid_tui.tui.screens.go_back import GoBackScreen
from reid_tui.tui.screens.help import HelpScreen
from reid_tui.tui.screens.main import MainScreen
from reid_tui.tui.screens.number import NumberScreen
from reid_tui.tui.screens.query import QueryScreen
from reid_tui.tui.session import HERE
from reid_tui.tui.terminal.backlog import Backlog
from reid_tui.tui.terminal.signals import Signals
from reid_tui.tui.terminal.title import TitleBar, terminal_title
from reid_tui.tui.thrift import Thrift
from reid_tui.tui.ticker import Ticker
from reid_tui.tui.typed_ahead import Answered, TypedAhead
from reid_tui.view.fold import fold
from reid_tui.view.run_state import RunState
from reid_tui.view.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual.binding import BindingType
    from textual.screen import Screen

    from reid_tui.tui.session import Session
    from reid_tui.tui.terminal.look import Look

_TOAST: Final = 4.0
"""Seconds."""
_FIRST_PAINT: Final = 0.05
"""Seconds that the first picture gets to reach the terminal: importing torch would hold it up."""


class ReidTuiApp(App[None], inherit_bindings=False):
    """Shows one session. It never waits for the trainer, and the trainer never calls it."""

    TITLE = "reid-tui"
    CSS_PATH = "reid.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings()

    def __init__(
        self,
        session: Session,
        look: Look,
        *,
        fps: int = 10,
        exit_when_done: bool = False,
        host: Host | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Build the app; `run` starts the session.

        Args:
            session: the run.
            look: what the terminal can show.
            fps: pulls a second.
            exit_when_done: close when the run has ended.
            host: the process around it.
            clock: steady seconds, by which the panels' pace is kept.
        """
        # Else the sixteen colours, or none, are turned into shades that the terminal does not have.
        super().__init__(ansi_color=True if look.colors in ("16", "none") else None)
        self.session = session
        self._host = host or Host()
        self.state = RunState()
        self.detached = False
        """The person left, and the run is to go on without a screen."""
        self.leaving = Leaving(exit_when_done=exit_when_done, remote=session.remote)
        self.quitting = Quitting(
            self,
            self.leaving,
            self._post,
            self._toast,
            remote=session.remote,
            detach=self.action_detach if self._host.detachable else None,
        )
        self._look = look
        self._pause_key = PauseKey()
        self._told_of_help = False
        self._toasted = ("", -math.inf)
        """The newest toast, and when it came."""
        self._ticker = Ticker(self, self.pull, fps)
        self._main = MainScreen(self._ticker.hurry, rhythm(fps))
        self._margin_keys = MarginKeys(self, self._main, self._post, self._toast, self._steerable)
        self.signals = Signals(self._signalled)
        self._clock = clock
        self._title = TitleBar()
        self._typed_ahead = TypedAhead(self, super().on_event)
        self._backlog = Backlog(self)
        self._thrift = Thrift(self._host.written)
        for theme in themes.own_themes(look):
            self.register_theme(theme)
        first = themes.first_theme(look)
        self.theme = first if first in self.available_themes else themes.DARK.name
        self._style = themes.chart_style(self.current_theme, self.theme_variables, look)
        self.set_class(look.colors == "none", "-colorless")

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our own variables for every theme."""
        return themes.variables_for(self.current_theme)

    def get_default_screen(self) -> Screen[None]:
        """The dashboard."""
        return self._main

    def on_mount(self) -> None:
        """Show the empty dashboard first, then let the trainer import what it needs."""
        self.begin_capture_print(self)
        self.theme_changed_signal.subscribe(self, lambda theme: self._theme_chosen(theme.name))
        self._restyle()
        self._typed_ahead.start()
        self._ticker.start()
        self.call_after_refresh(self._begin)
        if self._host.takes_signals:
            self.signals.watch()

    async def on_event(self, event: events.Event) -> None:
        """As Textual's, but keys wait for each other. What is pasted is one printable line: fields show it as it is.

        A paste is text and no keys: without a field that takes it nothing happens.
        """
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            if isinstance(event, events.Paste):
                event = events.Paste(printable(next(iter(event.text.splitlines()), "")))
            await self._typed_ahead.take(event)
        else:
            await super().on_event(event)

    async def on_answered(self, message: Answered) -> None:
        """A key has been dealt with."""
        await self._typed_ahead.answered(message)

    def on_key(self, event: events.Key) -> None:
        """What does nothing, such as a letter of another script, says once where the help is."""
        if self._told_of_help or self.screen is not self._main or not event.is_printable:
            return
        if event.key not in self.screen.active_bindings:
            self._told_of_help = True
            self._toast("that key does nothing; ? shows the keys")

    def on_print(self, event: events.Print) -> None:
        """What Python code prints while the screen is up goes where native code's output goes."""
        with contextlib.suppress(OSError):
            os.write(2 if event.stderr else 1, event.text.encode(errors="replace"))

    def _begin(self) -> None:
        """The sizes are known: draw, and leave the terminal a moment before torch takes the interpreter."""
        self.pull()
        self.set_timer(_FIRST_PAINT, self.session.start)

    def exit(self, result: None = None, return_code: int = 0, message: object = None) -> None:
        """Close; training that is not told to stop goes on."""
        super().exit(result, return_code)
        self._host.closing()

    def pull(self) -> None:
        """One tick: take what has come, fold it, draw it."""
        past, live = self.session.drain()
        self.state = fold(self.state, past)
        if self.session.remote:
            self._look_back(past)
        if live:
            self._take(live)
        if self.leaving.due or self._host.hung_up():
            self.exit()
            return
        now, behind = self._clock(), self._backlog.check()
        self._thrift.tick(now, behind=behind, asked=self._ticker.hurrying)
        if behind:
            return
        self._main.draw(self.state, self._style, now, self._thrift, deaf=bool(self.session.deaf))
        if self._driver is not None:
            self._title.update(self.state, now, self._driver.write)

    def pull_rest(self) -> None:
        """Fold what came after the screen closed, for the summary."""
        past, live = self.session.drain()
        self.state = fold(fold(self.state, past), live)
        self.leaving.note(live)

    @property
    def failure(self) -> str:
        """What broke the screen itself, empty for nothing."""
        return "" if self._exception is None else f"{type(self._exception).__name__}: {self._exception}"

    def _signalled(self, name: str) -> None:
        if signal.Signals[name] not in SAVING:
            self.quitting.signalled(name)
        elif not self.session.remote:
            self._post(Save(), name)

    def action_toggle_pause(self) -> None:
        """Pause or go on."""
        if self._steerable():
            self._send(self._pause_key.pressed(paused=self.state.paused))

    def action_step(self) -> None:
        """One step."""
        self._send(Step())

    def action_save(self) -> None:
        """A checkpoint now."""
        self._send(Save())

    def action_go_back(self) -> None:
        """To an earlier checkpoint, after asking which."""
        if not self._steerable():
            return
        if ways := self.state.ways_back:
            screen = GoBackScreen(self.state.step, ways)
            self.push_screen(screen, lambda step: self._send(*([] if step is None else [GoBack(step)])))
        else:
            self._toast("there is nothing to go back to yet", "warning")

    def action_evaluate(self) -> None:
        """Scores now."""
        self._send(Evaluate())

    def action_turn_margin(self, by: float) -> None:
        """Up or down."""
        self._margin_keys.turn(by)

    def action_type_margin(self) -> None:
        """An exact margin."""
        self._margin_keys.type()

    def action_half_margin(self) -> None:
        """The margin that the distances suggest."""
        self._margin_keys.half()

    def action_type_lr(self) -> None:
        """An exact learning rate."""
        if self._steerable():
            self.push_screen(NumberScreen("learning rate", LIMITS["lr"], plain(self.state.lr, 6)), self._typed_lr)

    def action_ask(self, what: str) -> None:
        """Something of the pair that panel 6 shows; what is known of training images is shown without a trainer too."""
        if what == "train" or self._steerable():
            self._send(*self._main.asked_of_pair(what))

    def action_ask_query(self) -> None:
        """What is to be found for panel 7."""
        self.push_screen(QueryScreen(), lambda text: self._send(*self._main.asked_for(text)))

    def action_help(self) -> None:
        """Every key."""
        self.push_screen(HelpScreen())

    def action_picture(self) -> None:
        """The screen as SVG, beside the run."""
        path = Path(f"screen-{self.state.step:08d}.svg")
        try:
            path = self._host.picture_folder() / path
            picture = self.export_screenshot(title=terminal_title(self.state))
            write_whole(path, picture.encode(), durable=False)
        except OSError as error:
            self._toast(f"cannot save the picture: {error.strerror} ({printable(path)})", "error")
        else:
            self._toast(f"picture saved: {printable(path)}")

    async def action_quit(self) -> None:
        """Leave, or ask first."""
        self.quitting.key(self.state.step)

    def action_stop(self) -> None:
        """End the run, wherever it lives, after asking."""
        ours = not self.session.remote and self.leaving.ended is None
        if ours or self._steerable():
            self.quitting.stop(self.state.step)

    def action_detach(self) -> None:
        """Give the shell back and train on without a screen."""
        if self.session.remote or self.leaving.ended is not None:
            self.exit()
        elif not self._host.detachable:
            self._toast("this dashboard has no shell to give back", "warning")
        elif not self.leaving.started:
            self._toast("the run has not begun yet; detach once it trains", "warning")
        else:
            self.detached = True
            self.exit()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every key's action, and the choice of a theme."""
        for key in KEYS:
            if key.action != "command_palette":
                yield SystemCommand(key.title, f"{key.description} ({key.label})", self._runner(key.action))
        yield SystemCommand("Theme", "choose the colours", self.action_change_theme)
        yield SystemCommand("Theme of the terminal", "light or dark as its background", self._follow_terminal)

    def _runner(self, action: str) -> Callable[[], None]:
        def run() -> None:
            self.call_later(self.run_action, action)

        return run

    def _look_back(self, past: list[AnyEvent]) -> None:
        """Where the run lies and how it ended, of a run that began before this screen."""
        self.leaving.note(past)
        for event in past:
            if isinstance(event, RunStarted):
                self._host.started(event)

    def _take(self, events: list[AnyEvent]) -> None:
        """Everything that a batch changes but the drawing."""
        self.state = fold(self.state, events)
        self._pause_key.answered(events)
        self.leaving.note(events)
        for event in events:
            if isinstance(event, RunStarted):
                self._host.started(event)
        for item in notices(events):
            self._toast(item.text, item.severity)
            if item.rings:
                self.bell()
        if not all(isinstance(event, Progress) for event in events):
            self._ticker.answered()

    def _send(self, *commands: Command) -> None:
        if commands and self._steerable():
            for command in commands:
                self._post(command)

    def _steerable(self) -> bool:
        """Whether somebody takes commands; says why not."""
        begun = self.state.started is not None
        why = self.session.deaf or ("" if begun else "the run has not begun yet: it can be steered once it trains")
        if self.leaving.ended is not None:
            why = "the run has ended"
        if why:
            self._toast(why, "warning")
        return not why

    def _post(self, command: Command, origin: str = HERE) -> None:
        self.session.send(command, origin)
        self._ticker.hurry()

    def _typed_lr(self, value: float | None) -> None:
        if value is not None:
            self._send(SetLearningRate(value))

    def _toast(self, text: str, severity: str = "information") -> None:
        """Show it, unless it is the one that still stands there."""
        now = self._clock()
        if text != self._toasted[0] or now - self._toasted[1] > _TOAST:
            self._toasted = (text, now)
            self.notify(text, severity=severity, timeout=_TOAST, markup=False)  # type: ignore[arg-type]

    def _theme_chosen(self, name: str) -> None:
        """Only a person changes it while the screen is up."""
        self._restyle()
        self._host.theme_chosen(themes.choice(name))

    def _follow_terminal(self) -> None:
        self._host.theme_chosen("auto")
        self._toast("from the next start on the theme follows the terminal's background")

    def _restyle(self) -> None:
        """Charts follow the theme."""
        self._style = themes.chart_style(self.current_theme, self.theme_variables, self._look)
        self._ticker.hurry()

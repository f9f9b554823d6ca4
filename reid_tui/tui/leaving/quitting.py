"""The ways out of the dashboard: by key, by dialog, by signal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from reid_tui.signals import Haste
from reid_tui.training.commands import Stop
from reid_tui.tui.screens.quit import QUIT, STOP, Choice, QuitScreen

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import App

    from reid_tui.training.commands import Command
    from reid_tui.tui.leaving.exit import Leaving


class Send(Protocol):
    """Takes a command to the trainer, whatever the state."""

    def __call__(self, command: Command, origin: str = ...) -> None:
        """Send it, signed."""


class Quitting:
    """Asks, tells the trainer to stop, and closes the app where there is nothing to wait for."""

    def __init__(
        self,
        app: App[None],
        leaving: Leaving,
        send: Send,
        say: Callable[[str], None],
        *,
        remote: bool = False,
        detach: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Watch over one app.

        Args:
            app: closed in the end.
            leaving: what is known of the run's end.
            send: takes a command to the trainer.
            say: shows a person a line.
            remote: the run lives elsewhere and is left alone unless it is stopped on purpose.
            detach: leaves the run to itself; None where that cannot be done.
            clock: seconds.
        """
        self._app = app
        self._leaving = leaving
        self._send = send
        self._say = say
        self._remote = remote
        self._detach = detach
        self._haste = Haste(clock)
        self.warned = False
        """The next key leaves without waiting."""

    def key(self, step: int) -> None:
        """Leave at once where nothing can be lost, else ask; a second ctrl+c saves and leaves."""
        leaving, screen = self._leaving, self._app.screen
        if self._remote:
            self._app.exit()
        elif isinstance(screen, QuitScreen):
            screen.action_choose("save")
        elif leaving.ended or not leaving.started:
            self._leave_now()
        elif not leaving.asked:
            choices = tuple(item for item in QUIT if item[0] != "detach" or self._detach is not None)
            self._app.push_screen(QuitScreen("quit", _position(step), choices), self._answered)
        elif self.warned:
            self._app.exit()
        else:
            self.warned = True
            self._say("the run is being saved; quit once more to leave without waiting")

    def stop(self, step: int) -> None:
        """End the run, wherever it lives, after asking."""
        if not self._remote:
            self.key(step)
        elif not isinstance(self._app.screen, QuitScreen):
            self._app.push_screen(QuitScreen("stop the run", _position(step), STOP), self._answered)

    def signalled(self, name: str) -> None:
        """The first signal saves and leaves, the second leaves."""
        leaving, haste = self._leaving, self._haste.of(name)
        if haste == "same":
            return
        leaving.signal = name if haste == "more" else leaving.signal or name
        if self._remote:
            self._app.exit()
        elif haste == "more" or leaving.ended or not leaving.started:
            self._leave_now(name)
        else:
            self._send(leaving.stop(save=True, reason=name), name)

    def _leave_now(self, reason: str = "asked") -> None:
        if not self._leaving.ended:
            self._send(self._leaving.stop(save=False, reason=reason))
        self._app.exit()

    def _answered(self, choice: Choice | None) -> None:
        """The dialog's answer; the run may have ended while it stood open."""
        if choice is None or choice == "cancel":
            return
        if self._leaving.ended:
            if not self._remote:
                self._app.exit()
            return
        if choice == "detach":
            if self._detach is not None:
                self._detach()
            return
        if self._remote:  # the screen stays, to show the end, or why none comes
            self._send(Stop(save=choice == "save"))
        else:
            self._send(self._leaving.stop(save=choice == "save"))
            self._say("saving, then leaving" if choice == "save" else "leaving after this step")


def _position(step: int) -> str:
    return f"The run is at step {step:,}."

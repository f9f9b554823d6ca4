"""The ways out of the dashboard: by key, by dialog, by signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reid_tui.tui.screens.quit import Choice, QuitScreen

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import App

    from reid_tui.training.commands import Command
    from reid_tui.tui.leaving import Leaving


class Quitting:
    """Asks, tells the trainer to stop, and closes the app where there is nothing to wait for."""

    def __init__(
        self, app: App[None], leaving: Leaving, send: Callable[[Command], None], say: Callable[[str], None]
    ) -> None:
        """Watch over one app.

        Args:
            app: closed in the end.
            leaving: what is known of the run's end.
            send: takes a command to the trainer, whatever the state.
            say: shows a person a line.
        """
        self._app = app
        self._leaving = leaving
        self._send = send
        self._say = say
        self.warned = False
        """The next key leaves without waiting."""

    def key(self, step: int) -> None:
        """Leave at once where nothing can be lost, else ask; a second ctrl+c saves and leaves."""
        leaving, screen = self._leaving, self._app.screen
        if isinstance(screen, QuitScreen):
            screen.action_choose("save")
        elif leaving.ended or not leaving.started:
            self._leave_now()
        elif not leaving.asked:
            self._app.push_screen(QuitScreen(f"The run is at step {step:,}."), self._answered)
        elif self.warned:
            self._app.exit()
        else:
            self.warned = True
            self._say("the run is being saved; quit once more to leave without waiting")

    def signalled(self, name: str) -> None:
        """The first signal saves and leaves, the second leaves."""
        leaving = self._leaving
        again = leaving.signal is not None
        leaving.signal = name
        if again or leaving.ended or not leaving.started:
            self._leave_now(name)
        else:
            self._send(leaving.stop(save=True, reason=name))

    def _leave_now(self, reason: str = "asked") -> None:
        if not self._leaving.ended:
            self._send(self._leaving.stop(save=False, reason=reason))
        self._app.exit()

    def _answered(self, choice: Choice | None) -> None:
        """The dialog's answer; the run may have ended while it stood open."""
        if choice is None or choice == "cancel":
            return
        if self._leaving.ended:
            self._app.exit()
            return
        self._send(self._leaving.stop(save=choice == "save"))
        self._say("saving, then leaving" if choice == "save" else "leaving after this step")

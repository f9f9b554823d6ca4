"""The keys that turn the margin: up and down, to a number that is typed, to the one that the distances suggest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reid_tui.training.commands import SetMargin, ShiftMargin
from reid_tui.tui.screens.margin import MarginScreen
from reid_tui.view.what_if import half_teach, why_not_half

if TYPE_CHECKING:
    from collections.abc import Callable

    from reid_tui.config import RunConfig
    from reid_tui.training.commands import Command
    from reid_tui.tui.dashboard import ReidTuiApp
    from reid_tui.tui.screens.main import MainScreen


class MarginKeys:
    """Each sends one command, or says why not."""

    def __init__(
        self,
        app: ReidTuiApp,
        main: MainScreen,
        post: Callable[[Command], None],
        toast: Callable[[str, str], None],
        steerable: Callable[[], bool],
    ) -> None:
        """Take app and main screen, who sends, who tells, and whether somebody takes commands, which says why not."""
        self._app = app
        self._main = main
        self._post = post
        self._toast = toast
        self._steerable = steerable

    def turn(self, by: float) -> None:
        """Up or down."""
        if self._config() is not None:
            self._post(ShiftMargin(by))

    def type(self) -> None:
        """An exact one."""
        if (config := self._config()) is not None:
            self._app.push_screen(MarginScreen(config, lambda: self._app.state, self._main.consider), self._typed)

    def half(self) -> None:
        """That at which half of the different pairs still cost something."""
        if (config := self._config()) is None:
            return
        distances = self._app.state.distances
        if why := why_not_half(distances, config):
            self._toast(f"no margin to suggest: {why}", "warning")
        else:
            self._post(SetMargin(half_teach(distances, config)))

    def _typed(self, value: float | None) -> None:
        self._main.consider(None)
        if value is not None and self._steerable():
            self._post(SetMargin(value))

    def _config(self) -> RunConfig | None:
        """The run's, where its margin can be turned; else says why not."""
        started = self._app.state.started
        if not self._steerable() or started is None:
            return None
        if why := started.config.why_no_margin:
            self._toast(f"no margin to turn: {why}", "warning")
            return None
        return started.config

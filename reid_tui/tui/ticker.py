"""When the app pulls: at a steady pace, and faster for a moment after a key, so that its answer is seen at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import App
    from textual.timer import Timer

HURRY: Final = 0.03
"""Seconds between two pulls after a key."""
HURRIED: Final = 20
"""Pulls after which the steady pace is enough again."""


class Ticker:
    """Calls `pull` from the app's timers."""

    def __init__(self, app: App[None], pull: Callable[[], None], fps: int) -> None:
        self._app = app
        self._pull = pull
        self._interval = 1 / fps
        self._timer: Timer | None = None
        self._left = 0

    def start(self) -> None:
        """Begin the steady pace."""
        self._app.set_interval(self._interval, self._pull)

    def hurry(self) -> None:
        """Pull more often for a moment."""
        self._left = HURRIED
        if self._timer is None and self._app.is_running:
            self._timer = self._app.set_interval(HURRY, self._hurried)

    @property
    def hurrying(self) -> bool:
        """Whether a key is being answered."""
        return self._timer is not None

    def answered(self) -> None:
        """What was waited for has come; what it leads to follows within two more pulls."""
        self._left = min(self._left, 2)

    def _hurried(self) -> None:
        self._pull()
        self._left -= 1
        if self._left <= 0 and self._timer is not None:
            self._timer.stop()
            self._timer = None

"""Keys that come faster than the screen changes: each is given to the app once the one before has been answered.

A key may open a dialog, and a dialog has its focus only when it is mounted. So behind every key a message goes the same
way, from the widget that has the focus up to the app, as often as one answer may lead to another. When it has come back
and focus and screen are still where it set out, the next key is given.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final

from textual import events
from textual.message import Message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.app import App
    from textual.timer import Timer

Typed = events.Key | events.Paste
_ROUNDS: Final = 3
"""The key itself; what a field made of it; what a list made of that."""
_PATIENCE: Final = 2.0
"""Seconds after which an answer is not waited for any more: no widget may keep ctrl+c from the app."""


_SEARCHING: Final = 0.02
"""Seconds between two looks at a search: its end is told to its own screen alone."""


class Answered(Message):
    """Goes behind a key."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class TypedAhead:
    """What was typed and has not been given yet."""

    def __init__(self, app: App[None], give: Callable[[Typed], Awaitable[None]]) -> None:
        """Wait for keys.

        Args:
            app: whose focus decides where they go.
            give: hands one to the app's own dispatch.
        """
        self._app = app
        self._give = give
        self._waiting: deque[Typed] = deque()
        self._number = 0
        self._rounds = 0
        """Still to go until the present key is answered; 0 where there is none."""
        self._place: tuple[object, object] = (None, None)
        self._timer: Timer | None = None

    def start(self) -> None:
        """From now on screens come and go."""
        self._app.screen_change_signal.subscribe(self._app, lambda _: self._changed(), immediate=True)

    async def take(self, event: Typed) -> None:
        """Give it at once, or after those before it."""
        self._waiting.append(event)
        if not self._rounds:
            await self._go_on()

    async def answered(self, message: Answered) -> None:
        """The message came back."""
        if message.number != self._number or not self._rounds or not self._app.screen_stack:
            return
        if self._place != self._where():
            self._changed()
        elif self._rounds > 1:
            self._rounds -= 1
            self._ask()
        else:
            await self._go_on()

    def _changed(self) -> None:
        """Another screen is on top, and the message may be lost with the one before."""
        if self._rounds:
            self._rounds = _ROUNDS
            self._ask()

    async def _go_on(self, *, anyway: bool = False) -> None:
        """Give the next one, if that can be."""
        searching = bool(self._waiting) and self._searching() and not anyway
        if self._timer is not None and not searching:
            self._timer.stop()
            self._timer = None
        self._rounds = 0
        if not self._waiting:
            return
        self._timer = self._timer or self._app.set_timer(_PATIENCE, partial(self._go_on, anyway=True))
        if searching:
            self._rounds = 1
            self._app.set_timer(_SEARCHING, self._ask)
        else:
            self._rounds = _ROUNDS
            await self._give(self._waiting.popleft())
            self._changed()

    def _ask(self) -> None:
        if self._rounds and self._app.screen_stack:
            self._number += 1
            self._place = self._where()
            (self._app.focused or self._app.screen).post_message(Answered(self._number))

    def _where(self) -> tuple[object, object]:
        return self._app.screen, self._app.focused

    def _searching(self) -> bool:
        """Whether enter would choose from an older list of the command palette; a letter begins a new search."""
        event, top = self._waiting[0], self._app.screen
        if isinstance(event, events.Paste) or event.is_printable:
            return False
        return any(not worker.is_finished and worker.node.screen is top for worker in self._app.workers)

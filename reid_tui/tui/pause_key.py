"""Pausing by one key. It may be pressed faster than the trainer answers, so the last wish counts until then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reid_tui.training.commands import Pause, Resume
from reid_tui.training.events import AnyEvent, CommandRefused, Diverged, Paused, Resumed

if TYPE_CHECKING:
    from collections.abc import Iterable


class PauseKey:
    """Knows whether the next press pauses or resumes."""

    def __init__(self) -> None:
        self._wish: bool | None = None

    def pressed(self, *, paused: bool) -> Pause | Resume:
        """The command for a press.

        Args:
            paused: what the trainer said last.
        """
        pausing = not (paused if self._wish is None else self._wish)
        self._wish = pausing
        return Pause() if pausing else Resume()

    def answered(self, events: Iterable[AnyEvent]) -> None:
        """Forget the wish that these events answer."""
        for event in events:
            match event:
                case Diverged() | CommandRefused(command="pause" | "resume"):
                    self._wish = None
                case Paused() if self._wish is True:
                    self._wish = None
                case Resumed() if self._wish is False:
                    self._wish = None

"""From keys to commands. Keys may come faster than the trainer answers, so the last wish counts until then."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from reid_tui.training.commands import Command, Pause, Resume, SetLearningRate, SetMargin
from reid_tui.training.events import AnyEvent, CommandRefused, Diverged, MarginChanged, Paused, Resumed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reid_tui.view.state import RunState


class Steering:
    """Turns keys into commands for one run."""

    def __init__(self, send: Callable[[Command], None]) -> None:
        self._send = send
        self._margin: float | None = None
        self._pause: bool | None = None

    def toggle_pause(self, state: RunState) -> None:
        """Pause, or go on."""
        paused = state.paused if self._pause is None else self._pause
        self._pause = not paused
        self._send(Resume() if paused else Pause())

    def turn_margin(self, state: RunState, by: float) -> bool:
        """Turn the margin from where it stands, or will stand once the trainer has read all that was sent.

        Returns:
            False while no margin is known.
        """
        margin = state.margin if self._margin is None else self._margin
        if not math.isfinite(margin):
            return False
        self.set_margin(round(margin + by, 9))
        return True

    def set_margin(self, value: float) -> None:
        """Ask for this margin."""
        self._margin = value
        self._send(SetMargin(value))

    def set_lr(self, value: float) -> None:
        """Ask for this learning rate."""
        self._send(SetLearningRate(value))

    def answered(self, events: Iterable[AnyEvent]) -> None:
        """Forget the wishes that these events answer."""
        for event in events:
            match event:
                case MarginChanged() if event.new == self._margin:
                    self._margin = None
                case Diverged():
                    self._pause = None
                case Paused() if self._pause is True:
                    self._pause = None
                case Resumed() if self._pause is False:
                    self._pause = None
                case CommandRefused(command="set_margin"):
                    self._margin = None
                case CommandRefused(command="pause" | "resume"):
                    self._pause = None

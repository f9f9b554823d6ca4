"""When the screen may close, and with which exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reid_tui.errors import DIVERGED, OK
from reid_tui.signals import EXIT_CODES
from reid_tui.training.commands import Stop
from reid_tui.training.events import (
    AnyEvent,
    Diverged,
    Failed,
    Finished,
    Lost,
    Resumed,
    Rewound,
    RunStarted,
    Stopped,
    ends_run,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


class Leaving:
    """How far a run has come on its way out, as events and signals tell."""

    def __init__(self, *, exit_when_done: bool, remote: bool = False) -> None:
        self._exit_when_done = exit_when_done
        self._remote = remote
        self.started = remote
        """The run exists; before, nothing can be lost."""
        self.ended: Failed | Stopped | Finished | Lost | None = None
        self.asked = False
        """The trainer was told to stop."""
        self.save_wanted = False
        """Whether it was told to save first."""
        self.signal: str | None = None
        self._diverged = False

    def stop(self, *, save: bool, reason: str = "asked") -> Stop:
        """The command that lets it leave."""
        self.asked = True
        self.save_wanted = save
        return Stop(save=save, reason=reason)

    def note(self, events: Iterable[AnyEvent]) -> None:
        """Take in what happened."""
        for event in events:
            match event:
                case RunStarted():
                    self.started, self.ended, self._diverged = True, None, False
                case Diverged():
                    self._diverged = True
                case Resumed() | Rewound():
                    self._diverged = False
                case Failed() | Stopped() | Finished() | Lost():
                    self.ended = event
                case _:
                    assert not ends_run(event)

    @property
    def due(self) -> bool:
        """Whether the screen closes by itself."""
        if self.ended is None:
            return False
        return self.asked or self.signal is not None or self._exit_when_done or not self.started

    @property
    def code(self) -> int:
        """The command's exit code if it ended here."""
        if self._remote:  # how the run ended is the code of the process that trained it
            return EXIT_CODES[self.signal] if self.signal is not None else OK
        if isinstance(self.ended, Failed):
            return self.ended.exit_code
        if self.signal is not None:
            return EXIT_CODES[self.signal]
        return DIVERGED if self._diverged else OK

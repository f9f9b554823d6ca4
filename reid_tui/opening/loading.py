"""The time before the first step: what it may tell, whether it is to be broken off, and what must be given back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reid_tui.training import commands as cmd
from reid_tui.training.events import Listener, PhaseChanged

if TYPE_CHECKING:
    import contextlib

    from reid_tui.training.channels import CommandBox


class StopLoading(BaseException):
    """Told to stop before training began. Also raised out of a signal handler: no `except Exception` may swallow it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Loading:
    """Given to whoever opens a run."""

    emit: Listener
    """Gets every event."""
    inbox: CommandBox
    resources: contextlib.ExitStack
    """Closed when the run has ended, however it ended."""
    past: Listener | None = None
    """Gets the earlier events of a run that goes on, before anything new is told."""

    def start_torch(self) -> None:
        """Import what takes seconds, and say so."""
        self.emit(PhaseChanged(step=0, phase="importing", detail="starting torch"))
        import torch  # noqa: F401

    def report(self, detail: str) -> None:
        """Say what is being done, unless somebody wants an end.

        Raises:
            StopLoading: somebody does.
        """
        self.stop_if_told()
        self.emit(PhaseChanged(step=0, phase="loading", detail=detail))

    def stop_if_told(self) -> None:
        """Look through what waits for a Stop; everything else keeps its place.

        Raises:
            StopLoading: there is one.
        """
        waiting = []
        while (order := self.inbox.get_nowait()) is not None:
            if isinstance(order.command, cmd.Stop):
                raise StopLoading(order.command.reason)
            waiting.append(order)
        for order in waiting:
            self.inbox.put(*order)

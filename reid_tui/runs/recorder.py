"""Numbers and dates events, and hands each to the log on disk and to whoever listens."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Final

from reid_tui.errors import advice
from reid_tui.training.events import Warned, ends_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reid_tui.runs.log import EventLog
    from reid_tui.training.events import AnyEvent, Listener

QUIET_S: Final = 30.0
"""Between the word that lines are lost and the word that they are not lost any more: a disk may stay nearly full."""


class Recorder:
    """A listener for the trainer. A log that cannot be written is told once and costs lines, never the training."""

    def __init__(self, listener: Listener, clock: Callable[[], float] = time.monotonic) -> None:
        """Events before `keep` go to the listener alone."""
        self._listener = listener
        self._clock = clock
        self._log: EventLog | None = None
        self._lost = 0
        self._lost_since = 0
        self._quiet_until = 0.0
        self._seq = 0
        self.step = 0
        """Of the newest event."""

    def keep(self, log: EventLog, last_seq: int = 0, last_step: int = 0) -> None:
        """Write what comes to a log whose newest event has these numbers."""
        self._log = log
        self._seq = max(self._seq, last_seq)
        self.step = last_step

    def go_on_at(self, path: Path) -> None:
        """Write to the log at a path from now on, as `EventLog.go_on_at`.

        Raises:
            OSError: it goes on where it was.
        """
        if self._log is not None:
            self._log.go_on_at(path)

    def __call__(self, event: AnyEvent) -> None:
        """Take an event of the trainer."""
        if self._lost and ends_run(event):
            self._tell_gap()
        self.step = event.step
        stamped = self._stamped(event)
        error = self._written(stamped)
        self._listener(stamped)
        if error is not None:
            self._count_lost(stamped, error)
        elif self._lost and self._clock() >= self._quiet_until:
            self._tell_gap()
        if self._log is not None and not ends_run(event):  # an end is the last line
            for code, message in self._log.troubles():
                self(Warned(step=self.step, code=code, message=message))

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def _written(self, event: AnyEvent) -> OSError | None:
        if self._log is not None:
            try:
                self._log.append(event)
            except OSError as error:
                return error
        return None

    def _count_lost(self, event: AnyEvent, error: OSError) -> None:
        self._lost += 1
        if self._lost == 1:
            self._lost_since = event.step
            self._quiet_until = self._clock() + QUIET_S
            message = f"the run's log cannot be written: {advice(error, 'training goes on, lines are lost')}"
            self._listener(self._stamped(Warned(step=event.step, code="log_failed", message=message)))

    def _tell_gap(self) -> None:
        """Say in the log itself that it has a gap."""
        count = self._lost
        message = (
            f"the run's log could not be written for a while: {count} events since step {self._lost_since} are lost"
        )
        warning = self._stamped(Warned(step=self.step, code="log_gap", message=message))
        if self._written(warning) is None:
            self._lost = 0
        self._listener(warning)

    def _stamped(self, event: AnyEvent) -> AnyEvent:
        self._seq += 1
        return dataclasses.replace(event, seq=self._seq, time=time.time())

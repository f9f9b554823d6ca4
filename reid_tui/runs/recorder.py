"""Numbers and dates events, and hands each to the log on disk and to whoever listens."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

from reid_tui.training.events import Warned

if TYPE_CHECKING:
    from reid_tui.runs.log import EventLog
    from reid_tui.training.events import AnyEvent, Listener


class Recorder:
    """A listener for the trainer. A log that cannot be written is told once and costs lines, never the training."""

    def __init__(self, listener: Listener) -> None:
        """Events before `keep` go to the listener alone."""
        self._listener = listener
        self._log: EventLog | None = None
        self._log_broken = False
        self._seq = 0
        self.step = 0
        """Of the newest event."""

    def keep(self, log: EventLog, last_seq: int = 0) -> None:
        """Write what comes to a log, numbered on from `last_seq`."""
        self._log = log
        self._seq = max(self._seq, last_seq)

    def __call__(self, event: AnyEvent) -> None:
        """Take an event of the trainer."""
        self.step = event.step
        stamped = self._stamped(event)
        if self._log is not None:
            try:
                self._log.append(stamped)
            except OSError as error:
                if not self._log_broken:
                    self._log_broken = True
                    reason = error.strerror or error
                    message = f"the run's log cannot be written: {reason}; training goes on, lines are lost"
                    self._listener(self._stamped(Warned(step=event.step, code="log_failed", message=message)))
            else:
                self._log_broken = False
        self._listener(stamped)

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def _stamped(self, event: AnyEvent) -> AnyEvent:
        self._seq += 1
        return dataclasses.replace(event, seq=self._seq, time=time.time())

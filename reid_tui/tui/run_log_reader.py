"""What native code, warnings and tracebacks put into a run's `run.log`: bounded and never waited for."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

from reid_tui.runs.follow import LineFollower
from reid_tui.training.events import AnyEvent, Output, ends_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EVERY: Final = 0.5
"""Seconds between two looks."""
MOST: Final = 10
"""Lines of one look; the file has the rest."""
_STAMP: Final = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (?P<level>[A-Z]+) ")
"""Before each message of our own; a line of the screen's log has its step."""
_NOTES: Final = (b"INFO", b"DEBUG")


class OutputReader:
    """Follows the `run.log` of one run from now on."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Follow the file at `path`, which need not exist yet; `clock` gives seconds."""
        self._lines = LineFollower(path, from_end=True)
        self._clock = clock
        self._due = 0.0

    def beside(self, events: list[AnyEvent], step: int, seq: int) -> list[AnyEvent]:
        """The events and what was written meanwhile, which came before the run's end: the end stays last."""
        end = next((index for index, event in enumerate(events) if ends_run(event)), None)
        lines = self.read(step, seq, at_once=end is not None)
        at = len(events) if end is None else end
        return [*events[:at], *lines, *events[at:]]

    def read(self, step: int, seq: int, *, at_once: bool = False) -> list[Output]:
        """The lines since the last look, as events that belong after event `seq` at `step`."""
        now = self._clock()
        if now < self._due and not at_once:
            return []
        self._due = now + EVERY
        lines = [line for line in self._lines.read() or () if line.strip() and not _is_note(line)]
        texts = [_bare(line).decode(errors="replace") for line in lines[:MOST]]
        if len(lines) > MOST:
            texts.append(f"… and {len(lines) - MOST:,} more lines in run.log")
        return [Output(step=step, seq=seq, time=time.time(), text=text) for text in texts]


def _is_note(line: bytes) -> bool:
    stamp = _STAMP.match(line)
    return stamp is not None and stamp["level"] in _NOTES


def _bare(line: bytes) -> bytes:
    stamp = _STAMP.match(line)
    return line if stamp is None else line[stamp.end() :]

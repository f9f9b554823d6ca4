"""Reading files that another process still writes: the log of events, and what native code left in `run.log`.

Nothing is ever waited for: a read gives what is there and not yet given.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

from reid_tui.runs.tail import open_regular
from reid_tui.training.events import AnyEvent, from_json

if TYPE_CHECKING:
    from pathlib import Path

CHUNK: Final = 2**20
LONGEST_LINE: Final = 4 * 2**20
"""A longer line is passed over."""


class LineFollower:
    """Whole lines of a growing file. One that is replaced is read from its beginning, after the rest of the old one."""

    def __init__(self, path: Path, *, from_end: bool = False) -> None:
        """Follow the file at `path`, which need not exist yet; `from_end` leaves out what it holds by now."""
        self._path = path
        self._descriptor: int | None = None
        self._offset = 0
        self._rest = b""
        self._skipping = False
        if from_end and self._open():
            assert self._descriptor is not None
            self._offset = os.fstat(self._descriptor).st_size

    def read(self) -> list[bytes] | None:
        """The next lines, at most about `CHUNK` bytes of them, without their ends; None at the file's end."""
        if self._descriptor is None and not self._open():
            return None
        assert self._descriptor is not None
        try:
            part = os.pread(self._descriptor, CHUNK, self._offset)
        except OSError:
            return None
        if not part:
            return [] if self._was_replaced() else None
        self._offset += len(part)
        first, *others = part.split(b"\n")
        if not others:
            self._keep(self._rest + first)
            return []
        lines = [*([] if self._skipping else [self._rest + first]), *others[:-1]]
        self._skipping, self._rest = False, b""
        self._keep(others[-1])
        return lines

    def close(self) -> None:
        """Let the file go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _keep(self, rest: bytes) -> None:
        """The beginning of a line whose end is not there yet."""
        if self._skipping or len(rest) > LONGEST_LINE:
            self._skipping, rest = True, b""
        self._rest = rest

    def _open(self) -> bool:
        try:
            self._descriptor = open_regular(self._path)
        except OSError:
            return False
        self._offset, self._rest, self._skipping = 0, b"", False
        return True

    def _was_replaced(self) -> bool:
        """A smaller file or another one by the same name is a new one; asked at the end of the old one."""
        assert self._descriptor is not None
        ours = os.fstat(self._descriptor)
        try:
            there = self._path.stat()
        except OSError:
            return False
        if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino) and ours.st_size >= self._offset:
            return False
        self.close()
        return True


class EventFollower:
    """The events of a run's log, each once, in their order; lines that are torn, unknown or hostile are left out."""

    def __init__(self, path: Path) -> None:
        """Follow the log at `path`, which need not exist yet."""
        self._lines = LineFollower(path)
        self._seq = 0

    def read(self) -> list[AnyEvent] | None:
        """The next events, perhaps none of them; None once all that there is has been given."""
        lines = self._lines.read()
        if lines is None:
            return None
        events = []
        for line in lines:
            event = parsed_event(line)
            # A log that was rewritten is read again from its beginning; what it repeats is known by its number.
            if event is not None and event.seq > self._seq:
                self._seq = event.seq
                events.append(event)
        return events

    def close(self) -> None:
        """Let the log go."""
        self._lines.close()


def parsed_event(line: bytes) -> AnyEvent | None:
    """The event in a line of a log, None where there is none."""
    try:
        value = json.loads(line)
        return from_json(value) if isinstance(value, dict) else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None

"""Reading files that another process still writes: the log of events, and what native code left in `run.log`.

Nothing is ever waited for: a read gives what is there and not yet given.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from reid_tui.runs.log import LONGEST_LINE, parsed_event
from reid_tui.runs.log_end import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from reid_tui.training.events import AnyEvent

CHUNK: Final = 2**18
MOST_PROGRESS: Final = 20_000
"""Progress lines of a log's past that are worth reading: no curve keeps more points."""
_PROGRESS: Final = b'{"event":"progress"'
_PROGRESS_BYTES: Final = 220
_NUMBER: Final = re.compile(rb'\{"event":"[a-z0-9_]{1,40}","seq":(\d{1,18}),')


class LineFollower:
    """Whole lines of a growing file. One that is replaced is read from its beginning, after the rest of the old one."""

    def __init__(self, path: Path, *, from_end: bool = False) -> None:
        """Follow the file at `path`, which need not exist yet; `from_end` leaves out what it holds by now."""
        self._path = path
        self._descriptor: int | None = None
        self._offset = 0
        """Of a line's beginning: what is cut off after it is not missed, and what comes in its place is read."""
        self._skipping = False
        if from_end and self._open():
            self._offset = self.size

    @property
    def size(self) -> int:
        """Bytes of the file by now; 0 where there is none."""
        if self._descriptor is None and not self._open():
            return 0
        assert self._descriptor is not None
        return os.fstat(self._descriptor).st_size

    def read(self) -> list[bytes] | None:
        """The next lines, at most about `CHUNK` bytes of them, without their ends; None at the file's end."""
        if self._descriptor is None and not self._open():
            return None
        part = self._part(CHUNK)
        if part and b"\n" not in part:
            part = self._part(LONGEST_LINE)
        if b"\n" not in part:
            if len(part) >= LONGEST_LINE:
                self._offset += len(part)
                self._skipping = True
                return []
            return [] if self._was_replaced(len(part)) else None
        *lines, _ = part.split(b"\n")
        self._offset += sum(len(line) + 1 for line in lines)
        if self._skipping:
            self._skipping = False
            del lines[0]
        return lines

    def close(self) -> None:
        """Let the file go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _part(self, size: int) -> bytes:
        assert self._descriptor is not None
        try:
            return os.pread(self._descriptor, size, self._offset)
        except OSError:
            return b""

    def _open(self) -> bool:
        try:
            self._descriptor = open_regular(self._path)
        except OSError:
            return False
        self._offset, self._skipping = 0, False
        return True

    def _was_replaced(self, unfinished: int) -> bool:
        """A smaller file or another one by the same name is a new one; asked where the old one gives no more."""
        assert self._descriptor is not None
        ours = os.fstat(self._descriptor)
        try:
            there = self._path.stat()
        except OSError:
            return False
        if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino) and ours.st_size >= self._offset + unfinished:
            return False
        self.close()
        return True


class EventFollower:
    """The events of a run's log, each once, in their order; lines that are torn, unknown or hostile are left out.

    Of the progress of a long past only about `MOST_PROGRESS` lines are read, evenly spread.
    """

    def __init__(self, path: Path) -> None:
        """Follow the log at `path`, which need not exist yet."""
        self._lines = LineFollower(path)
        self._seq = 0
        self._every = max(1, self._lines.size // (MOST_PROGRESS * _PROGRESS_BYTES))

    def read(self) -> list[AnyEvent] | None:
        """The next events, perhaps none of them; None once all that there is has been given."""
        lines = self._lines.read()
        if lines is None:
            self._every = 1
            return None
        events = []
        for line in _thinned(lines, self._every) if self._every > 1 else lines:
            # A log that was rewritten is read again from its beginning; what it repeats is known by its number.
            number = _NUMBER.match(line)
            if number is not None and int(number[1]) <= self._seq:
                continue
            event = parsed_event(line)
            if event is not None and event.seq > self._seq:
                self._seq = event.seq
                events.append(event)
        return events

    def close(self) -> None:
        """Let the log go."""
        self._lines.close()


def _thinned(lines: Sequence[bytes], every: int) -> Iterator[bytes]:
    """One progress line in `every`, and the last of each unbroken row of them: what follows belongs to its step."""
    row = 0
    for line, following in zip(lines, [*lines[1:], b""], strict=False):  # there may be none
        if not line.startswith(_PROGRESS):
            row = 0
            yield line
            continue
        row += 1
        if row % every == 0 or not following.startswith(_PROGRESS):
            yield line

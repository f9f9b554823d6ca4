"""events.jsonl: one event a line, appended to; past a budget its older part is thinned."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Final

from reid_tui.errors import advice
from reid_tui.files import PRIVATE_FILE, write_all
from reid_tui.runs.compact import compact
from reid_tui.runs.flusher import Flusher
from reid_tui.training.event_json import from_json, to_line
from reid_tui.training.events import AnyEvent, CheckpointSaved, ends_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONGEST_LINE: Final = 4 * 2**20
BUDGET: Final = 64 * 2**20
SYNC_S: Final = 30.0
"""At most so much of the log is lost with the machine; a process that ends loses none."""
_CHUNK: Final = 2**16


class EventLog:
    """Appends events, one write a line. A torn last line of a killed process is moved to `events.torn` first."""

    def __init__(self, path: Path, budget: int = BUDGET, sync_every_s: float = SYNC_S) -> None:
        """Open or make the log.

        Args:
            path: of the file.
            budget: bytes past which older lines are thinned.
            sync_every_s: seconds after which a line is on the disk, at the latest.

        Raises:
            OSError: it cannot be opened.
        """
        self._path = path
        self._budget = budget
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            _cut_torn_line(path, self._descriptor)
            found = os.fstat(self._descriptor)
        except OSError:
            os.close(self._descriptor)
            raise
        self._size = found.st_size
        self._compact_at: float = budget if stat.S_ISREG(found.st_mode) else float("inf")
        self._too_long: OSError | None = None
        self._too_long_told = False
        self._torn = False
        self._flusher = Flusher(self._descriptor, sync_every_s)

    def append(self, event: AnyEvent) -> None:
        """Write one line; after a checkpoint and at the end also to the disk.

        Raises:
            OSError: the line is lost or torn; a later one starts on a line of its own.
        """
        line = to_line(event).encode() + b"\n"
        if self._torn:
            line = b"\n" + line
        written = os.write(self._descriptor, line)  # where it raises, it wrote nothing
        self._size += written
        self._flusher.written()
        self._torn = written != len(line)
        if self._torn:
            raise OSError("the disk took only a part of the line")
        if self._size > self._compact_at:
            self._compact()
        if isinstance(event, CheckpointSaved) or ends_run(event):
            self._flusher.sync()

    def troubles(self) -> Iterator[tuple[str, str]]:
        """What went wrong without costing a line: code and message of a warning, each told once until it is mended."""
        if (error := self._flusher.new_error()) is not None:
            yield "log_not_synced", f"the run's log is written, but not yet safe on the disk: {advice(error, '')}"
        if self._too_long is not None and not self._too_long_told:
            self._too_long_told = True
            told = advice(self._too_long, "it is tried again later")
            yield "log_too_long", f"the run's log could not be shortened: {told}"

    def go_on_at(self, path: Path) -> None:
        """Go on in the file at a path: this one, which was moved there, or a new one with all that was told so far.

        Raises:
            OSError: the new one is not whole; this one goes on.
        """
        ours = os.fstat(self._descriptor)
        if not ours.st_nlink:
            self._turn_to(_copied(self._descriptor, ours.st_size, path))
        self._path = path

    def close(self) -> None:
        """Close the file."""
        self._flusher.close()
        os.close(self._descriptor)

    def _compact(self) -> None:
        try:
            shorter, size = compact(self._path, self._descriptor, self._budget)
        except OSError as error:
            self._too_long = error
            self._compact_at = self._size + self._budget // 8
            return
        self._turn_to(shorter)
        self._size = size
        self._compact_at = max(self._budget, size + self._budget // 4)
        self._too_long, self._too_long_told = None, False

    def _turn_to(self, descriptor: int) -> None:
        self._flusher.turn_to(descriptor)
        os.close(self._descriptor)
        self._descriptor = descriptor


def _copied(descriptor: int, size: int, path: Path) -> int:
    """A descriptor of a file at `path` with the same content."""
    copy = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        for position in range(0, size, _CHUNK):
            write_all(copy, os.pread(descriptor, _CHUNK, position))
    except OSError:
        os.close(copy)
        raise
    return copy


def read_events(path: Path) -> Iterator[AnyEvent]:
    """Read a log; lines that are torn or unknown are left out.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        while line := file.readline(LONGEST_LINE):
            if not line.strip():
                continue
            if (event := parsed_event(line)) is not None:
                yield event


def parsed_event(line: bytes) -> AnyEvent | None:
    """The event in a line of a log, None where there is none."""
    try:
        value = json.loads(line)
        return from_json(value) if isinstance(value, dict) else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _cut_torn_line(path: Path, descriptor: int) -> None:
    """Move what follows the last newline to the file beside; only the end is read."""
    size = os.fstat(descriptor).st_size
    whole = size
    while whole > 0:
        start = max(0, whole - _CHUNK)
        newline = os.pread(descriptor, whole - start, start).rfind(b"\n")
        if newline >= 0:
            whole = start + newline + 1
            break
        whole = start
    if whole == size:
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    with os.fdopen(os.open(path.with_suffix(".torn"), flags, PRIVATE_FILE), "ab") as aside:
        for position in range(whole, size, _CHUNK):
            aside.write(os.pread(descriptor, min(_CHUNK, size - position), position))
        aside.write(b"\n")
        aside.flush()
        os.fsync(aside.fileno())
    os.ftruncate(descriptor, whole)

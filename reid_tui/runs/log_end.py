"""The end of a run's log, read backwards: what `reid-tui runs` shows costs the same for any length of log.

At most `TAIL` bytes from the end and `HEAD` from the start are read, so what stands only between them is not known.
Lines are taken as plain JSON, not as events: torn, unknown and hostile ones are passed over.
"""

from __future__ import annotations

import json
import math
import os
import stat
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TAIL: Final = 8 * 2**20
"""Some 35,000 progress lines: the last evaluation lies within them unless epochs are very long."""
HEAD: Final = 2**20
"""Holds `run_started` with the names of some 50,000 identities."""
CHUNK: Final = 256 * 2**10
ENDS: Final = ("finished", "stopped", "failed", "diverged")
_MARKS: Final = frozenset({*ENDS, "run_started", "progress", "paused", "resumed"})
_STEERED: Final = frozenset({"run_started", "paused", "resumed", "diverged"})
_LARGEST: Final = 10**15
_KIND: Final = b'{"event":"'


def whole(value: Any) -> int | None:  # noqa: ANN401
    """A count out of untrusted JSON, None where it is none."""
    return value if type(value) is int and 0 <= value <= _LARGEST else None


def number(value: Any) -> float | None:  # noqa: ANN401
    """A finite number out of untrusted JSON, None where it is none."""
    if type(value) is float:
        return value if math.isfinite(value) else None
    return float(value) if type(value) is int and abs(value) <= _LARGEST else None


def read_piece(path: Path, size: int) -> bytes:
    """The first bytes of a regular file; a FIFO or a device is not waited for.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    descriptor = open_regular(path)
    try:
        return os.pread(descriptor, size, 0)
    finally:
        os.close(descriptor)


def open_regular(path: Path) -> int:
    """A descriptor for reading.

    Raises:
        OSError: it cannot be opened, or is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("no regular file")
    return descriptor


def parsed(text: bytes) -> dict[str, Any] | None:
    """A JSON object, None where it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


class LogEnd:
    """What the newest lines say. Of steps that were taken back nothing is kept, as on the screen."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.step: int | None = None
        """Of the newest event."""
        self.seq: int | None = None
        """Of the newest event."""
        self.time: float | None = None
        """Unix seconds of the newest event that carries them."""
        self.mark: str | None = None
        """The newest event that tells whether training goes on."""
        self.marked: dict[str, Any] = {}
        """That event, as it stands in the log."""
        self.steered: str | None = None
        """The newest of start, pause, resume and divergence."""
        self.start: dict[str, Any] | None = None
        """The newest start, as it stands in the log."""
        self.start_is_newest = False
        """Whether `start` was found at the end, so that no later one can lie before it unread."""
        self.loss: float | None = None
        self.margin: float | None = None
        self.map: float | None = None
        self.map_step: int | None = None
        """Of the evaluation that `map` is of."""
        self._kept_to: float = math.inf
        self._complete = False

    @property
    def complete(self) -> bool:
        """Whether older lines cannot add anything."""
        return self._complete or None not in (self.time, self.mark, self.start, self.loss, self.margin, self.map)

    def take(self, line: bytes) -> None:
        """Take the line before the one taken last."""
        event = parsed(line) if self._may_tell(line) else None
        if event is None or (step := whole(event.get("step"))) is None:
            return
        kind = str(event.get("event"))
        if self.step is None:
            self.step, self.seq = step, whole(event.get("seq"))
        if self.time is None:
            self.time = number(event.get("time"))
        if self.mark is None and kind in _MARKS:
            self.mark, self.marked = kind, event
        if self.steered is None and kind in _STEERED:
            self.steered = kind
        if step <= self._kept_to:
            self._take_numbers(kind, event)
        if kind == "run_started":
            self._take_start(event, step)
        elif kind == "rewound":
            self._kept_to = min(self._kept_to, step)

    def _may_tell(self, line: bytes) -> bool:
        """Whether parsing is worth its time; decided by the kind where the line begins as our own do."""
        if self.step is None or self.time is None or not line.startswith(_KIND):
            return bool(line.strip())
        kind = line[len(_KIND) : len(_KIND) + 24].partition(b'"')[0]
        match kind:
            case b"progress":
                return self.mark is None or self.loss is None or self.margin is None
            case b"evaluated":
                return self.map is None
            case b"margin_changed":
                return self.margin is None
            case b"run_started" | b"rewound":
                return True
        return kind.decode("ascii", errors="replace") in _MARKS and None in (self.mark, self.steered)

    def _take_numbers(self, kind: str, event: dict[str, Any]) -> None:
        match kind:
            case "progress":
                self.loss = number(event.get("loss")) if self.loss is None else self.loss
                self.margin = number(event.get("margin")) if self.margin is None else self.margin
            case "margin_changed":
                self.margin = number(event.get("new")) if self.margin is None else self.margin
            case "evaluated":
                if self.map is None and (found := number(event.get("map"))) is not None:
                    self.map, self.map_step = found, whole(event.get("step"))
            case "run_started" | "rewound":
                self.margin = number(event.get("margin")) if self.margin is None else self.margin

    def _take_start(self, event: dict[str, Any], step: int) -> None:
        if self.start is None:
            self.start, self.start_is_newest = event, True
        self._kept_to = min(self._kept_to, step)
        self._complete = self._complete or step == 0


def read_end(path: Path) -> LogEnd:
    """Read what the end of a log says; of a log that cannot be read, nothing."""
    end = LogEnd()
    try:
        descriptor = open_regular(path)
    except OSError:
        return end
    try:
        for line in _backwards(descriptor):
            end.take(line)
            if end.complete:
                break
        if end.start is None:
            end.start = _first_start(os.pread(descriptor, HEAD, 0))
    except OSError:
        return end
    finally:
        os.close(descriptor)
    return end


def _first_start(head: bytes) -> dict[str, Any] | None:
    for line in head.splitlines():
        if b"run_started" in line and (event := parsed(line)) and event.get("event") == "run_started":
            return event
    return None


def _backwards(descriptor: int) -> Iterator[bytes]:
    """The lines of the last `TAIL` bytes, newest first; one that begins before them is left out."""
    position = os.fstat(descriptor).st_size
    first = max(0, position - TAIL)
    rest: list[bytes] = []
    while position > first:
        size = min(CHUNK, position - first)
        position -= size
        head, *lines = os.pread(descriptor, size, position).split(b"\n")
        if lines:
            yield b"".join([lines.pop(), *reversed(rest)])
            yield from reversed(lines)
            rest = []
        rest.append(head)
    if first == 0:
        yield b"".join(reversed(rest))

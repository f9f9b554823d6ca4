"""events.jsonl: one event a line, only ever appended to."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

from reid_tui.files import PRIVATE_FILE
from reid_tui.training.events import AnyEvent, CheckpointSaved, ends_run, from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONGEST_LINE: Final = 4 * 2**20


class EventLog:
    """Appends events, one write a line. A torn last line of a killed process is moved to `events.torn` first."""

    def __init__(self, path: Path) -> None:
        """Open or make the log.

        Raises:
            OSError: it cannot be opened.
        """
        self._path = path
        _cut_torn_line(path)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, PRIVATE_FILE)
        self._torn = False

    def append(self, event: AnyEvent) -> None:
        """Write one line; after a checkpoint and at the end also to the disk.

        Raises:
            OSError: the line is lost or torn; a later one starts on a line of its own.
        """
        line = json.dumps(to_json(event), separators=(",", ":")).encode() + b"\n"
        if self._torn:
            line = b"\n" + line
        self._torn = True
        if os.write(self._descriptor, line) != len(line):
            raise OSError("the disk took only a part of the line")
        self._torn = False
        if isinstance(event, CheckpointSaved) or ends_run(event):
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def read_events(path: Path) -> Iterator[AnyEvent]:
    """Read a log; lines that are torn or unknown are left out.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        while line := file.readline(LONGEST_LINE):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
                if isinstance(value, dict):
                    yield from_json(value)
            except (ValueError, KeyError, TypeError):
                continue


def _cut_torn_line(path: Path) -> None:
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole == len(content):
        return
    with path.with_suffix(".torn").open("ab") as aside:
        aside.write(content[whole:] + b"\n")
    os.truncate(path, whole)

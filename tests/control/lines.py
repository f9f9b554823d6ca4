"""A run whose control socket is up, and a plain connection to it."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from reid_tui.control.server import ControlServer, socket_path
from reid_tui.runs.directory import RunDirectory
from reid_tui.runs.lock import RunLock
from reid_tui.training.commands import Command

PAUSE = b'{"command":"pause"}\n'
OK = {"ok": True}


def until(condition: Callable[[], object], timeout_s: float = 20) -> None:
    """Wait for a condition that must come true."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.005)


class Served:
    """What a training process does with its socket, and the commands that came through it."""

    def __init__(self, folder: Path, take: Callable[[Command, str], None] | None = None, **options: Any) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self.run = RunDirectory(folder)
        self.taken: list[tuple[Command, str]] = []
        self.lock = RunLock(self.run.lock)
        with contextlib.ExitStack() as undo:
            undo.callback(self.lock.release)
            self.server = ControlServer(self.run, take or (lambda *item: self.taken.append(item)), **options)
            undo.pop_all()
        self.lock.tell(self.server.path)
        self._over = False

    @property
    def commands(self) -> list[Command]:
        return [command for command, _ in self.taken]

    def close(self) -> None:
        self.server.close()
        assert not self.server._thread.is_alive()
        if not self._over:
            self.lock.release()
        self._over = True


@contextlib.contextmanager
def serving(folder: Path, take: Callable[[Command, str], None] | None = None, **options: Any) -> Iterator[Served]:
    served = Served(folder, take, **options)
    try:
        yield served
    finally:
        served.close()


class Line:
    """A connection without any of the client's care."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.socket.connect(str(path))
        except OSError:
            self.socket.close()
            raise
        self.socket.settimeout(20)
        self._file = self.socket.makefile("rb")

    def ask(self, data: bytes) -> Any:
        self.socket.sendall(data)
        return self.answer()

    def answer(self) -> Any:
        """The next reply, None at the end of the stream."""
        try:
            line = self._file.readline()
        except ConnectionResetError:
            return None
        return json.loads(line) if line else None

    def close(self) -> None:
        self._file.close()
        self.socket.close()


@contextlib.contextmanager
def connected(run: RunDirectory) -> Iterator[Line]:
    path = socket_path(run)
    assert path is not None
    line = Line(path)
    try:
        yield line
    finally:
        line.close()

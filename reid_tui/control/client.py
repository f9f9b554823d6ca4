"""Sending commands to a run that another process trains. For a screen: no call waits for that process."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from reid_tui.control.server import socket_path
from reid_tui.control.wire import LINE_LIMIT, command_to_json, command_to_line
from reid_tui.errors import UsageError
from reid_tui.text import printable

if TYPE_CHECKING:
    from reid_tui.runs.directory import RunDirectory
    from reid_tui.training.commands import Command

TIMEOUT_S: Final = 5.0
PROBLEMS_KEPT: Final = 100
_PROBLEM_LENGTH: Final = 300
_TRY_AGAIN_S: Final = 0.02


class _NotSentError(Exception):
    """The command cannot have arrived: the connection was gone before it."""


class _ProblemError(Exception):
    """A sentence for the person."""


class _SilenceError(Exception):
    """As `_ProblemError`, of a process that takes its time."""


class ControlClient:
    """Sends in an own daemon thread, one command after the other. Connects with the first.

    A command is sent at most once: where its fate is not known, a problem says so.
    """

    def __init__(self, run: RunDirectory, *, timeout_s: float = TIMEOUT_S) -> None:
        """Take the run; nothing is opened yet.

        Args:
            run: that is being trained, or not.
            timeout_s: seconds for a connection to be made, and for a command to be sent and answered.
        """
        self._run = run
        self._timeout_s = timeout_s
        self._queue: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
        self._problems: deque[str] = deque(maxlen=PROBLEMS_KEPT)
        self._connection: socket.socket | None = None
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._work, name="control client", daemon=True)
        self._thread.start()

    def send(self, command: Command) -> None:
        """Leave a command to be sent; returns at once."""
        self._queue.put(command)

    def problems(self) -> list[str]:
        """Take what went wrong since the last call, one printable line each, the newest `PROBLEMS_KEPT`."""
        taken = []
        with contextlib.suppress(IndexError):
            while True:
                taken.append(self._problems.popleft())
        return taken

    def close(self, timeout_s: float = TIMEOUT_S) -> None:
        """Send what waits, then close the connection; what takes longer than `timeout_s` seconds is given up."""
        self._queue.put(None)
        self._thread.join(timeout_s)
        self._given_up.set()
        if self._thread.is_alive():
            self._problems.append(f"gave up after {timeout_s:g} s; the last commands may not have been sent")

    def _work(self) -> None:
        try:
            while (command := self._queue.get()) is not None and not self._given_up.is_set():
                name = command_to_json(command)["command"]
                try:
                    self._deliver(command_to_line(command))
                except (_ProblemError, UsageError) as problem:
                    self._problems.append(printable(f"{name}: {problem}", _PROBLEM_LENGTH))
                except _SilenceError as silence:
                    self._problems.append(printable(f"{name}: {silence}{self._drop_waiting()}", _PROBLEM_LENGTH))
        finally:
            self._disconnect()

    def _drop_waiting(self) -> str:
        """Keys pressed at a process that does not answer must not pile up and come true minutes later."""
        dropped, closing = 0, False
        with contextlib.suppress(queue.Empty):
            while True:
                closing |= self._queue.get_nowait() is None
                dropped += not closing
        if closing:
            self._queue.put(None)
        return f"; {dropped} more not sent" if dropped else ""

    def _deliver(self, line: bytes) -> None:
        """Send a line and read its answer; once more over a new connection where an old one broke before it.

        Raises:
            _ProblemError: it was refused or not sent, or nothing is known of it.
            _SilenceError: no answer came in time.
        """
        reused = self._connection is not None
        try:
            answer = self._exchange(self._connection or self._connect(), line)
        except _NotSentError as error:
            self._disconnect()
            if not reused:
                raise _ProblemError(f"not sent, the connection broke: {error}") from error
            self._deliver(line)
            return
        except TimeoutError as error:
            self._disconnect()
            raise _SilenceError(f"no answer within {self._timeout_s:g} s; the run may still get it") from error
        except OSError as error:
            self._disconnect()
            raise _ProblemError(f"{error.strerror or error}; whether the run got it is not known") from error
        if answer.get("ok") is not True:
            raise _ProblemError(f"refused: {answer.get('error')}")

    def _connect(self) -> socket.socket:
        path = socket_path(self._run)
        if path is None:
            raise _ProblemError("not sent: no process that can be reached trains this run")
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self._timeout_s)
        try:
            _connect(connection, str(path), time.monotonic() + self._timeout_s)
        except (TimeoutError, BlockingIOError) as error:
            connection.close()
            raise _SilenceError("not sent, the run's process does not answer") from error
        except OSError as error:
            connection.close()
            raise _ProblemError(f"not sent, {str(path)!r} does not answer: {error.strerror or error}") from error
        self._connection = connection
        return connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(self, connection: socket.socket, line: bytes) -> dict[str, object]:
        """Send and read one line.

        Raises:
            _NotSentError: the other side had closed already, without a word.
            OSError: anything else; the line may have arrived.
        """
        deadline = time.monotonic() + self._timeout_s
        try:
            connection.sendall(line)
        except ConnectionError as error:
            # A server that turns a connection away says why before it closes it.
            with contextlib.suppress(OSError):
                return _answer(_read_line(connection, deadline))
            raise _NotSentError(error.strerror) from error
        return _answer(_read_line(connection, deadline))


def _connect(connection: socket.socket, path: str, deadline: float) -> None:
    """Connect, tried again while so many others do that the kernel keeps no more of them waiting."""
    while True:
        try:
            connection.connect(path)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_TRY_AGAIN_S)
        else:
            return


def _read_line(connection: socket.socket, deadline: float) -> bytes:
    """One line, by `deadline` in seconds of the monotonic clock."""
    line = b""
    while not line.endswith(b"\n"):
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        data = connection.recv(LINE_LIMIT - len(line))
        if not data:
            raise ConnectionResetError("the connection ended without an answer")
        line += data
    return line


def _answer(line: bytes) -> dict[str, object]:
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConnectionError("the answer is no JSON") from error
    if not isinstance(answer, dict):
        raise ConnectionError("the answer is no object")
    return answer

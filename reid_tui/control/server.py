"""The control socket of a running process: commands from other processes of the same user, one JSON object a line.

Whatever arrives is read here, in one thread, in small bounded pieces; the trainer sees commands only.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import threading
import time
from typing import TYPE_CHECKING, Final

from reid_tui.control.endpoint import listen, peer_of
from reid_tui.control.wire import LINE_LIMIT, command_from_line
from reid_tui.errors import RunError, UsageError
from reid_tui.runs.lock import told_socket

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from reid_tui.runs.directory import RunDirectory
    from reid_tui.training.commands import Command

LOGGER = logging.getLogger("reid_tui")
MOST_CLIENTS: Final = 8
LINE_TIMEOUT_S: Final = 5.0
_ROUND_S: Final = 0.01
"""Between two looks at the sockets: a flood wakes the thread a hundred times a second and takes the trainer no time."""
_ACCEPTED_A_ROUND: Final = 32
_AFTER_ERROR_S: Final = 1.0
_ERRORS_LOGGED: Final = 10
_CLOSE_S: Final = 5.0


def socket_path(run: RunDirectory) -> Path | None:
    """Where the process that trains a run listens; None where there is no such process, or it has no socket."""
    return told_socket(run.lock)


class _Client:
    """One accepted connection and what has arrived of its next lines, at most `LINE_LIMIT` bytes."""

    def __init__(self, connection: socket.socket, origin: str, timeout_s: float) -> None:
        self.connection = connection
        self.origin = origin
        self.buffer = bytearray()
        self.deadline: float | None = None
        self._timeout_s = timeout_s

    @property
    def has_line(self) -> bool:
        return b"\n" in self.buffer

    def receive(self) -> bool:
        """Take what is there and fits; False at the end of the stream."""
        try:
            data = self.connection.recv(LINE_LIMIT - len(self.buffer))
        except BlockingIOError:
            return True
        self.buffer += data
        return bool(data)

    def take_line(self) -> bytes | None:
        """The next whole line, or None. What then is left of a begun line gets a deadline."""
        line, newline, rest = self.buffer.partition(b"\n")
        if newline:
            self.buffer, self.deadline = rest, None
        if self.buffer and self.deadline is None and not self.has_line:
            self.deadline = time.monotonic() + self._timeout_s
        return bytes(line) if newline else None


class ControlServer:
    """Listens from construction to `close`, in a daemon thread that never waits for a client."""

    def __init__(
        self, run: RunDirectory, take: Callable[[Command, str], None], *, line_timeout_s: float = LINE_TIMEOUT_S
    ) -> None:
        """Begin to listen. Only for who holds the run's lock.

        Args:
            run: whose folder gets the socket.
            take: called in the server's thread with each command and who sent it, such as `attach 4242` (a process
                number); it must not wait.
            line_timeout_s: seconds in which a begun line must be finished.

        Raises:
            RunError: nobody can be listened to, with the reason.
        """
        self._take = take
        self._line_timeout_s = line_timeout_s
        self._closing = threading.Event()
        self._clients: list[_Client] = []
        self._listener, self.path = listen(run)
        """`path`: absolute, of the socket's file."""
        self._woken, self._wake = os.pipe()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            self._release()
            raise RunError(f"no control socket: {error}") from error

    def close(self) -> None:
        """End the connections and the thread, remove the file. Repeated calls do nothing."""
        if self._closing.is_set():
            return
        self._closing.set()
        os.write(self._wake, b"x")
        self._thread.join(_CLOSE_S)
        if self._thread.is_alive():
            LOGGER.warning("the control socket's thread did not end within %g s", _CLOSE_S)
            return
        self._release()

    def _release(self) -> None:
        for client in self._clients:
            client.connection.close()
        self._selector.close()
        self._listener.close()
        os.close(self._woken)
        os.close(self._wake)
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            LOGGER.warning("the control socket %s could not be removed: %s", self.path, error.strerror)

    def _serve(self) -> None:
        errors = 0
        while not self._closing.is_set():
            try:
                self._round()
            except Exception:  # training does not depend on who listens
                errors += 1
                if errors <= _ERRORS_LOGGED:
                    LOGGER.exception("the control socket")
                self._closing.wait(_AFTER_ERROR_S)
            else:
                self._closing.wait(_ROUND_S)

    def _round(self) -> None:
        """Wait for something to happen; then accept, and take at most one line of each client."""
        ready = {key.fileobj for key, _ in self._selector.select(self._patience_s())}
        if self._closing.is_set():
            return
        for client in list(self._clients):
            try:
                going_on = self._attend(client, readable=client.connection in ready)
            except OSError:  # it is gone
                going_on = False
            except BaseException:
                self._drop(client)
                raise
            if not going_on:
                self._drop(client)
        if self._listener in ready:
            self._accept()

    def _patience_s(self) -> float | None:
        if any(client.has_line for client in self._clients):
            return 0.0
        deadlines = [client.deadline for client in self._clients if client.deadline is not None]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _attend(self, client: _Client, *, readable: bool) -> bool:
        """Take one line, if there is one; False where the connection is over."""
        if readable and not client.has_line and not client.receive():
            return False
        line = client.take_line()
        if line is not None:
            return _reply(client.connection, self._answer(line, client.origin))
        if len(client.buffer) >= LINE_LIMIT:
            _reply(client.connection, f"a line has at most {LINE_LIMIT} bytes; this one is longer")
            return False
        if client.deadline is not None and time.monotonic() >= client.deadline:
            _reply(client.connection, f"a line must be finished within {self._line_timeout_s:g} s of its first byte")
            return False
        return True

    def _answer(self, line: bytes, origin: str) -> str:
        """Hand a command on; what was wrong with it, or nothing."""
        try:
            command = command_from_line(line)
        except UsageError as error:
            return str(error)
        self._take(command, origin)
        return ""

    def _accept(self) -> None:
        for _ in range(_ACCEPTED_A_ROUND):
            try:
                connection, _address = self._listener.accept()
            except (BlockingIOError, ConnectionError):
                return
            connection.setblocking(False)
            try:
                peer = peer_of(connection)
                refusal = self._refusal(peer.uid)
            except OSError as error:
                refusal = f"who connects is not known: {error.strerror}"
            if refusal:
                _reply(connection, refusal)
                connection.close()
                continue
            self._clients.append(_Client(connection, f"attach {peer.pid}", self._line_timeout_s))
            self._selector.register(connection, selectors.EVENT_READ)

    def _refusal(self, uid: int) -> str:
        if uid != os.geteuid():
            return "this run belongs to another user"
        if len(self._clients) >= MOST_CLIENTS:
            return f"{MOST_CLIENTS} others are connected already; close one of them"
        return ""

    def _drop(self, client: _Client) -> None:
        self._clients.remove(client)
        self._selector.unregister(client.connection)
        client.connection.close()


def _reply(connection: socket.socket, error: str) -> bool:
    """Send the one line that answers; False where the client has not read so many that the kernel takes no more."""
    answer = {"ok": False, "error": error} if error else {"ok": True}
    data = json.dumps(answer).encode() + b"\n"
    try:
        return connection.send(data) == len(data)
    except OSError:
        return False

"""A command in a real terminal: started on a pty, read without pause, and given keys.

What the command writes is kept with the moment it came, and looked at only afterwards, so that watching costs the
command next to nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
import termios
import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

COLUMNS: Final = 120
ROWS: Final = 40
_READ_BYTES: Final = 2**18
_GRACE_S: Final = 20.0
_HIDDEN: Final = ("COLUMNS", "LINES", "NO_COLOR", "TMUX", "STY", "SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT")
_SEEN: Final = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8", "REID_TUI_THEME": "dark"}
"""With its theme set, the terminal is not asked for its background, which nobody would answer."""


class Chunk(NamedTuple):
    """What one read of the terminal gave."""

    at: float
    """Seconds of `time.perf_counter`."""
    data: bytes


class Terminal:
    """A command on a pty, as a context: leaving it ends the command."""

    def __init__(
        self,
        command: Sequence[str],
        columns: int = COLUMNS,
        rows: int = ROWS,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Start the command.

        Args:
            command: program and arguments.
            columns: of the terminal.
            rows: of the terminal.
            variables: of the environment, beyond those of a local terminal in UTF-8 and true colour.

        Raises:
            OSError: no pty, or the program cannot be started.
        """
        self.columns, self.rows = columns, rows
        self._chunks: list[Chunk] = []
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environment = {name: value for name, value in os.environ.items() if name not in _HIDDEN}
        environment.update(_SEEN, **(variables or {}))
        try:
            self._process = subprocess.Popen(
                command, stdin=slave, stdout=slave, stderr=slave, env=environment, preexec_fn=_take_terminal
            )
        except BaseException:
            os.close(self._master)
            raise
        finally:
            os.close(slave)
        self._reader = threading.Thread(target=self._read, name="bench-terminal", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """Of the command."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the command has not ended."""
        return self._process.poll() is None

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """All that was read so far, in order."""
        return tuple(self._chunks)

    def press(self, key: bytes) -> float:
        """Type, and say when: seconds of `time.perf_counter` just before the bytes went out.

        Raises:
            OSError: the terminal is gone.
        """
        before = time.perf_counter()
        os.write(self._master, key)
        return before

    def wait(self, timeout_s: float) -> int:
        """Wait for the command to end by itself.

        Returns:
            Its exit code.

        Raises:
            subprocess.TimeoutExpired: it did not.
        """
        code = self._process.wait(timeout_s)
        self._reader.join(_GRACE_S)
        return code

    def end(self) -> None:
        """Ask the command to end, make it end when it does not, and let the terminal go."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(_GRACE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join(_GRACE_S)
        with contextlib.suppress(OSError):
            os.close(self._master)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, _READ_BYTES)
            except OSError:  # EIO: the last process has let go of the terminal
                return
            if not data:
                return
            self._chunks.append(Chunk(time.perf_counter(), data))


def _take_terminal() -> None:
    """In the child: a session of its own, whose controlling terminal is its stdin."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)

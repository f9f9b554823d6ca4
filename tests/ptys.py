"""A command in a pseudo-terminal whose other end the test holds, and may let go."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path
from typing import Any

from tests.conftest import ends_within
from tests.warm import Warm


class Pty:
    """A command in a terminal of its own, read by a thread until `close` or `stop_reading`."""

    def __init__(self, folder: Path, *argv: str, under: tuple[str, ...] = (), afresh: bool = False) -> None:
        """Start it; as an argument of another command, and afresh where its start is what is looked at."""
        self.folder = folder
        self.shown = b""
        """All that the terminal was written."""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        words = [*argv, "--runs-dir", str(folder)]
        environ = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1"}
        self.process: subprocess.Popen[bytes] | Warm
        if under or afresh:
            self.process = subprocess.Popen(
                [*under, sys.executable, "-m", "reid_tui", *words],
                stdin=slave,
                stdout=slave,
                stderr=slave,
                env=environ,
                start_new_session=True,
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            )
        else:
            self.process = Warm(words, (slave, slave, slave), environ, terminal=True)
        os.close(slave)
        self.read()

    def _read(self) -> None:
        while self._reading:
            readable, _, _ = select.select([self._master], [], [], 0.02)
            try:
                if readable:
                    part = os.read(self._master, 65536)
                    self.shown += part
                    if not part:
                        return
            except OSError:
                return

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def read(self) -> None:
        self._reading = True
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def stop_reading(self) -> None:
        self._reading = False
        self._reader.join()

    def waiting(self) -> int:
        """Bytes that the terminal holds and nobody has read."""
        return int.from_bytes(fcntl.ioctl(self._master, termios.FIONREAD, b"\0" * 4), sys.byteorder)

    def fill(self) -> None:
        """Nobody reads, and the terminal takes not a byte more."""
        self.stop_reading()
        self._reader.join()
        name = Path(f"/proc/{self.process.pid}/fd/2").readlink()
        slave = os.open(name, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(slave, b"x")
        os.close(slave)

    def close(self) -> None:
        """Hang up: the kernel sends SIGHUP to the command."""
        self._reading = False
        self._reader.join()
        os.close(self._master)

    def end(self) -> None:
        """Leave nothing behind, whatever the test came to."""
        with contextlib.suppress(OSError):
            self.close()
        for line in self.events():
            if line["event"] == "run_started" and not ends_within(line["pid"], 0):
                os.kill(line["pid"], signal.SIGKILL)
        self.process.kill()
        self.process.wait()

    def events(self) -> list[dict[str, Any]]:
        logs = list(self.folder.glob("*/events.jsonl"))
        return [json.loads(line) for line in logs[0].read_text().splitlines()] if logs else []

    def until_shown(self, text: bytes, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < deadline, f"no {text!r} within {seconds} s: {self.shown[-500:]!r}"
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.shown[-500:]!r}"
            time.sleep(0.02)

    def until(self, event: str, seconds: float = 60, step: int = 0) -> None:
        deadline = time.monotonic() + seconds
        while not any(line["event"] == event and line["step"] >= step for line in self.events()):
            assert time.monotonic() < deadline, f"no {event} within {seconds} s"
            assert self.process.poll() is None, f"ended with {self.process.returncode}"
            time.sleep(0.05)

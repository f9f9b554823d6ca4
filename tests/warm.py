"""reid-tui as a process of its own, without the seconds that torch takes: forked from one that has imported it.

The generated pedestrians are drawn there, too.

What a start is made of, and the moments before torch is there, want a command that is started as people start it.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import dataclasses
import fcntl
import functools
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import traceback
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parents[1]
PARTS = ("reid_tui.cli.main", "reid_tui.headless", "reid_tui.engine", "reid_tui.training.learner", "torch")
"""No Textual: it reads the environment while it is imported."""
LARGEST = 2**17
"""Bytes of a command line and its environment."""


class Warm:
    """A command that runs; what `subprocess.Popen` can, as far as it is needed."""

    def __init__(
        self, argv: list[str], streams: tuple[int, int, int], environ: dict[str, str], *, terminal: bool
    ) -> None:
        """Start it with these descriptors, which may be closed afterwards; as the leader of a terminal's session."""
        self.returncode: int | None = None
        self._told, telling = os.pipe()
        asked = json.dumps([argv, environ, str(Path.cwd()), terminal]).encode()
        assert len(asked) <= LARGEST
        socket.send_fds(_server(), [asked], [*streams, telling])
        os.close(telling)
        self.pid = self._next()

    def _next(self) -> int:
        (number,) = array.array("i", os.read(self._told, 4))
        return number

    def poll(self) -> int | None:
        """Its exit code, or minus the signal that ended it."""
        if self.returncode is None and select.select([self._told], [], [], 0)[0]:
            self.returncode = self._next()
            os.close(self._told)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Until it has ended.

        Raises:
            TimeoutExpired: it has not.
        """
        if self.returncode is None and not select.select([self._told], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("reid-tui", timeout or 0)
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, number: int) -> None:
        """Unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


def run(*argv: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; its output as text."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err, Path(os.devnull).open() as nothing:
        streams = nothing.fileno(), out.fileno(), err.fileno()
        process = Warm(list(argv), streams, dict(os.environ), terminal=False)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(argv, code, out.read(), err.read())


@functools.cache
def _server() -> socket.socket:
    """Where to ask for a process; it ends when this one does."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.warm", str(there.fileno())], pass_fds=[there.fileno()], cwd=ROOT
    )
    there.close()

    def end() -> None:
        here.close()
        server.wait()

    atexit.register(end)
    return here


def main(asked: socket.socket) -> None:
    """Fork for each that asks, until nobody can any more."""
    from reid_tui.instructions import sort_fast

    sort_fast()
    for part in PARTS:
        importlib.import_module(part)
    from reid_tui.data.pedestrians import generate

    drawn = generate.pedestrians()
    generate.pedestrians = lambda source="generated": dataclasses.replace(drawn, source=f"pedestrians, {source}")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait
    while True:
        text, descriptors, _, _ = socket.recv_fds(asked, LARGEST, 4)
        if not text:
            return
        if not os.fork():
            asked.close()
            _start(*json.loads(text), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _start(argv: list[str], environ: dict[str, str], folder: str, terminal: bool, *descriptors: int) -> NoReturn:
    """Fork once more, and wait for that as a shell would."""
    *streams, telling = descriptors
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if not child:
        os.close(telling)
        os.chdir(folder)
        _become(argv, environ, streams, terminal=terminal)
    for descriptor in streams:
        os.close(descriptor)
    os.write(telling, array.array("i", [child]))
    _, status = os.waitpid(child, 0)
    os.write(telling, array.array("i", [os.waitstatus_to_exitcode(status)]))
    os._exit(0)


def _become(argv: list[str], environ: dict[str, str], streams: list[int], *, terminal: bool) -> NoReturn:
    try:
        if terminal:
            os.setsid()
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
            os.close(descriptor)
        if terminal:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        os.environ.clear()
        os.environ.update(environ)
        sys.argv = ["reid-tui", *argv]
        sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
        from reid_tui.__main__ import main as command

        command()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(70)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as asking:
        main(asking)
    os._exit(0)  # torch takes seconds to say goodbye

"""The trainer as the app sees it: something that takes commands, holds events, and runs in a thread of its own.

The engine, and with it torch, is imported inside that thread.
"""

from __future__ import annotations

import dataclasses
import logging
import queue
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from reid_tui.errors import FAILURE, cause
from reid_tui.runs.directory import RunDirectory
from reid_tui.training.channels import CommandBox, EventBox
from reid_tui.training.events import AnyEvent, Failed, RunStarted, ends_run
from reid_tui.tui.run_log_reader import OutputReader

if TYPE_CHECKING:
    from reid_tui.config import RunOptions
    from reid_tui.training.commands import Command

_LOG = logging.getLogger(__name__)
HERE: Final = "dashboard"
"""Who gives the commands of the screen that trains."""


class News(NamedTuple):
    """Events since the last look, each list in its order."""

    past: list[AnyEvent]
    """What happened before this screen was opened: shown, but nothing to be told of or to act on."""
    live: list[AnyEvent]


class Session(Protocol):
    """A run that is watched and steered. No method waits for the trainer but `join`."""

    @property
    def remote(self) -> bool:
        """Whether the run lives in another process: leaving the screen leaves it alone."""
        ...

    @property
    def alive(self) -> bool:
        """Whether somebody trains."""
        ...

    @property
    def deaf(self) -> str:
        """Why nobody takes commands here; empty where somebody does, or will."""
        ...

    def start(self) -> None:
        """Begin."""
        ...

    def send(self, command: Command, origin: str = HERE) -> None:
        """Leave a command for the trainer.

        Args:
            command: what to do.
            origin: who gave it.
        """
        ...

    def drain(self) -> News:
        """Take the events that have come since the last time."""
        ...

    def join(self, timeout: float) -> None:
        """Wait until the thread has ended, at most `timeout` seconds."""
        ...


class WorkerSession:
    """Trains in a daemon thread: neither a stuck import nor a stuck save can keep the shell from coming back."""

    def __init__(self, options: RunOptions) -> None:
        self._options = options
        self._events = EventBox()
        self._past: queue.SimpleQueue[AnyEvent] = queue.SimpleQueue()
        self._commands = CommandBox()
        self._thread = threading.Thread(target=self._work, name="reid-tui-trainer", daemon=True)
        self._output: OutputReader | None = None
        self._seq = 0
        self._step = 0
        self._ended = False

    @property
    def remote(self) -> bool:
        """It ends with this process."""
        return False

    @property
    def alive(self) -> bool:
        """Whether the trainer's thread runs."""
        return self._thread.is_alive()

    @property
    def deaf(self) -> str:
        """The trainer is our own."""
        return ""

    def start(self) -> None:
        """Start the thread; the import of torch begins in it."""
        self._thread.start()

    def send(self, command: Command, origin: str = HERE) -> None:
        """Leave a command; read between two steps."""
        self._commands.put(command, origin)

    def drain(self) -> News:
        """Take what has come."""
        live = self._events.drain()
        if self._output is not None:
            live = self._output.beside(live, self._step, self._seq)
        # Taken last: what is past was put there before anything that is live and follows from it.
        return News([self._past.get() for _ in range(self._past.qsize())], live)

    def join(self, timeout: float) -> None:
        """Wait for the thread's end."""
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _work(self) -> None:
        """The thread's whole life. Whatever happens in it, the last event ends the run."""
        try:
            from reid_tui.engine import run_training

            run_training(self._options, self._listen, self._commands, steerable=True, past=self._past.put)
        except BaseException as error:
            _LOG.exception("the trainer's thread ended by an exception")
            self._fail(f"{cause(error)} (the traceback is in run.log)")
        else:
            self._fail("training ended without a word; see run.log")

    def _listen(self, event: AnyEvent) -> None:
        if not event.seq:
            event = dataclasses.replace(event, seq=self._seq + 1, time=time.time())
        self._seq, self._step = max(self._seq, event.seq), event.step
        self._ended = ends_run(event)
        if isinstance(event, RunStarted):
            self._output = OutputReader(RunDirectory(Path(event.run)).log)
        self._events.put(event)

    def _fail(self, message: str) -> None:
        if not self._ended:
            self._listen(Failed(step=self._step, message=message, exit_code=FAILURE))

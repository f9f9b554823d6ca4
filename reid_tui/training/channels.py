"""Boxes between the trainer's thread and whoever watches. Loads without torch.

Neither side ever waits for the other, but for a paused trainer, which waits for a command.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from reid_tui.training.commands import Stop
from reid_tui.training.events import AnyEvent, DistancesReady, EmbeddingsReady, PhaseChanged, Progress

if TYPE_CHECKING:
    from reid_tui.training.commands import Command

PROGRESS_KEPT: Final = 8192


class EventBox:
    """Events on their way to a reader that may be slow, stopped or gone.

    Memory is bounded: of progress every second event is dropped when `PROGRESS_KEPT` wait, of each kind of snapshot, of
    phases and of one thing's being loaded only the newest stays. Everything else is kept: a run has few of it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._progress: list[Progress] = []
        self._kept: list[AnyEvent] = []
        self._newest: dict[object, AnyEvent] = {}

    def put(self, event: AnyEvent) -> None:
        """Leave an event; never blocks for longer than a drain takes to swap the lists."""
        with self._lock:
            match event:
                case Progress():
                    self._progress.append(event)
                    if len(self._progress) >= PROGRESS_KEPT:
                        newest = self._progress[-1]
                        self._progress = [*self._progress[:-1:2], newest]
                case EmbeddingsReady(split=split, full=full):
                    self._newest[EmbeddingsReady, split, full] = event
                case DistancesReady() | PhaseChanged(phase="training" | "evaluating" | "saving"):
                    self._newest[type(event)] = event
                case PhaseChanged(total=total) if total and self._kept and _same_work(self._kept[-1], event):
                    self._kept[-1] = event
                case _:
                    self._kept.append(event)

    def drain(self) -> list[AnyEvent]:
        """Take everything that waits, in the order of `seq`."""
        with self._lock:
            taken: list[AnyEvent] = [*self._progress, *self._kept, *self._newest.values()]
            self._progress, self._kept, self._newest = [], [], {}
        taken.sort(key=lambda event: event.seq)
        return taken


def _same_work(one: AnyEvent, other: PhaseChanged) -> bool:
    return isinstance(one, PhaseChanged) and (one.phase, one.detail) == (other.phase, other.detail)


class Order(NamedTuple):
    """A command, and who gave it."""

    command: Command
    origin: str = ""


class CommandBox:
    """Commands on their way to the trainer."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._failure: Exception | None = None
        self.told_to_stop = False
        """Whether a Stop was ever left here: long work that nobody waits for any more may be broken off."""

    def put(self, command: Command, origin: str = "") -> None:
        """Leave a command; safe from a signal handler."""
        self._queue.put(Order(command, origin))
        if isinstance(command, Stop):
            self.told_to_stop = True

    def fail(self, error: Exception) -> None:
        """Have the trainer fail by an error that another thread has found, as soon as it looks for commands."""
        self._failure = error
        self._queue.put(Order(Stop()))  # wakes a trainer that waits

    def get_nowait(self) -> Order | None:
        """The oldest command, or None.

        Raises:
            Exception: what was left by `fail`.
        """
        try:
            return self._taken(self._queue.get_nowait())
        except queue.Empty:
            return None

    def get(self, timeout_s: float | None = None) -> Order | None:
        """Wait for the next command; None when `timeout_s` passed without one.

        In the main thread signals are still handled while waiting.

        Raises:
            Exception: what was left by `fail`.
        """
        try:
            return self._taken(self._queue.get(timeout=timeout_s))
        except queue.Empty:
            return None

    def _taken(self, order: Order) -> Order:
        if self._failure is not None:
            raise self._failure
        return order

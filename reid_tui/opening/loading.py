"""The time before the first step: what it may tell, whether it is to be broken off, and what must be given back."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reid_tui.config import flag
from reid_tui.errors import UsageError
from reid_tui.training import commands as cmd
from reid_tui.training.events import Finished, Listener, PhaseChanged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reid_tui.config import RunOptions
    from reid_tui.training.channels import CommandBox


class StopLoading(BaseException):
    """Told to stop before training began. Also raised out of a signal handler: no `except Exception` may swallow it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NothingLeft(Exception):  # noqa: N818  a run's end, not an error
    """The run to go on with is finished."""

    def __init__(self, end: Finished) -> None:
        super().__init__(end.note)
        self.end = end


@dataclass(frozen=True, slots=True)
class Loading:
    """Given to whoever opens a run."""

    emit: Listener
    """Gets every event."""
    inbox: CommandBox
    resources: contextlib.ExitStack
    """Closed when the run has ended, however it ended."""
    past: Listener | None = None
    """Gets the earlier events of a run that goes on, before anything new is told."""
    took: dict[str, float] = field(default_factory=dict)
    """Seconds of each part of the start; some go on side by side."""
    began: float = field(default_factory=time.perf_counter)

    @contextlib.contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Whatever is done meanwhile is that part."""
        began = time.perf_counter()
        yield
        self.took[part] = time.perf_counter() - began

    @property
    def parts(self) -> str:
        """How long the start took so far, as a sentence for the log."""
        parts = ", ".join(f"{part} {seconds:.2f}" for part, seconds in self.took.items())
        return f"{time.perf_counter() - self.began:.2f} s until training begins, among them seconds of: {parts}"

    def start_torch(self, options: RunOptions) -> None:
        """Say that torch is imported next, which takes seconds.

        Raises:
            UsageError: the current folder was removed, and the options name something in it.
        """
        _leave_removed_folder(options)
        self.emit(PhaseChanged(step=0, phase="importing", detail="starting torch"))

    def report(self, text: str, done: int = 0, total: int = 0) -> None:
        """Say what is being done, unless somebody wants an end.

        Raises:
            StopLoading: somebody does.
        """
        self.stop_if_told()
        self.emit(PhaseChanged(step=0, phase="loading", detail=text, done=done, total=total))

    def stop_if_told(self) -> None:
        """Look through what waits for a Stop; everything else keeps its place.

        Raises:
            StopLoading: there is one.
        """
        waiting = []
        while (order := self.inbox.get_nowait()) is not None:
            if isinstance(order.command, cmd.Stop):
                raise StopLoading(order.command.reason)
            waiting.append(order)
        for order in waiting:
            self.inbox.put(*order)


def _leave_removed_folder(options: RunOptions) -> None:
    """Torch ends the process where the current folder was removed."""
    try:
        os.getcwd()  # noqa: PTH109
    except OSError as error:
        needed = {"data_dir": options.data_dir, "runs_dir": options.runs_dir if options.resume is None else None}
        for name, path in needed.items():
            if path is not None and not os.path.isabs(path):  # noqa: PTH117
                raise UsageError(
                    f"{flag(name)} {path!r} lies in a folder that was removed; name a whole path"
                ) from error
        os.chdir("/")

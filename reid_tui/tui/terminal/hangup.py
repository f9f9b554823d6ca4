"""When the terminal goes away the screen goes, and the training stays.

The kernel tells of it by SIGHUP. By then reading the terminal gives end-of-file without end, and writing to it fails or
hangs; Textual's reader spins or blocks on it, and its SIGCONT handler would start its driver anew. So the dead terminal
is taken away under Textual: its input becomes a pipe with a single byte in it, its output the null device. Then the app
can close by itself as on any other day. A person who detaches leaves in the same way, with the terminal still there.
"""

from __future__ import annotations

import os
import select
import signal
from typing import TYPE_CHECKING, Final

from reid_tui.signals import SAVING
from reid_tui.training.commands import Save, Stop
from reid_tui.tui.terminal.signals import TAKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

    from reid_tui.tui.session import Session

_LOOK_EVERY: Final = 0.5
"""Seconds between two looks at a run without a screen: its events are taken, so that they do not pile up."""


class Hangup:
    """Watches for the terminal's end from `watch` on."""

    def __init__(self) -> None:
        self.came = False
        self.descriptors: Callable[[], Iterable[int]] = lambda: (1, 2)
        """Which lead to the terminal, standard input apart."""

    def watch(self) -> None:
        """Take SIGHUP; in the main thread only."""
        signal.signal(signal.SIGHUP, self._hung_up)

    def look(self) -> bool:
        """Whether the terminal is gone; one that does not control the process, as behind setsid, sends no signal."""
        if not self.came:
            poll = select.poll()
            poll.register(0, 0)  # a hang-up is told unasked
            if any(told & select.POLLHUP for _, told in poll.poll(0)):
                self.come()
        return self.came

    def ignore(self) -> None:
        """The screen is closed: what the terminal becomes is no matter any more."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def let_go_of_terminal(self) -> None:
        """Put something harmless in the terminal's place; no hang-up is waited for any more."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGCONT, signal.SIG_IGN)
        reading, writing = os.pipe()
        os.write(writing, b"\0")  # a reader that waits wakes up and finds the end of its work
        os.dup2(reading, 0)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in self.descriptors():
            os.dup2(nowhere, descriptor)

    def come(self) -> None:
        """The terminal is of no use any more, whoever found out."""
        self.let_go_of_terminal()
        self.came = True

    def _hung_up(self, number: int, frame: FrameType | None) -> None:
        self.come()


def train_on(session: Session, take: Callable[[], None], missed: Callable[[], Iterable[str]]) -> str | None:
    """Wait without a screen until the run has ended; signals still save it, and stop it.

    Args:
        session: the run.
        take: takes what the trainer has told.
        missed: names of signals that came while the screen closed; asked once none can be missed any more.

    Returns:
        The signal that ended it, or None.
    """
    told: list[str] = []

    def obey(name: str) -> None:
        if signal.Signals[name] in SAVING:
            session.send(Save(), name)
        else:
            told.append(name)
            session.send(Stop(save=True, reason=told[0]), told[0])

    for number in TAKEN:
        signal.signal(number, lambda number, _frame: obey(signal.Signals(number).name))
    for name in missed():
        obey(name)
    while session.alive:
        session.join(_LOOK_EVERY)
        take()
    return told[0] if told else None

"""What a signal means to a command that trains or shows a run, and how none comes before somebody can take it.

SIGQUIT is taken by a thread of its own: it answers while the main thread is deep in native code, or waits.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Literal

from reid_tui.errors import HUNG_UP, INTERRUPTED, OUT_OF_TIME, TERMINATED
from reid_tui.files import write_all
from reid_tui.text import printable_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SAVING: Final = (signal.SIGUSR1, signal.SIGUSR2)
STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGXCPU)
"""Save, then stop."""
EXIT_CODES: Final = {"SIGINT": INTERRUPTED, "SIGTERM": TERMINATED, "SIGHUP": HUNG_UP, "SIGXCPU": OUT_OF_TIME}
ONE_SIGNAL_S: Final = 0.5
"""A signal that comes twice within these seconds is one: a process group gets it, and a parent hands it on."""
_HELD: Final = (*SAVING, signal.SIGQUIT)


def hold() -> None:
    """Let signals that must end no run wait until they can be taken."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)


def let_go() -> None:
    """Let them do what they do to any program."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)


class Haste:
    """Tells the first order to stop from one that comes twice, and from one by somebody who will not wait any longer.

    The kernel sends SIGXCPU each second from the soft limit to the hard one: it never asks for haste, and a signal that
    comes after it is still the first.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked: tuple[str, float] | None = None
        self._out_of_time = False

    def of(self, name: str) -> Literal["first", "same", "more"]:
        """Take a signal that stops; gives what it means."""
        if name == "SIGXCPU":
            first = not self._out_of_time and self._asked is None
            self._out_of_time = True
            return "first" if first else "same"
        if self._asked is None:
            self._asked = name, self._clock()
            return "first"
        return "same" if self._asked[0] == name and self._clock() - self._asked[1] < ONE_SIGNAL_S else "more"


@contextlib.contextmanager
def taken(handlers: Mapping[signal.Signals, Any]) -> Iterator[dict[signal.Signals, Any]]:
    """Give signals to handlers, those that waited too; yields the handlers of before."""
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, handlers)
    try:
        yield before
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def stacks_on_quit() -> Iterator[None]:
    """Answer SIGQUIT on standard error, wherever that leads to; open it before there are other threads."""
    over = threading.Event()
    mask = signal.pthread_sigmask(
        signal.SIG_BLOCK, signal.valid_signals()
    )  # what it took would not wake the main thread
    watcher = threading.Thread(target=_answer, args=(over,), name="reid-tui-signals", daemon=True)
    watcher.start()
    signal.pthread_sigmask(signal.SIG_SETMASK, {*mask, signal.SIGQUIT})
    try:
        yield
    finally:
        over.set()
        if watcher.ident is not None and watcher.is_alive():
            signal.pthread_kill(watcher.ident, signal.SIGQUIT)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _answer(over: threading.Event) -> None:
    answered = float("-inf")
    while True:
        signal.sigwait((signal.SIGQUIT,))
        if over.is_set():
            return
        if time.monotonic() - answered >= ONE_SIGNAL_S:
            with contextlib.suppress(OSError):
                write_all(2, f"\n{_stacks()}".encode())
            answered = time.monotonic()  # what came meanwhile waits, and is the same


def _stacks() -> str:
    """Where every other thread stands, a line for each call, safe to print."""
    import traceback

    names = {thread.ident: thread.name for thread in threading.enumerate()}
    lines = [
        f"reid-tui: SIGQUIT at {time.strftime('%H:%M:%S')}: where process {os.getpid()} stands, innermost call last\n"
    ]
    for ident, frame in sys._current_frames().items():
        if ident != threading.get_ident():
            lines += [f"thread {names.get(ident, ident)}:\n", *traceback.format_stack(frame)]
    return printable_lines("".join(lines))

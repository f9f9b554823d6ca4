"""A tiny parent that stays with the shell, so that a run can leave its terminal without ending.

It is forked before anything large is imported, waits for its child and hands signals on to it. Either the child ends,
and the parent ends with its code; or the child lets go, and the parent gives the prompt back while the child lives on.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios
from typing import TYPE_CHECKING, Any, Final

from reid_tui.errors import OK
from reid_tui.signals import SAVING, STOPPING, stacks_on_quit

if TYPE_CHECKING:
    from collections.abc import Callable

FORWARDED: Final = (*STOPPING, *SAVING, signal.SIGHUP, signal.SIGQUIT)
_LEAVE_SCREEN: Final = (
    "\x1b[?2026l\x1b[?2048l\x1b[?2004l\x1b[?1016l\x1b[?1015l\x1b[?1006l\x1b[?1004l\x1b[?1003l\x1b[?1000l"
    "\x1b[<u\x1b[?1049l\x1b[?7h\x1b[?25h\x1b[23;2t\x1b[0m\r"
)
"""Half-drawn frame, sizes, pasting, mouse, focus, keyboard, alternate screen, line wrap, cursor and title as they were.

The keyboard's protocol goes first: terminals keep it for each screen apart.
"""
_SIGNALLED: Final = 128
_LONGEST: Final = 4096
_RESUMABLE: Final = "'reid-tui runs' lists what is kept, --resume goes on from a checkpoint where there is one"


class Tether:
    """The child's hold on its parent."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._parent = os.getppid()

    @property
    def torn(self) -> bool:
        """Whether the parent is gone: the shell has taken its terminal back."""
        return os.getppid() != self._parent

    def let_go(self, line: str) -> None:
        """Leave the terminal's session for one of our own, and send the parent home.

        Args:
            line: printed for the person, safe to print.
        """
        os.setsid()
        with contextlib.suppress(OSError):  # a parent that is gone needs nothing more
            os.write(self._descriptor, line.encode(errors="replace")[:_LONGEST])
            os.close(self._descriptor)


def tethered(work: Callable[[Tether], int], if_killed: str = _RESUMABLE) -> int:
    """Do the work in a child.

    Args:
        work: called in the child with its tether; must not return in the parent.
        if_killed: what is said where the child is killed.

    Returns:
        In the child what the work gave; in the parent the code to end with.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    settings = _terminal_settings()
    reading, writing = os.pipe()
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # a stopped parent is taken for the job, which trains on
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    child = os.fork()
    if child:
        for number in FORWARDED:
            signal.signal(number, lambda number, _frame: _hand_on(child, number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        os.close(writing)
        return _wait(child, reading, settings, if_killed)
    os.close(reading)
    for number in SAVING:
        signal.signal(number, signal.SIG_IGN)  # nothing to save yet
    signal.pthread_sigmask(signal.SIG_UNBLOCK, set(FORWARDED) - {signal.SIGQUIT})
    with stacks_on_quit():
        return work(Tether(writing))


def _hand_on(child: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, number)


def _wait(child: int, reading: int, settings: list[Any] | None, if_killed: str) -> int:
    line = b""
    while part := os.read(reading, _LONGEST):
        line += part
    if line:
        _say(line.decode(errors="replace"))
        return OK
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if settings is not None and _terminal_settings() != settings:
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, settings)
    if code >= 0:
        return code
    if settings is not None:
        _leave_screen()
    _say(f"killed by {signal.Signals(-code).name}; {if_killed}")
    return _SIGNALLED - code


def _say(line: str) -> None:
    with contextlib.suppress(OSError):
        sys.stderr.write(f"reid-tui: {line}\n")
        sys.stderr.flush()


def _terminal_settings() -> list[Any] | None:
    try:
        return termios.tcgetattr(sys.stdin.fileno())
    except (OSError, ValueError, termios.error):
        return None


def _leave_screen() -> None:
    """What a child that was killed could not do any more."""
    with contextlib.suppress(OSError):
        sys.stderr.write(_LEAVE_SCREEN)
        sys.stderr.flush()

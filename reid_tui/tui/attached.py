"""A run that lives in another process, or lived: its log and snapshots are followed, its keys go through its socket.

A thread of our own reads the files. Whoever trains neither knows of it nor waits for it.
"""

from __future__ import annotations

import logging
import os
import shlex
import threading
import time
from typing import TYPE_CHECKING, Final

from reid_tui.control.client import ControlClient
from reid_tui.control.endpoint import commander
from reid_tui.files import owner, user_name
from reid_tui.runs.checkpoints import can_go_on
from reid_tui.runs.follow import EventFollower
from reid_tui.runs.lock import holder
from reid_tui.runs.snapshots import NewestPictures
from reid_tui.training.channels import EventBox
from reid_tui.training.events import (
    AnyEvent,
    Diverged,
    Lost,
    PhaseChanged,
    Resumed,
    Rewound,
    RunStarted,
    Warned,
    ends_run,
)
from reid_tui.tui.run_log_reader import OutputReader
from reid_tui.tui.session import HERE, News

if TYPE_CHECKING:
    from reid_tui.runs.directory import RunDirectory
    from reid_tui.training.commands import Command

_LOG = logging.getLogger(__name__)
_EVERY: Final = 0.1
"""Seconds between two looks at the log."""
_HOLDER_EVERY: Final = 1.0
"""Seconds between two looks at who holds the run."""
_MOST_WAITING: Final = 2_000
"""Events of the past that wait for the screen; reading goes on when it has taken them."""
_FLUSH: Final = 2.0
"""Seconds that a command gets to leave after the screen has closed."""


class AttachedSession:
    """Follows one run from its first event on, through crashes and resumes."""

    remote = True

    def __init__(self, run: RunDirectory, *, read_only: bool = False) -> None:
        """Choose the run.

        Args:
            run: need not be running.
            read_only: refuse every command here, so that nothing is sent.
        """
        self._run = run
        self._client = None if read_only else ControlClient(run)
        self._follower = EventFollower(run.events)
        self._box = EventBox()
        self._past: list[AnyEvent] = []
        self._guard = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="reid-tui-attached", daemon=True)
        self._pid = holder(run.lock)
        self._output = OutputReader(run.log)
        self._newest: AnyEvent | None = None
        self._over = True
        """The log says how the run ended, or that it has not begun."""
        self._diverged: Diverged | None = None
        self._lost = False
        self._taken_away = False
        self._foreign = ""
        """Why the run takes no commands of ours; empty where it does."""
        self._ask_whose_it_is(tell=False)

    @property
    def alive(self) -> bool:
        """Whether a process holds the run."""
        return self._pid is not None

    @property
    def deaf(self) -> str:
        """Only watching, or nobody is there."""
        if self._client is None:
            return "attached with --read-only: keys steer nothing here"
        if self._foreign:
            return self._foreign
        return "" if self.alive else "no process trains this run, so nobody takes commands"

    def start(self) -> None:
        """Begin to read; without effect once begun."""
        if self._thread.ident is None:
            self._thread.start()

    def send(self, command: Command, origin: str = HERE) -> None:
        """Hand a command to the run's own process, which signs it by who we are."""
        if self._client is None or self.deaf:
            self._say("deaf", self.deaf)
        else:
            self._client.send(command)

    def drain(self) -> News:
        """Take what has come."""
        if self._client is not None:
            for problem in self._client.problems():
                self._say("control", problem)
        newest = self._newest
        live = self._box.drain()
        if newest is not None:
            live = self._output.beside(live, newest.step, newest.seq)
        # Taken last: what is past was put there before anything that is live and follows from it.
        with self._guard:
            past, self._past = self._past, []
        return News(past, live)

    def join(self, timeout: float) -> None:
        """Stop reading; commands on their way still leave."""
        self._closing.set()
        if self._client is not None:
            self._client.close(_FLUSH)
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _work(self) -> None:
        """The thread's whole life; what breaks it is told, and the screen stays."""
        try:
            self._follow()
        except Exception as error:
            _LOG.exception("the run cannot be followed any more")
            self._say("follow_failed", f"the run cannot be followed any more: {type(error).__name__}: {error}")
        finally:
            self._follower.close()

    def _follow(self) -> None:
        # The lock is asked before the log: a run that ends in between has then written its end already.
        self._ask_who_trains()
        self._read(past=True)
        self._look_who_trains()
        if self._foreign:
            self._say("read_only", self._foreign)
        asked = time.monotonic()
        while not self._closing.wait(_EVERY):
            if time.monotonic() - asked >= _HOLDER_EVERY:
                asked = time.monotonic()
                self._ask_who_trains()
                self._read()
                self._look_who_trains()
                self._ask_whose_it_is()
            else:
                self._read()

    def _read(self, *, past: bool = False) -> None:
        """All that the log holds by now; of its pictures only the newest that no resume took back."""
        pictures = NewestPictures()
        while (events := self._follower.read()) is not None and not self._closing.is_set():
            for event in events:
                self._note(event)
            self._give([event for event in events if not pictures.take(event)], past=past)
        self._give(pictures.newest(self._run.path), past=past)

    def _give(self, events: list[AnyEvent], *, past: bool) -> None:
        if not past:
            for event in events:
                self._box.put(event)
            return
        while len(self._past) > _MOST_WAITING and not self._closing.wait(_EVERY):
            pass
        with self._guard:
            self._past += events

    def _note(self, event: AnyEvent) -> None:
        self._newest = event
        match event:
            case RunStarted() | Resumed():
                self._over = self._lost = False
                self._diverged = None
            case Rewound():
                self._diverged = None
            case Diverged():
                self._diverged = event
            case _ if ends_run(event):
                self._over = True

    def _ask_who_trains(self) -> None:
        """Ask the lock. Of a folder that was taken away under its process nobody can tell: it counts as held."""
        pid = holder(self._run.lock)
        if pid is None and self._pid is not None and self._newest is not None and not os.path.lexists(self._run.lock):
            if not self._taken_away:
                self._taken_away = True
                where = f"the folder {str(self._run.path)!r} is gone, removed or moved"
                self._say("folder_gone", f"{where}; what its process still tells is shown, keys do not reach it")
            return
        self._pid = pid

    def _ask_whose_it_is(self, *, tell: bool = True) -> None:
        """The run's process takes commands of its own user only; another one may resume it while we look."""
        whose = commander(self._run) if self.alive and self._client is not None else os.geteuid()
        before = self._foreign
        self._foreign = (
            "" if whose == os.geteuid() else f"this run belongs to {user_name(whose)}: keys steer nothing here"
        )
        if tell and self._foreign not in ("", before):
            self._say("read_only", self._foreign)

    def _look_who_trains(self) -> None:
        """Say so, once, where the process is gone and its log has no end: a divergence alone is none."""
        if self._pid is not None or self._lost:
            return
        if self._newest is None:
            message = f"no process trains this run, and its log tells nothing; {self._remedy()}"
        elif self._over:
            return
        elif self._diverged is not None:
            message = f"diverged at step {self._diverged.step:,}: {self._diverged.reason}; {self._remedy()}"
        else:
            message = f"the process was killed at step {self._newest.step:,}; {self._remedy()}"
        self._lost = True
        step, seq = (0, 0) if self._newest is None else (self._newest.step, self._newest.seq)
        self._box.put(Lost(step=step, seq=seq, time=time.time(), message=message))

    def _remedy(self) -> str:
        if not os.access(self._run.path, os.W_OK):
            return f"{owner(self._run.path)} can go on with it"
        if not can_go_on(self._run):
            return "it has no good checkpoint, start a new run"
        return f"go on with: reid-tui --resume {shlex.quote(str(self._run.path))}"

    def _say(self, code: str, message: str) -> None:
        """A warning of our own; in no log."""
        newest = self._newest or PhaseChanged(step=0, phase="loading")
        self._box.put(Warned(step=newest.step, seq=newest.seq, time=time.time(), code=code, message=message))

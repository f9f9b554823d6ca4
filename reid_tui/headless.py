"""Training without a screen: a bar, plain lines, or JSON. Data goes to stdout, talk to stderr."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from rich.cells import cell_len
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from reid_tui.allocator import keep_freed_memory
from reid_tui.console import console_on, print_line, say_at_once, settle
from reid_tui.cores import wait_briefly
from reid_tui.engine import run_training
from reid_tui.errors import DIVERGED, FAILURE, OK
from reid_tui.opening.loading import StopLoading
from reid_tui.signals import EXIT_CODES, SAVING, STOPPING, Haste, stacks_on_quit, taken
from reid_tui.text import printable
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training.channels import CommandBox
from reid_tui.training.event_json import to_line
from reid_tui.view.fold import fold
from reid_tui.view.run_state import RunState
from reid_tui.view.summary import print_summary
from reid_tui.view.text import amount, done_of, duration, fixed, rate
from reid_tui.view.wording import LogLine, last_words, log_line

if TYPE_CHECKING:
    from types import FrameType

    from rich.console import Console

    from reid_tui.config import RunOptions
    from reid_tui.console import Patient
    from reid_tui.runs.replay import Replay

PLAIN_EVERY_S: Final = 10.0
LOADING_EVERY_S: Final = 5.0
BAR_EVERY_S: Final = 0.25
MOST_STEPS: Final = 256
"""That wait to be taken into the state."""
_SETTLE_S: Final = 1.0
"""That a terminal gets to take what is said last."""
_BAR: Final = 6
"""Cells that the bar itself needs, with a gap before and behind it."""
_QUIET: Final = frozenset({"phase", "run"})


State = Callable[[], RunState]


class Talk(Protocol):
    """Tells a person on stderr how it goes."""

    def tell(self, event: ev.AnyEvent, state: State) -> None:
        """After each event; what it led to costs something to ask for."""

    def close(self) -> None:
        """Once, at the end."""


class NoTalk:
    """`--progress none`."""

    def tell(self, event: ev.AnyEvent, state: State) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Leave nothing behind."""


class PlainTalk:
    """A line per interval, per epoch and per event of note: for logs of jobs without a terminal."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._due = clock() + PLAIN_EVERY_S
        self._loading = ""

    def tell(self, event: ev.AnyEvent, state: State) -> None:
        """Print what is worth a line."""
        if isinstance(event, ev.Progress):
            self._print_if_due(lambda: progress_text(event, state()), PLAIN_EVERY_S)
            return
        line = _line(event)
        if isinstance(event, ev.PhaseChanged) and line is not None and line.text == self._loading and event.total:
            text = "  ".join((line.text, *done_of(event.done, event.total)))
            self._print_if_due(lambda: text, LOADING_EVERY_S)
        elif line is not None:
            if line.kind == "phase":
                self._loading, self._due = line.text, self._clock() + LOADING_EVERY_S
            print_line(self._console, line.text, "" if line.kind in _QUIET else f"step {line.step}  ")

    def _print_if_due(self, text: Callable[[], str], every_s: float) -> None:
        if self._clock() >= self._due:
            self._due = self._clock() + every_s
            print_line(self._console, text())

    def close(self) -> None:
        """Nothing is left open."""


class BarTalk:
    """A Rich bar with epoch, loss, margin, pace and time left; events of note scroll above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[numbers]}", markup=False),
            console=console,
            refresh_per_second=round(1 / BAR_EVERY_S),
            redirect_stdout=sys.stdout.isatty(),  # data that goes elsewhere is not for the screen
            expand=True,
        )
        self._task: TaskID | None = None
        self._due = 0.0
        self._bar.start()

    def tell(self, event: ev.AnyEvent, state_of: State) -> None:
        """Move the bar, or print a line above it."""
        if isinstance(event, ev.Progress) and time.monotonic() < self._due:
            return
        state = state_of()
        if isinstance(event, ev.Progress):
            self._due = time.monotonic() + BAR_EVERY_S
            self._move(state, *_numbers(event, state), "")
            return
        line = _line(event)
        if line is not None and line.kind != "phase":
            print_line(self._console, line.text, f"{line.step:>6}  ")
        if isinstance(event, ev.PhaseChanged) and event.phase != "training":
            text = printable(event.detail) or f"{event.phase} …"
            done, share = done_of(event.done, event.total) if event.total else ("", "")
            parts = (f"{_steps(state)}{text}", done, share), (text, share), (share or text,)
            self._move(state, *("  ".join(filter(None, some)) for some in parts))
        elif ev.ends_run(event):
            text = state.badge.lower()
            self._move(state, f"{_steps(state)}{text}", text)

    def _move(self, state: RunState, *texts: str) -> None:
        """Show the first text that fits whole, or else what the last one has room for."""
        label = f"epoch {state.epoch_text}" if state.epoch else state.badge.lower()
        room = self._console.width - _BAR - cell_len(label)
        numbers = next((text for text in texts if cell_len(text) <= room), texts[-1])
        if self._task is None:
            self._task = self._bar.add_task(label, total=None, numbers=numbers)
        # A bar without a total swings to and fro.
        completed, total = (state.done, state.total) if state.total else (state.step, state.total_steps or None)
        self._bar.update(self._task, description=label, total=total, completed=completed, numbers=numbers)

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._bar.stop()


def _steps(state: RunState) -> str:
    return f"{state.step}/{state.total_steps}  " if state.total_steps else ""


def _numbers(event: ev.Progress, state: RunState) -> list[str]:
    """All that there is to tell in a line, and ever less of it."""
    loss, margin = f"loss {fixed(event.loss, 4)}", "" if state.why_no_margin else f"m {amount(event.margin)}"
    pace, left = f"{rate(event.pairs_per_s)} pairs/s", f"ETA {duration(state.eta_s)}"
    choices = ((loss, margin, pace, left), (loss, margin, left), (loss, left), (loss,), ())
    return [f"{_steps(state)}{'  '.join(filter(None, parts))}".rstrip() for parts in choices]


def _line(event: ev.AnyEvent) -> LogLine | None:
    """The event in words; None too for what is the command's last line."""
    return None if last_words(event) else log_line(event)


def progress_text(event: ev.Progress, state: RunState) -> str:
    """One line about where training stands."""
    margin = "" if state.why_no_margin else f"margin {amount(event.margin)}  "
    return (
        f"step {event.step}/{state.total_steps}  epoch {state.epoch_text}  loss {fixed(event.loss, 4)}  "
        f"{margin}{rate(event.pairs_per_s)} pairs/s  ETA {duration(state.eta_s)}"
    )


class Follower:
    """The trainer's listener: JSON to stdout, talk to stderr, and a state for the summary."""

    def __init__(self, talk: Talk, *, as_json: bool) -> None:
        self._talk = talk
        self._as_json = as_json
        self._state = RunState()
        self._steps: list[ev.AnyEvent] = []
        """Told, and not yet in the state."""
        self.loading = False
        """Whether torch and the data are still being brought in: nothing is lost by breaking that off."""

    @property
    def state(self) -> RunState:
        """What all that was told led to. Many steps at once cost little more than one."""
        if self._steps:
            self._state, self._steps = fold(self._state, self._steps), []
        return self._state

    def close(self) -> None:
        """End the talk."""
        self._talk.close()

    def __call__(self, event: ev.AnyEvent) -> None:
        """Take an event; never raises."""
        if self._as_json:
            self._write(event)
        self._steps.append(event)
        if not isinstance(event, ev.Progress) or len(self._steps) == MOST_STEPS:
            _ = self.state
        self.loading = isinstance(event, ev.PhaseChanged) and event.phase in ("importing", "loading")
        try:
            self._talk.tell(event, lambda: self.state)
        except OSError:  # whoever read stderr is gone; the log has it all
            self._talk = NoTalk()

    def _write(self, event: ev.AnyEvent) -> None:
        try:
            sys.stdout.write(to_line(event) + "\n")
            sys.stdout.flush()
        except OSError as error:
            self._as_json = False
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            reason = f"stdout is gone ({error.strerror}); training goes on, the events are in the run's events.jsonl"
            with contextlib.suppress(OSError):
                console_on(sys.stderr).print(Text(f"reid-tui: {reason}"))


def train(options: RunOptions, *, as_json: bool, progress: str, again: Replay | None = None) -> int:
    """Train in the main thread, with signals as commands: some stop, some save, and SIGHUP is survived.

    Args:
        options: of the run.
        as_json: events on stdout, one a line, and nothing else there.
        progress: auto, bar, plain or none.
        again: a run to repeat; whether both ends are equal is told, and decides the exit code.

    Returns:
        The exit code.
    """
    keep_freed_memory()
    wait_briefly()
    console = console_on(sys.stderr, waits=False)
    inbox = CommandBox()
    follower = Follower(_talk(progress, console, as_json=as_json), as_json=as_json)
    stopper = _stopper(inbox, follower, console)

    def save(number: int, _frame: FrameType | None) -> None:
        inbox.put(cmd.Save(), signal.Signals(number).name)

    handlers = {
        **dict.fromkeys(STOPPING, stopper),
        **dict.fromkeys(SAVING, save),
        signal.SIGHUP: _hangup_survivor(),
    }
    with stacks_on_quit(), taken(handlers) as before:
        try:
            end = run_training(options, follower, inbox, steerable=False, again=again)
        finally:
            with contextlib.suppress(OSError):
                follower.close()
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, before[number])
            before[signal.SIGXCPU] = signal.SIG_IGN  # the kernel repeats it each second, also while the process ends
        return _conclude(end, follower.state, again, console, as_json=as_json)


def _conclude(end: ev.AnyEvent, state: RunState, again: Replay | None, console: Console, *, as_json: bool) -> int:
    """Say how it ended; gives the exit code."""
    settle(console, _SETTLE_S)
    out = console if as_json else console_on(sys.stdout, waits=False)
    with contextlib.suppress(OSError):
        if state.started is not None:
            print_summary(state, out)
    settle(out, _SETTLE_S)
    code = exit_code(end)
    with contextlib.suppress(OSError):
        if words := last_words(end):
            console.print(Text(f"reid-tui: {words}"), soft_wrap=True)
    verdict = again.verdict(end, state.started) if again else None
    if verdict is not None:
        code = code or (OK if verdict.equal else FAILURE)
        with contextlib.suppress(OSError):
            console.print(Text(verdict.text if verdict.equal else f"reid-tui: {verdict.text}"), soft_wrap=True)
    settle(console, _SETTLE_S)
    return code


def exit_code(end: ev.AnyEvent) -> int:
    """What a run's last event means to a shell."""
    match end:
        case ev.Failed():
            return end.exit_code
        case ev.Diverged():
            return DIVERGED
        case ev.Stopped():
            return EXIT_CODES.get(end.reason, OK)
        case ev.Finished():
            return OK
        case _:
            return FAILURE


def _talk(progress: str, console: Patient, *, as_json: bool) -> Talk:
    if progress == "auto":
        progress = "bar" if console.animates else "none" if as_json else "plain"
    elif progress == "bar" and not console.animates:
        print_line(console, "reid-tui: --progress bar needs a terminal on stderr; taking plain")
        progress = "plain"
    match progress:
        case "bar":
            return BarTalk(console)
        case "plain":
            return PlainTalk(console)
        case _:
            return NoTalk()


def _stopper(
    inbox: CommandBox, follower: Follower, console: Console, clock: Callable[[], float] = time.monotonic
) -> Callable[[int, FrameType | None], None]:
    haste = Haste(clock)

    def stop(number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        asked = haste.of(name)
        if asked == "same":
            return
        if asked == "more":
            say_at_once(console, "\nreid-tui: stopped at once, nothing more is saved\n")
            settle(console, _SETTLE_S)
            os._exit(EXIT_CODES[name])
        if follower.loading:
            raise StopLoading(name)
        more = "" if number == signal.SIGXCPU else "; once more stops at once"
        say_at_once(console, f"\nreid-tui: {name}: finishing the step and saving{more}\n")
        inbox.put(cmd.Stop(save=True, reason=name), name)

    return stop


def _hangup_survivor() -> Callable[[int, FrameType | None], None]:
    """Training goes on when its terminal goes away; what would be written there goes nowhere."""
    terminals = [number for number in (0, 1, 2) if os.isatty(number)]

    def survive(_number: int, _frame: FrameType | None) -> None:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in terminals:
            os.dup2(nowhere, number)
        os.close(nowhere)

    return survive

"""Repeating a run: its changes at their steps, to its newest checkpoint, and whether both ends are the same bits.

Imports torch inside functions only.
"""

from __future__ import annotations

import dataclasses
import re
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from reid_tui.errors import CheckpointError, RunError
from reid_tui.runs.changes import NAMES, RunChanges
from reid_tui.runs.directory import RunDirectory
from reid_tui.runs.left_out import LeftOutChanges
from reid_tui.runs.log import read_events
from reid_tui.runs.log_end import whole
from reid_tui.text import printable
from reid_tui.training import commands as cmd
from reid_tui.training.channels import Order
from reid_tui.training.events import Finished, LrChanged, MarginChanged, Stopped
from reid_tui.view.text import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reid_tui.config import RunConfig
    from reid_tui.runs.changes import Change
    from reid_tui.training.checkpoint import Manifest
    from reid_tui.training.events import AnyEvent, CommandRefused, RunStarted

REPLAY: Final = "replay"
"""Origin of what is repeated, and the reason of the stop at its end."""
MOST_THREADS: Final = 1024
_NAME: Final = re.compile(r"(?:\d{8}-\d{6}-)?([A-Za-z0-9][A-Za-z0-9._-]{0,56})")
_ORIGIN_LIMIT: Final = 80
_DECIDING: Final = ("device", "precision", "torch", "threads", "cpu", "processes")
"""Fields of `RunStarted` that the bits of a result depend on."""


class Script:
    """Gives each order when its step has come, and a Stop at the end. Asked before every step."""

    def __init__(self, orders: Sequence[tuple[int, Order]], end: int) -> None:
        """Take the orders with their steps, and the number of steps after which to stop."""
        self._waiting = deque(sorted(orders, key=lambda item: item[0]))
        self._end = end

    def __call__(self, step: int) -> Order | None:
        """The next order after `step` steps; None when the next step may be taken."""
        if self._waiting and self._waiting[0][0] <= step:
            return self._waiting.popleft()[1]
        return Order(cmd.Stop(reason=REPLAY), REPLAY) if step >= self._end else None


def _order(change: Change) -> tuple[int, Order]:
    kind = cmd.SetMargin if change.name == "margin" else cmd.SetLearningRate
    return change.step, Order(kind(change.value), _repeated(change.origin))


def _in_vain(events: Sequence[CommandRefused], config: RunConfig) -> list[tuple[int, Order]]:
    """Commands that turn the margin, where the loss has none: whatever they ask for, they are refused again."""
    if not config.why_no_margin:
        return []
    commands: dict[str, cmd.Command] = {
        "set_margin": cmd.SetMargin(config.margin),
        "shift_margin": cmd.ShiftMargin(0.0),
    }
    return [
        (event.step, Order(commands[event.command], _repeated(event.origin)))
        for event in events
        if event.command in commands
    ]


def _turned_meanwhile(run: RunDirectory) -> list[str]:
    """The first change in a replay that nobody recorded, as a sentence; none where there was none."""
    try:
        for event in read_events(run.events):
            if isinstance(event, MarginChanged | LrChanged) and not event.origin.startswith(REPLAY):
                what = NAMES["margin" if isinstance(event, MarginChanged) else "lr"]
                return [f"{printable(event.origin, _ORIGIN_LIMIT)} turned {what} of the replay at step {event.step}"]
    except OSError:  # it is on the screen, then
        pass
    return []


def _repeated(origin: str) -> str:
    if not origin or origin.startswith(REPLAY):
        return printable(origin, _ORIGIN_LIMIT) or REPLAY
    return f"{REPLAY} of {printable(origin, _ORIGIN_LIMIT)}"


class Verdict(NamedTuple):
    """How a replay came out."""

    equal: bool
    text: str
    """One line, safe to print."""


class Replay:
    """A run that is repeated by a new one. `open` it before anything else is asked."""

    manifest: Manifest
    """Of the checkpoint that the replay ends at."""
    passed_over: list[str]
    """One line for each newer checkpoint that does not verify."""
    script: Script
    """What the new trainer is told, and when."""
    _told: RunChanges
    _sha256: str

    def __init__(self, path: Path) -> None:
        """Take the folder of a run."""
        self.path = path
        self._run = RunDirectory(path)

    @property
    def name(self) -> str:
        """Of the new run: the run's own without its time, and `-replay`."""
        match = _NAME.fullmatch(self._run.path.resolve().name)
        return f"{match[1] if match else 'run'}-{REPLAY}"

    def open(self) -> None:
        """Read checkpoint and log; changes nothing there.

        Raises:
            RunError: no checkpoint verifies, or the log cannot be read or tells nothing.
        """
        from reid_tui.training.checkpoint import load_latest, weights_sha256

        checkpoint, self.passed_over = load_latest(self._run.checkpoints)
        self.manifest = checkpoint.manifest
        self._sha256 = weights_sha256(checkpoint.tensors)
        state, config = self.manifest.state, self.manifest.config
        self._told, left_out = RunChanges(config.margin, config.lr), LeftOutChanges()
        try:
            for event in read_events(self._run.events):
                self._told.take(event)
                left_out.take(event)
        except OSError as error:
            raise RunError(
                f"cannot read the log {str(self._run.events)!r}: {error.strerror}; without it no change is known"
            ) from error
        if not self._told.parts:
            raise RunError(f"the log {str(self._run.events)!r} tells of no start; without it no change is known")
        self._told.end(state.step, state.margin, state.lr)
        left_out.end(state.step, state.left_out_next)
        orders = [*map(_order, self._told.changes), *_in_vain(self._told.refused, config)]
        orders += [
            (event.step, Order(cmd.LeaveOut(event.row, event.out), _repeated(event.origin)))
            for event in left_out.changes
        ]
        self.script = Script(orders, state.step)

    def config(self, steps_per_epoch: int) -> RunConfig:
        """The run's own config; with more epochs where a resume had cut them below what was trained already."""
        config, step = self.manifest.config, self.manifest.state.step
        epochs = max(config.epochs, -(-step // steps_per_epoch))
        steps = config.steps if config.steps is None else max(config.steps, step)
        return dataclasses.replace(config, epochs=epochs, steps=steps)

    def use_recorded_threads(self) -> int:
        """Let torch compute with as many threads as the run did, where its log says so; returns how many it had."""
        import torch

        before = torch.get_num_threads()
        recorded = whole(self._told.parts[-1].threads) or 0
        if 1 <= recorded <= MOST_THREADS:
            torch.set_num_threads(recorded)
        return before

    def verdict(self, end: AnyEvent, started: RunStarted | None) -> Verdict | None:
        """Compare both checkpoints.

        Args:
            end: of the new run.
            started: of the new run; its folder is read.

        Returns:
            None where the new run failed.
        """
        if not isinstance(end, Finished | Stopped) or started is None:
            return None
        step = self.manifest.state.step
        if end.step < step:
            return Verdict(False, f"the replay was stopped at step {end.step} of {step}: nothing was compared")
        from reid_tui.training.checkpoint import load_checkpoint, weights_sha256

        try:
            mine = load_checkpoint(RunDirectory(Path(started.run)).checkpoints / f"step-{step:08d}.json")
        except CheckpointError as error:
            return Verdict(False, f"the replay's own checkpoint cannot be read: {printable(error, 1000)}")
        here = weights_sha256(mine.tensors)
        if here == self._sha256:
            turned = sum(change.step < step for change in self._told.changes)
            changes = f"{count(turned)} change{'' if turned == 1 else 's'}"
            return Verdict(True, f"replayed {count(step)} steps and {changes}: weights equal, SHA-256 {here[:12]}…")
        where = f"{printable(self._run.name)} at step {count(step)}"
        reasons = "; ".join(self._reasons(started))
        return Verdict(False, f"weights differ: SHA-256 {here[:12]}… here, {self._sha256[:12]}… in {where}; {reasons}")

    def _reasons(self, here: RunStarted) -> list[str]:
        found = [self._told.gap] if self._told.gap else []
        found += _turned_meanwhile(RunDirectory(Path(here.run)))
        for name in _DECIDING:
            mine = getattr(here, name)
            others = [value for part in self._told.parts if (value := getattr(part, name)) != mine]
            if others:
                found.append(f"{name} {mine} here, {printable(others[0] or 'not recorded')} there")
        return found or ["nothing that is recorded differs: another processor, or a log that was changed"]

"""Carrying out commands between two steps. Each ends in an event, a refusal too."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol, assert_never

from reid_tui.config import parse_number
from reid_tui.errors import CheckpointError, UsageError
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training.refusals import Refusals

if TYPE_CHECKING:
    from reid_tui.training.channels import CommandBox, Order
    from reid_tui.training.learner import Learner
    from reid_tui.training.scheduled_margin import ScheduledMargin
    from reid_tui.training.stopwatch import Stopwatch


Script = Callable[[int], "Order | None"]
"""Gives the orders that are set beforehand, one a call, by the number of steps done; None when all are given."""


class StopTraining(Exception):  # noqa: N818  a decision, not an error
    """Unwinds the loop after a Stop."""

    def __init__(self, command: cmd.Stop) -> None:
        super().__init__(command.reason)
        self.command = command


_CHANGES: Final = (
    ev.Paused,
    ev.Resumed,
    ev.MarginChanged,
    ev.LrChanged,
    ev.ImageLeftOut,
    ev.CheckpointSaved,
    ev.Diverged,
    ev.Failed,
    ev.Stopped,
    ev.Finished,
)
"""What was refused before one of these stands before it."""


class Signed:
    """A listener that signs what it passes on while a command is carried out, and gathers refusals."""

    def __init__(self, listener: ev.Listener, clock: Callable[[], float] = time.monotonic) -> None:
        """Tell a listener; the clock counts steady seconds."""
        self._listener = listener
        self.refusals = Refusals(listener, clock)
        self.origin = ""
        """Who gave the command; empty while the trainer goes by itself."""

    def __call__(self, event: ev.AnyEvent) -> None:
        """Pass an event on."""
        if self.origin:
            event = dataclasses.replace(event, origin=self.origin)
        if isinstance(event, ev.CommandRefused):
            self.refusals.take(event)
            return
        if isinstance(event, _CHANGES):
            self.refusals.tell(all_of_them=True)
        self._listener(event)


class Steered(Protocol):
    """What commands act on: the trainer."""

    @property
    def step(self) -> int:
        """Steps done."""

    def evaluate(self) -> None:
        """Score the sample."""

    def go_back(self, step: int) -> None:
        """Take up an earlier checkpoint."""

    def save(self, reason: str) -> bool:
        """Write a checkpoint."""

    def answer(self, question: cmd.Question) -> None:
        """Say what is asked of single images."""

    def save_again_in(self) -> float | None:
        """Seconds until a failed save is due again, None where none failed."""

    def save_if_due(self) -> None:
        """Try a failed save again when its time has come."""


class Steering:
    """Pause, single steps, and the two numbers that can be turned while training runs."""

    def __init__(
        self,
        inbox: CommandBox,
        learner: Learner,
        margins: ScheduledMargin,
        watch: Stopwatch,
        emit: Signed,
        script: Script | None = None,
    ) -> None:
        """Take the parts.

        Args:
            inbox: of commands.
            learner: what they turn.
            margins: the schedule of its margin.
            watch: stopped by a pause.
            emit: who is told.
            script: what is set already.
        """
        self._inbox = inbox
        self._learner = learner
        self._margins = margins
        self._watch = watch
        self._emit = emit
        self._script = script
        self._steps_granted = 0
        self.paused = False

    def pause(self, step: int) -> None:
        """Wait for a person, unless the run does."""
        if not self.paused:
            self.paused = True
            self._steps_granted = 0
            self._emit(ev.Paused(step=step))

    def obey(self, trainer: Steered) -> None:
        """Carry out what waits; while paused, wait for what comes. Returns when the next step may be taken.

        Before all else the margin follows its schedule to that step.

        Raises:
            StopTraining: told to stop.
        """
        while True:
            if (change := self._margins.follow(trainer.step)) is not None:
                self._emit(change)
            order = self._scripted(trainer.step)
            if order is None and self.paused and not self._steps_granted:
                order = self._wait(trainer)
            elif order is None:
                order = self._inbox.get_nowait()
                if order is None:
                    self._emit.refusals.tell()
                    self._steps_granted = max(0, self._steps_granted - 1)
                    return
            if order is not None:
                self._emit.origin = order.origin  # after a Stop it stays: the run's end is signed too
                self._carry_out(order.command, trainer)
                self._emit.origin = ""

    def _scripted(self, step: int) -> Order | None:
        """What was set beforehand for this step, unless somebody wants an end."""
        return None if self._script is None or self._inbox.told_to_stop else self._script(step)

    def _wait(self, trainer: Steered) -> Order | None:
        if (order := self._inbox.get_nowait()) is not None:
            return order
        self._emit.refusals.tell()
        due = [seconds for seconds in (trainer.save_again_in(), self._emit.refusals.due_in()) if seconds is not None]
        self._watch.stop()
        order = self._inbox.get(min(due, default=None))
        self._watch.start()
        if order is None:
            trainer.save_if_due()
        return order

    def _carry_out(self, command: cmd.Command, trainer: Steered) -> None:
        match command:
            case cmd.Pause():
                self._pause(command, trainer.step, wanted=True)
            case cmd.Resume():
                self._pause(command, trainer.step, wanted=False)
            case cmd.Step():
                if self.paused:
                    self._steps_granted += 1
                else:
                    self._refuse(command, trainer.step, "a single step is for a paused run")
            case cmd.Save():
                trainer.save("asked")
            case cmd.Evaluate():
                trainer.evaluate()
            case cmd.GoBack():
                self._go_back(command, trainer)
            case cmd.SetMargin(value):
                self._set_margin(command, trainer.step, value)
            case cmd.ShiftMargin(by):
                self._set_margin(command, trainer.step, round(self._learner.margin + by, 6))
            case cmd.SetLearningRate(value):
                self._set_lr(command, trainer.step, value)
            case cmd.MarkSuspect() | cmd.LeaveOut() | cmd.ShowTraining() | cmd.Explain() | cmd.EmbedPicture():
                trainer.answer(command)
            case cmd.Stop():
                raise StopTraining(command)
            case _:
                assert_never(command)

    def _pause(self, command: cmd.Command, step: int, *, wanted: bool) -> None:
        if self.paused == wanted:
            self._refuse(command, step, "the run is paused already" if wanted else "the run is not paused")
            return
        self.paused = wanted
        self._steps_granted = 0
        self._emit(ev.Paused(step=step) if wanted else ev.Resumed(step=step))

    def _go_back(self, command: cmd.GoBack, trainer: Steered) -> None:
        """A person who goes back wants something else from there on: the run waits for it."""
        if command.step >= trainer.step:
            self._refuse(command, trainer.step, f"the run is at step {trainer.step}")
            return
        try:
            trainer.go_back(command.step)
        except CheckpointError as error:
            self._refuse(command, trainer.step, str(error))
            return
        self.paused = True
        self._steps_granted = 0
        self._emit(ev.Paused(step=trainer.step))

    def _set_margin(self, command: cmd.Command, step: int, value: float) -> None:
        if reason := self._learner.margin_refused(value):
            self._refuse(command, step, reason)
        elif self._accepts(command, step, "margin", value, self._learner.margin):
            old, self._learner.margin = self._learner.margin, value
            self._margins.turned(step)
            self._emit(ev.MarginChanged(step=step, old=old, new=value))

    def _set_lr(self, command: cmd.Command, step: int, value: float) -> None:
        if self._accepts(command, step, "lr", value, self._learner.lr):
            old, self._learner.lr = self._learner.lr, value
            self._emit(ev.LrChanged(step=step, old=old, new=value))

    def _accepts(self, command: cmd.Command, step: int, name: str, value: float, current: float) -> bool:
        label = {"margin": "the margin", "lr": "the learning rate"}[name]
        try:
            parse_number(name, f"{value:g}" if math.isfinite(value) else str(value), label)
        except UsageError as error:
            self._refuse(command, step, str(error))
            return False
        if value == current:
            self._refuse(command, step, f"{label} is {current:g} already")
            return False
        return True

    def _refuse(self, command: cmd.Command, step: int, reason: str) -> None:
        name = ev.snake(type(command).__name__)
        self._emit(ev.CommandRefused(step=step, command=name, reason=reason))

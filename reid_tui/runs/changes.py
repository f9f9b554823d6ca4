"""Changes of margin and learning rate, as a run's log tells them: which acted, from which step on, on what machine.

Loads without torch. Knows nothing of checkpoints, nor of how a run is repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from reid_tui.runs.log_end import number, whole
from reid_tui.training.events import (
    CheckpointSaved,
    CommandRefused,
    LrChanged,
    MarginChanged,
    Progress,
    Rewound,
    RunStarted,
)

if TYPE_CHECKING:
    from reid_tui.training.events import AnyEvent

Turned = Literal["margin", "lr"]
NAMES: Final[dict[Turned, str]] = {"margin": "the margin", "lr": "the learning rate"}
CHECKPOINT: Final = "the checkpoint"
"""Origin of a value that a resume brought with it and no line of the log explains."""


@dataclass(frozen=True, slots=True)
class Change:
    """A number was turned."""

    step: int
    """Steps done by then; the change acts from the next one on."""
    name: Turned
    value: float
    origin: str


class RunChanges:
    """Takes a log's events in their order. What a resume or a person took back does not count.

    Values are held against what the log says was trained with, so that lost lines are noticed.
    """

    def __init__(self, margin: float, lr: float) -> None:
        """Begin with the values that the run began with."""
        self._first: dict[Turned, float] = {"margin": margin, "lr": lr}
        self._now = dict(self._first)
        self._changes: list[Change] = []
        self._refused: list[CommandRefused] = []
        self._parts: list[RunStarted] = []
        self._gap: tuple[int, str] | None = None
        self._saved: dict[int, int] = {}
        """By step of a checkpoint, how many changes of that very step were told before it."""
        self._reached = 0
        """Step of the newest event."""

    @property
    def changes(self) -> tuple[Change, ...]:
        """In the order in which they were told."""
        return tuple(self._changes)

    @property
    def refused(self) -> tuple[CommandRefused, ...]:
        """What was refused meanwhile, in the order in which it was told."""
        return tuple(self._refused)

    @property
    def parts(self) -> tuple[RunStarted, ...]:
        """The start of the run and of each resume that its end follows from."""
        return tuple(self._parts)

    @property
    def gap(self) -> str:
        """What the log leaves unexplained, as a sentence; empty where it tells all."""
        return "" if self._gap is None else self._gap[1]

    def take(self, event: AnyEvent) -> None:
        """Take the next event; those with an impossible step or value are passed over."""
        if whole(event.step) is None:
            return
        before, self._reached = self._reached, event.step
        match event:
            case RunStarted():
                self._start(event, before)
            case Rewound():
                if number(event.margin) is not None and number(event.lr) is not None:  # older logs do not say
                    self.end(event.step, event.margin, event.lr)
            case MarginChanged():
                self._turn(event, "margin")
            case LrChanged():
                self._turn(event, "lr")
            case CheckpointSaved():
                self._saved[event.step] = sum(change.step == event.step for change in self._changes)
            case CommandRefused():
                self._refused.append(event)
            case Progress():
                self._check(event.step, {"margin": event.margin, "lr": event.lr})
            case _:
                pass

    def end(self, step: int, margin: float, lr: float) -> None:
        """Leave out what came after a checkpoint.

        Args:
            step: of the checkpoint.
            margin: saved in it.
            lr: saved in it.
        """
        self._go_back(step, {"margin": margin, "lr": lr})
        self._parts = [part for part in self._parts if part.step < step] or self._parts[:1]

    def _turn(self, event: MarginChanged | LrChanged, name: Turned) -> None:
        value = number(event.new)
        if value is not None:
            self._add(Change(event.step, name, value, event.origin))

    def _add(self, change: Change) -> None:
        self._changes.append(change)
        self._now[change.name] = change.value

    def _start(self, event: RunStarted, reached: int) -> None:
        if not self._parts and event.step > 0:
            self._gap = 0, f"the log says nothing of the steps before {event.step}"
        self._go_back(event.step, {"margin": event.margin, "lr": event.lr})
        if event.step > reached:  # a checkpoint that the run had left behind, or lines are lost
            self._note(event.step, f"the log does not tell how the run came from step {reached} to {event.step}")
        self._parts = [*(part for part in self._parts if part.step < event.step), event]

    def _go_back(self, step: int, told: dict[Turned, float]) -> None:
        """To a checkpoint. What was turned at its very step was turned before it was saved, or after it and is lost."""
        if self._gap is not None and self._gap[0] > step:
            self._gap = None
        self._refused = [event for event in self._refused if event.step <= step]
        self._saved = {at: told_before for at, told_before in self._saved.items() if at <= step}
        kept = [change for change in self._changes if change.step < step]
        kept += [change for change in self._changes if change.step == step][: self._saved.get(step)]
        self._changes = []
        for name, raw in told.items():
            mine = [change for change in kept if change.name == name]
            value = number(raw)
            while value is not None and mine and mine[-1].step == step and mine[-1].value != value:
                mine.pop()
            self._now[name] = mine[-1].value if mine else self._first[name]
            self._changes += mine
            if value is not None and value != self._now[name]:
                self._note(step, f"the log does not tell how {NAMES[name]} came to {value:g} by step {step}")
                self._add(Change(step, name, value, CHECKPOINT))
        self._changes.sort(key=lambda change: change.step)

    def _check(self, step: int, told: dict[Turned, float]) -> None:
        for name, raw in told.items():
            value, now = number(raw), self._now[name]
            if value is not None and value != now:
                sentence = (
                    f"step {step} was trained with {NAMES[name]} at {value:g}, the changes in the log make it {now:g}"
                )
                self._note(step, sentence)

    def _note(self, step: int, sentence: str) -> None:
        if self._gap is None:
            self._gap = step, sentence

"""What the trainer can be told. Read between two steps; each ends in an event. Loads without torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait after the current step."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on after a pause, also after a divergence."""


@dataclass(frozen=True, slots=True)
class Step:
    """One optimiser step, while paused."""


@dataclass(frozen=True, slots=True)
class Save:
    """Write a checkpoint."""


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Score the test sample now."""


@dataclass(frozen=True, slots=True)
class GoBack:
    """Take up the good checkpoint of an earlier step, or with 0 the beginning, and wait; also after a divergence."""

    step: int


@dataclass(frozen=True, slots=True)
class SetMargin:
    """Use another margin from the next step on. Limits: `config.LIMITS["margin"]`."""

    value: float


@dataclass(frozen=True, slots=True)
class ShiftMargin:
    """Add to the margin, whatever it is by then: presses of a key add up while the trainer is busy."""

    by: float


@dataclass(frozen=True, slots=True)
class SetLearningRate:
    """Use another learning rate from the next step on. Limits: `config.LIMITS["lr"]`."""

    value: float


@dataclass(frozen=True, slots=True)
class Stop:
    """End the run, with or without a last checkpoint."""

    save: bool = True
    reason: str = "asked"


Command = Pause | Resume | Step | Save | Evaluate | GoBack | SetMargin | ShiftMargin | SetLearningRate | Stop

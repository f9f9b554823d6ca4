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


@dataclass(frozen=True, slots=True)
class MarkSuspect:
    """Note in `suspects.csv` that an image may have a wrong label, or strike that out."""

    train: bool
    """Whether it is a training image, else one of the split that is scored."""
    row: int
    """Its place in the split."""
    distance: float
    """Of the pair that it was found by."""
    marked: bool = True


@dataclass(frozen=True, slots=True)
class LeaveOut:
    """Form no pair with a training image from the next epoch on, or form them again."""

    row: int
    """Its place."""
    out: bool = True


@dataclass(frozen=True, slots=True)
class ShowTraining:
    """Embed a sample of the training images and tell their snapshot."""


@dataclass(frozen=True, slots=True)
class Explain:
    """Tell which parts of two images their distance depends on."""

    train: bool
    """Whether they are training images, else of the split that is scored."""
    first: int
    second: int
    """Places in the split."""


@dataclass(frozen=True, slots=True)
class EmbedPicture:
    """Tell the embedding of a picture's file."""

    path: str
    """Where it lies on the machine that trains."""


Question = MarkSuspect | LeaveOut | ShowTraining | Explain | EmbedPicture
"""Of single images; see `questions`."""
Command = Pause | Resume | Step | Save | Evaluate | GoBack | SetMargin | ShiftMargin | SetLearningRate | Stop | Question

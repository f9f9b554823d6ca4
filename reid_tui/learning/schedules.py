"""How the learning rate goes over a run, by name: factors of the base that the person sets.

Pure in (step, total): nothing to save, and a run that a resume makes longer or shorter follows the curve of its new
length from that step on, with a jump of the rate where the curves differ there.
"""

from __future__ import annotations

import math
from typing import Final

from reid_tui.config import SCHEDULES
from reid_tui.errors import UsageError

WARM_UP: Final = 0.3
"""Share of a one-cycle run in which the rate rises."""
ONE_CYCLE_START: Final = 1 / 25
ONE_CYCLE_END: Final = ONE_CYCLE_START * 1e-4
STEP_WARM_UP: Final = 0.1
STEP_WARM_UP_EPOCHS: Final = 10
STEPS_DOWN: Final = (0.5, 0.75)
"""Shares of the run after which `warmup-step` divides by ten, about the 40 and 70 of 120 epochs usual in Re-ID."""
SHORTEST: Final = 10
"""Steps in which every schedule but the constant one can take its course."""


def check_schedule(schedule: str, total_steps: int) -> None:
    """Refuse a schedule that has no room in the run.

    Raises:
        UsageError: the run is too short.
    """
    if schedule != "constant" and total_steps < SHORTEST:
        raise UsageError(
            f"--schedule {schedule} needs a run of at least {SHORTEST} steps, and this one has {total_steps}; "
            "give more --epochs or --steps, or --schedule constant"
        )


def factor(schedule: str, step: int, total_steps: int, *, epoch_steps: int) -> float:
    """What the base learning rate is multiplied by in a step.

    Args:
        schedule: one of `config.SCHEDULES`.
            `constant`: 1.
            `cosine`: from 1 down to 0, which the step after the last would have.
            `onecycle`: from 1/25 up to 1 in the first 30 %, then down to 4e-6, both along a cosine: torch's
            `OneCycleLR` as it comes, without its cycle of the momentum.
            `warmup-step`: up in equal parts over the first tenth, ten epochs at most; a tenth after half of the run,
            a hundredth after three quarters.
        step: from 0. Past the run's end the last step's factor stands.
        total_steps: of the whole run, at least 1.
        epoch_steps: steps of one epoch, at least 1.

    Returns:
        Above 0, at most 1.

    Raises:
        ValueError: another schedule, or a number below its least.
    """
    if schedule not in SCHEDULES or step < 0 or total_steps < 1 or epoch_steps < 1:
        raise ValueError(f"no place in a schedule: {schedule}, {step} of {total_steps} steps, {epoch_steps} an epoch")
    step = min(step, total_steps - 1)
    match schedule:
        case "cosine":
            return _cosine(1, 0, step / total_steps)
        case "onecycle":
            top, last = max(WARM_UP * total_steps - 1, 0), total_steps - 1
            if step <= top:
                return _cosine(ONE_CYCLE_START, 1, step / top if top else 1)
            return _cosine(1, ONE_CYCLE_END, (step - top) / (last - top))
        case "warmup-step":
            rising = max(1, min(int(STEP_WARM_UP * total_steps), STEP_WARM_UP_EPOCHS * epoch_steps))
            fallen = sum(step >= share * total_steps for share in STEPS_DOWN)
            return min(1.0, (step + 1) / rising) * 0.1**fallen
    return 1.0


def _cosine(start: float, end: float, share: float) -> float:
    """From start to end along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2

"""How a step is taken. The trainer does not know in which way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reid_tui.training.steps.costs import Costs
from reid_tui.training.steps.eager import EagerSteps

if TYPE_CHECKING:
    from reid_tui.training.steps.parts import Parts, Steps


def build_steps(parts: Parts) -> Steps:
    """The way that the device, the precision and the settings ask for.

    Raises:
        UsageError: they ask for a compiler, and there is none.
    """
    if not parts.config.compile:
        return EagerSteps(parts, Costs(parts))
    from reid_tui.training.steps.compiled import CompiledCosts

    return EagerSteps(parts, CompiledCosts(parts))

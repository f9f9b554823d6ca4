"""How a step is taken. The trainer does not know in which way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reid_tui.training.steps.costs import Costs
from reid_tui.training.steps.device import DeviceSteps, can_stay_on_device
from reid_tui.training.steps.eager import EagerSteps

if TYPE_CHECKING:
    from reid_tui.training.steps.parts import Parts, Steps


def build_steps(parts: Parts) -> Steps:
    """The way that the device, the precision and the settings ask for.

    Raises:
        UsageError: they ask for a compiler, and there is none.
    """
    if parts.group is not None:
        return _together(parts)
    if parts.config.compile:
        return EagerSteps(parts, _compiled(parts))
    costs = Costs(parts)
    if parts.device.type == "cuda" and can_stay_on_device(parts):
        return DeviceSteps(parts, costs)
    return EagerSteps(parts, costs)


def _together(parts: Parts) -> Steps:
    from reid_tui.training.together.steps import TogetherSteps

    return TogetherSteps(parts)


def _compiled(parts: Parts) -> Costs:
    from reid_tui.training.steps.compiled import CompiledCosts

    return CompiledCosts(parts)

"""The margin of a run with a schedule: what that gives, and what a person has added to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reid_tui.training.events import SCHEDULE, MarginChanged

if TYPE_CHECKING:
    from reid_tui.config import MarginPlan
    from reid_tui.training.learner import Learner

_EQUAL: Final = 1e-9
_PLACES: Final = 9


class ScheduledMargin:
    """Turns the learner's margin at the steps of a plan; does nothing where that has no changes."""

    def __init__(self, plan: MarginPlan, learner: Learner, highest: float) -> None:
        """Take the plan, whose margin is turned, and the largest one that does something."""
        self._plan = plan
        self._learner = learner
        self._highest = highest
        self.offset = 0.0
        """What a person has added to the schedule."""

    def follow(self, step: int) -> MarginChanged | None:
        """Turn the margin to what the step after so many is taken with; returns the change where it is one.

        Where the offset would lead out of the limits, the margin stays as it is.
        """
        planned = self._plan.before(step)
        new, old = planned.margin, self._learner.margin
        if self.offset:
            new = round(new + self.offset, _PLACES)
        if not self._plan.changes or abs(new - old) <= _EQUAL or not 0 < new <= self._highest:
            return None
        self._learner.margin = new
        ramp = tuple(round(end + self.offset, _PLACES) for end in planned.ramp)
        return MarginChanged(step=step, origin=SCHEDULE, old=old, new=new, ramp=ramp)

    def turned(self, step: int) -> None:
        """A person has turned the margin: from here on the schedule is shifted by as much."""
        if self._plan.changes:
            self.offset = self._learner.margin - self._plan.before(step).margin

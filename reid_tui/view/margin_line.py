"""The margin over a whole run that has a schedule of it: what it was, and what it will be."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from reid_tui.config import margin_plan
from reid_tui.errors import UsageError

if TYPE_CHECKING:
    from reid_tui.view.run_state import RunState

Margins = tuple[tuple[int, float], ...]
"""The step from which on it has a value, and that, by rising step; the first step is 0."""


def margin_line(state: RunState) -> Margins:
    """From the changes that were told, and from the schedule shifted as it is by now; empty without a schedule."""
    start = state.started
    if start is None or not start.config.margin_schedule or not math.isfinite(state.margin):
        return ()
    try:
        plan = margin_plan(start.config.margin_schedule, start.config.margin, start.steps_per_epoch)
    except UsageError:  # of a log that was changed
        return ()
    told = [(mark.step, mark.new) for mark in state.history.marks if mark.kind == "margin"]
    # The step that the present margin is of: the one that comes where a change was told for it, else the newest.
    known = state.step if told and told[-1][0] >= state.step else state.step - 1
    offset = state.margin - plan.before(known).margin
    ahead = [(change.step, change.margin + offset) for change in plan.changes if change.step > known]
    return ((0, start.config.margin), *told, *(point for point in ahead if point[1] > 0))

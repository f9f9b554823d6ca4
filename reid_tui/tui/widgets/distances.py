"""Panel 3: how far apart pairs are, with the margin and the threshold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from reid_tui.tui.widgets.panel import Panel
from reid_tui.view.distance_chart import distance_chart
from reid_tui.view.text import amount
from reid_tui.view.what_if import half_teach

if TYPE_CHECKING:
    from reid_tui.tui.frame import Frame


class DistancesPanel(Panel):
    """The margin's line moves as soon as the margin is turned."""

    key = "distances"

    def urgent(self, frame: Frame) -> tuple[Any, ...]:
        """The margin."""
        return (repr(_margin(frame)),)

    def routine(self, frame: Frame) -> tuple[Any, ...]:
        """New distances, and a new threshold with every evaluation."""
        return (frame.state.distances, frame.state.history.evaluations)

    def draw(self, frame: Frame) -> None:
        """Histogram and lines."""
        state = frame.state
        width, height = self.canvas.size
        suggested = half_teach(state.distances, state.started.config) if state.started else math.nan
        self.canvas.show(
            distance_chart(
                state.distances, _margin(frame), state.threshold, width, height, frame.style, suggested=suggested
            )
        )

    def value(self, frame: Frame) -> str:
        """The margin, where there is one."""
        if frame.state.why_no_margin:
            return ""
        margin = _margin(frame)
        return f"margin {amount(margin)}{' if set' if margin != frame.state.margin else ''}"


def _margin(frame: Frame) -> float:
    """The run's, or one that is being typed."""
    return frame.state.margin if frame.controls.margin is None else frame.controls.margin

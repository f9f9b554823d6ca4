"""Panel 3: how far apart pairs are, with the margin and the threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reid_tui.tui.widgets.panel import Panel
from reid_tui.view.distance_chart import distance_chart
from reid_tui.view.text import amount

if TYPE_CHECKING:
    from reid_tui.tui.frame import Frame


class DistancesPanel(Panel):
    """The margin's line moves as soon as the margin is turned."""

    key = "distances"

    def urgent(self, frame: Frame) -> tuple[Any, ...]:
        """The margin."""
        return (repr(frame.state.margin),)

    def routine(self, frame: Frame) -> tuple[Any, ...]:
        """New distances, and a new threshold with every evaluation."""
        return (frame.state.distances, frame.state.history.evaluations)

    def draw(self, frame: Frame) -> None:
        """Histogram and lines."""
        state = frame.state
        width, height = self.canvas.size
        self.canvas.show(distance_chart(state.distances, state.margin, state.threshold, width, height, frame.style))

    def value(self, frame: Frame) -> str:
        """The margin, where there is one."""
        return "" if frame.state.why_no_margin else f"margin {amount(frame.state.margin)}"

"""Panel 7: what is found for a query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reid_tui.tui.widgets.panel import Panel
from reid_tui.view.grid import placeholder

if TYPE_CHECKING:
    from reid_tui.tui.frame import Frame


class RetrievalPanel(Panel):
    """Drawn from the newest evaluation."""

    key = "retrieval"

    def routine(self, frame: Frame) -> tuple[Any, ...]:
        """A new evaluation."""
        return (frame.state.gallery,)

    def draw(self, frame: Frame) -> None:
        """What there is."""
        self.canvas.show(placeholder("no evaluation yet", *self.canvas.size, frame.style))

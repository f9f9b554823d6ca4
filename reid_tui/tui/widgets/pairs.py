"""Panel 6: the pairs that an evaluation found hardest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reid_tui.tui.widgets.panel import Panel
from reid_tui.view.grid import placeholder

if TYPE_CHECKING:
    from reid_tui.tui.frame import Frame


class PairsPanel(Panel):
    """Drawn from the newest evaluation."""

    key = "pairs"

    def routine(self, frame: Frame) -> tuple[Any, ...]:
        """A new evaluation."""
        return (frame.state.gallery,)

    def draw(self, frame: Frame) -> None:
        """What there is."""
        self.canvas.show(placeholder("no evaluation yet", *self.canvas.size, frame.style))

"""Panel 2: the test embeddings in the plane, with a legend of the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from reid_tui.tui.bindings import bindings
from reid_tui.tui.widgets.legend import Legend
from reid_tui.tui.widgets.panel import Panel
from reid_tui.view.map_chart import map_chart
from reid_tui.view.text import count

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from reid_tui.tui.frame import Frame

LEGEND_FROM: Final = 36
"""Columns of the panel's inside from which the legend stands beside the plot."""


class MapPanel(Panel):
    """Drawn anew only for new embeddings, another highlight, size or theme."""

    key = "map"
    BINDINGS: ClassVar[list[BindingType]] = bindings("map")

    def __init__(self, interval: float) -> None:
        super().__init__(interval)
        self.legend = Legend()

    def compose(self) -> ComposeResult:
        """Plot and legend."""
        yield self.canvas
        yield self.legend

    def urgent(self, frame: Frame) -> tuple[Any, ...]:
        """The highlight."""
        return (frame.controls.highlight, frame.state.identity_names)

    def routine(self, frame: Frame) -> tuple[Any, ...]:
        """A new snapshot, or another margin for the scale."""
        return (id(frame.state.embeddings), frame.state.started is None, repr(_scale(frame)))

    def draw(self, frame: Frame) -> None:
        """The plot, and the legend beside it where there is room."""
        state, highlight = frame.state, frame.controls.highlight
        wanted = self.legend.wanted(state.identity_names)
        shown = bool(wanted) and self.content_size.width >= LEGEND_FROM
        self.legend.styles.width = min(wanted, self.content_size.width // 3)
        self.legend.display = shown
        if shown:
            self.legend.update(frame)
        snapshot = state.embeddings
        width, height = self.canvas.size
        points = snapshot.points if snapshot else None
        identities = snapshot.identities if snapshot else None
        self.canvas.show(
            map_chart(
                points,
                identities,
                state.identity_names,
                width,
                height,
                frame.style,
                highlight=highlight,
                margin=_scale(frame),
            )
        )

    def value(self, frame: Frame) -> str:
        """Which step the snapshot is of."""
        snapshot, names = frame.state.embeddings, frame.state.identity_names
        if snapshot is None or snapshot.points is None:
            return ""
        highlight = frame.controls.highlight
        one = f"{names[highlight]} · " if highlight is not None and highlight < len(names) else ""
        return f"{one}{count(len(snapshot.points))} images · step {count(snapshot.step)}"


def _scale(frame: Frame) -> float | None:
    """The margin, where a distance on the map is a distance of embeddings."""
    started = frame.state.started
    return frame.state.margin if started is not None and started.config.embedding_dim == 2 else None

"""Panel 2: the test embeddings in the plane, with a legend of the classes, a cursor and the centroids' trails."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from reid_tui.errors import DataError
from reid_tui.runs.snapshots import earlier_maps
from reid_tui.tui.bindings import bindings
from reid_tui.tui.widgets.legend import Legend
from reid_tui.tui.widgets.panel import Panel
from reid_tui.view.map_chart import map_chart
from reid_tui.view.map_cursor import Seen, draw_box, draw_cursor, find, fits, neighbours_in, one_line
from reid_tui.view.text import count
from reid_tui.view.trails import MOST, Trails

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from reid_tui.training.events import EmbeddingsReady, IntArray, RunStarted
    from reid_tui.tui.aside import Aside
    from reid_tui.tui.frame import Frame
    from reid_tui.tui.pictures import Pictures
    from reid_tui.view.grid import Grid
    from reid_tui.view.map_cloud import Cell, Cloud
    from reid_tui.view.map_cursor import Found
    from reid_tui.view.run_state import RunState

LEGEND_FROM: Final = 36
"""Columns of the panel's inside from which the legend stands beside the plot."""


class MapPanel(Panel):
    """Drawn anew only for new embeddings, another highlight, size or theme."""

    key = "map"
    BINDINGS: ClassVar[list[BindingType]] = bindings("map")

    def __init__(self, interval: float, aside: Aside, pictures: Pictures) -> None:
        """Build the panel.

        Args:
            interval: as every panel's.
            aside: where neighbours and pictures are looked up.
            pictures: of the images.
        """
        super().__init__(interval)
        self._aside = aside
        self._pictures = pictures
        self.legend = Legend()
        self.cursor: Cell | None = None
        self.trails = False
        self._found: Found | None = None
        self._ways = Trails()
        """Those on disk before those that this screen has seen."""

    def compose(self) -> ComposeResult:
        """Plot and legend."""
        yield self.canvas
        yield self.legend

    def urgent(self, frame: Frame) -> tuple[Any, ...]:
        """The highlight, the cursor and what is known of the image there, and whether there are trails."""
        looked_up = (self.cursor or self.trails) and self._aside.results
        return (frame.controls.highlight, frame.state.identity_names, self.cursor, self.trails, looked_up)

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
        self._found = None
        if self.trails or self.cursor is not None:
            self._ways = self._with_earlier(state)
        self.canvas.show(
            map_chart(
                snapshot.points if snapshot else None,
                snapshot.identities if snapshot else None,
                state.identity_names,
                *self.canvas.size,
                frame.style,
                highlight=highlight,
                margin=_scale(frame),
                trails=self._ways if self.trails else None,
                overlay=partial(self._draw_cursor, frame.state) if self.cursor is not None else None,
            )
        )

    def value(self, frame: Frame) -> str:
        """Which step the snapshot is of."""
        snapshot, names = frame.state.embeddings, frame.state.identity_names
        if snapshot is None or snapshot.points is None:
            return ""
        if self._found is not None and not fits(*self.canvas.size):
            return one_line(self._found, names)
        if self.trails:
            return f"trails since step {count(self._ways.since)} · step {count(snapshot.step)}"
        highlight = frame.controls.highlight
        one = f"{names[highlight]} · " if highlight is not None and highlight < len(names) else ""
        return f"{one}{count(len(snapshot.points))} images · step {count(snapshot.step)}"

    def move_cursor(self, columns: int, rows: int) -> None:
        """By so many cells; at first to the middle."""
        width, height = self.canvas.size
        x, y = (width // 2, height // 2) if self.cursor is None else self.cursor
        x, y = (x, y) if self.cursor is None else (x + columns, y + rows)
        self.cursor = (min(max(x, 0), max(width - 1, 0)), min(max(y, 0), max(height - 1, 0)))

    def leave_cursor(self) -> bool:
        """Whether there was one."""
        before, self.cursor = self.cursor, None
        return before is not None

    async def on_mouse_down(self, event: events.MouseDown) -> None:
        """The cursor comes to the mouse."""
        await self._point(event)

    async def on_mouse_move(self, event: events.MouseMove) -> None:
        """It follows the mouse while a button is held."""
        if event.button:
            await self._point(event)

    async def _point(self, event: events.MouseEvent) -> None:
        place = event.get_content_offset(self.canvas)
        if place is not None and place != self.cursor:
            self.cursor = (place.x, place.y)
            await self.app.run_action("screen.drawn_anew")

    def _draw_cursor(self, state: RunState, grid: Grid, placed: Cloud) -> None:
        snapshot, cell = state.embeddings, self.cursor
        assert snapshot is not None
        assert snapshot.points is not None
        assert cell is not None
        rows = self._ways.rows_of(len(snapshot.points), snapshot.rows)
        found = self._found = find(placed, cell, grid.style.glyphs, self._ways, rows, snapshot.step)
        draw_cursor(grid, cell, found)
        if fits(grid.width, grid.height):
            draw_box(grid, cell, found, state.identity_names, self._seen(state, rows, found))

    def _with_earlier(self, state: RunState) -> Trails:
        known, started = state.trails, state.started
        if started is None or state.embeddings is None or not known.since:
            return known
        work = partial(_earlier, Path(started.run), state.embeddings.split, known.since)
        earlier = self._aside.ask("trails", (started.run, known.since), work)
        return known if earlier is None else known.behind(earlier)

    def _seen(self, state: RunState, rows: IntArray | None, found: Found) -> Seen | None:
        if state.gallery is None or state.started is None or rows is None or found.row is None:
            return None
        shown = (found.row, *(int(rows[near.place]) for near in found.neighbours))
        work = partial(_look_up, self._pictures, state.gallery, state.started, shown)
        return self._aside.ask(self.key, (state.gallery, shown), work)


def _earlier(run: Path, split: str, before: int) -> Trails:
    """In the thread aside."""
    found = Trails()
    for snapshot in earlier_maps(run, split, before, MOST):
        found = found.after(snapshot)
    return found


def _look_up(pictures: Pictures, gallery: EmbeddingsReady, started: RunStarted, shown: tuple[int, ...]) -> Seen:
    """In the thread aside: of more than two dimensions the nearest by all of them, and what is to be seen."""
    assert gallery.rows is not None
    neighbours = neighbours_in(gallery, shown[0]) if started.config.embedding_dim > 2 else ()
    if neighbours:
        shown = (shown[0], *(int(gallery.rows[near.place]) for near in neighbours))
    try:
        images = pictures.split(gallery, started).take(np.array(shown))
    except DataError as error:
        return Seen(neighbours, gallery.step, None, str(error))
    return Seen(neighbours, gallery.step, images)


def _scale(frame: Frame) -> float | None:
    """The margin, where a distance on the map is a distance of embeddings."""
    started = frame.state.started
    return frame.state.margin if started is not None and started.config.embedding_dim == 2 else None

"""The dashboard's one screen: header, panels, footer, and how the person wants to see them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from reid_tui.tui.aside import Aside
from reid_tui.tui.frame import SMOOTHINGS, Controls, Frame
from reid_tui.tui.layout import EXTRAS, MIN_HEIGHT, MIN_WIDTH, Wish, choose, too_small
from reid_tui.tui.pictures import Pictures
from reid_tui.tui.widgets.area import PanelArea
from reid_tui.tui.widgets.classes import ClassesPanel
from reid_tui.tui.widgets.distances import DistancesPanel
from reid_tui.tui.widgets.footer import Footer
from reid_tui.tui.widgets.header import Header
from reid_tui.tui.widgets.log import LogPanel
from reid_tui.tui.widgets.loss import LossPanel
from reid_tui.tui.widgets.map import MapPanel
from reid_tui.tui.widgets.numbers import NumbersPanel
from reid_tui.tui.widgets.pairs import PairsPanel
from reid_tui.tui.widgets.panel import Panel
from reid_tui.tui.widgets.retrieval import RetrievalPanel
from reid_tui.view.run_state import RunState

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events
    from textual.app import ComposeResult
    from textual.widget import Widget

    from reid_tui.training.commands import Command
    from reid_tui.tui.pace import Rhythm
    from reid_tui.tui.thrift import Thrift
    from reid_tui.tui.widgets.legend import Legend
    from reid_tui.view.palette import ChartStyle


class MainScreen(Screen[None]):
    """Draws what it is given; every action here changes only the view."""

    AUTO_FOCUS = ""
    BLANK = True

    def __init__(self, changed: Callable[[], None], rhythm: Rhythm) -> None:
        """Build the widgets.

        Args:
            changed: called when the person changed the view, so that it is drawn again soon.
            rhythm: how often things are drawn.
        """
        super().__init__(id="main")
        self.controls = Controls()
        self.header = Header(rhythm.numbers)
        self.footer = Footer()
        self._aside, self._pictures = Aside(changed), Pictures()
        self._map_panel = MapPanel(rhythm.maps, self._aside, self._pictures)
        charts = (LossPanel(rhythm.charts), self._map_panel, DistancesPanel(rhythm.maps))
        self._pairs = PairsPanel(rhythm.charts, self._aside, self._pictures)
        self._retrieval = RetrievalPanel(rhythm.charts, self._aside, self._pictures)
        self._classes_panel = ClassesPanel(rhythm.charts, self._aside)
        extras = (self._pairs, self._retrieval, self._classes_panel)
        self._log_panel = LogPanel(rhythm.numbers)
        self.area = PanelArea((*charts, NumbersPanel(rhythm.numbers), self._log_panel, *extras))
        self._changed = changed
        self._told = RunState()
        self._before: tuple[Wish, Widget | None] | None = None
        """What was to be seen before a margin was typed."""

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield self.header
        yield self.area
        yield self.footer
        yield Static(id="too-small", markup=False)

    def draw(self, state: RunState, style: ChartStyle, now: float, thrift: Thrift, *, deaf: bool = False) -> None:
        """Bring every visible widget up to date: what is urgent at once, the rest at its pace.

        Args:
            state: what to draw.
            style: of the charts.
            now: seconds.
            thrift: what that may cost.
            deaf: nobody takes commands here.
        """
        self._told = state
        frame = Frame(style, state, self.controls, self.area.arrangement.tabs, deaf, thrift.rows, thrift.slower)
        self.footer.update(frame)
        self.header.update(frame, now)
        for panel in self.area.panels:
            if panel.display:
                panel.update(frame, now)

    def on_resize(self, event: events.Resize) -> None:
        """Say so when nothing useful fits."""
        width, height = event.size
        small = too_small(width, height)
        self.set_class(small, "-too-small")
        if small:
            text = f"reid-tui needs {MIN_WIDTH}x{MIN_HEIGHT}, this terminal has {width}x{height}. Training goes on."
            self.query_one("#too-small", Static).update(Content(text))
        self._changed()

    def on_legend_chosen(self, event: Legend.Chosen) -> None:
        """A click on a class highlights it, a second one ends that."""
        chosen = None if event.index == self.controls.highlight else event.index
        self._control(replace(self.controls, highlight=chosen))

    def action_panel(self, name: str) -> None:
        """Number keys. What has its place to itself has the focus too, and what has keys of its own."""
        self._wish(choose(self.area.wish, self.area.arrangement, name))
        asked_for = name in EXTRAS and name in self.area.arrangement.boxes
        if self.area.wish.zoomed or name in self.area.arrangement.tabs or asked_for:
            self._focus(name)

    def action_reset_panels(self) -> None:
        """Everything as at the start."""
        self._wish(Wish())

    def action_zoom(self) -> None:
        """The focused panel, else the one asked for last, takes all the room; the same key gives it back."""
        wish, focused = self.area.wish, self.focused
        name = focused.key if isinstance(focused, Panel) else wish.tab
        if name not in self.area.arrangement.boxes:
            name = next(iter(self.area.arrangement.boxes), wish.tab)
        self._wish(replace(wish, zoomed=None if wish.zoomed else name))
        if not wish.zoomed:
            self._focus(name)

    def action_back(self) -> None:
        """Leave the map's cursor, else the zoom, else the highlight, else the focus."""
        if self._map_panel.display and self._map_panel.leave_cursor():
            self._changed()
        elif self.area.wish.zoomed:
            self._wish(replace(self.area.wish, zoomed=None))
        elif self.controls.highlight is not None:
            self._control(replace(self.controls, highlight=None))
        else:
            self.set_focus(None)

    def action_highlight(self, by: int) -> None:
        """One class of the map after the other; between the last and the first none."""
        classes, now = self._told.classes, self.controls.highlight
        turn = [label for label in (*classes, now) if label is not None]  # the one that was may have left the map
        order = [None, *sorted(set(turn))]
        place = order[(order.index(now) + by) % len(order)]
        self._control(replace(self.controls, highlight=place))

    def action_map_cursor(self, columns: int, rows: int) -> None:
        """Move the map's cursor."""
        self._map_panel.move_cursor(columns, rows)
        self._changed()

    def action_trails(self) -> None:
        """The ways of the centroids on the map, or none."""
        self._map_panel.trails = not self._map_panel.trails
        self._changed()

    def action_next_overlap(self, by: int) -> None:
        """Tell of another pair of identities."""
        self._classes_panel.choose(by)
        self._changed()

    def action_next_query(self, by: int) -> None:
        """Show what another query found."""
        self._retrieval.choose(by)
        self._changed()

    def asked_for(self, text: str | None) -> list[Command]:
        """Show what is found for what a person typed, None for nothing; what the trainer is to be asked for that."""
        if text is None:
            return []
        if "retrieval" not in self.area.arrangement.boxes:
            self.action_panel("retrieval")
        self._changed()
        return self._retrieval.asked(text.strip())

    def action_drawn_anew(self) -> None:
        """A panel has something else to show."""
        self._changed()

    def action_log_axis(self) -> None:
        """Logarithmic loss, or linear."""
        self._control(replace(self.controls, log_axis=not self.controls.log_axis))

    def action_smoothing(self) -> None:
        """The next amount of smoothing, after the last the first."""
        place = SMOOTHINGS.index(self.controls.smoothing)
        self._control(replace(self.controls, smoothing=SMOOTHINGS[(place + 1) % len(SMOOTHINGS)]))

    def action_log_lines(self, by: int) -> None:
        """Move the log's window."""
        self._log_panel.move_window(lines=by)
        self._changed()

    def action_log_pages(self, by: int) -> None:
        """Move it by as much as it shows."""
        self._log_panel.move_window(pages=by)
        self._changed()

    def consider(self, margin: float | None) -> None:
        """Show a margin that is being typed, with the distances in view; None leaves everything as it was before.

        Args:
            margin: in units of distance; NaN while what is typed is none.
        """
        if margin is None:
            if self._before is not None:
                wish, focused = self._before
                self.area.rearrange(wish)
                self.set_focus(focused)
            self._before = None
        elif self._before is None:
            self._before = self.area.wish, self.focused
            if "distances" not in self.area.arrangement.boxes:
                self.area.rearrange(choose(self.area.wish, self.area.arrangement, "distances"))
        typed = margin if margin is not None and math.isfinite(margin) else None
        self._control(replace(self.controls, margin=typed))

    def action_pairs_turn(self, by: int) -> None:
        """To another pair."""
        self._pairs.turn(by)
        self._changed()

    def action_pairs_kind(self) -> None:
        """Pairs of one identity, or of two."""
        self._pairs.other_kind()
        self._changed()

    def asked_of_pair(self, what: str) -> list[Command]:
        """What a key asks the trainer of the pair that stands there."""
        self._changed()
        return self._pairs.asked(what)

    def _focus(self, name: str) -> None:
        self.set_focus(next(panel for panel in self.area.panels if panel.key == name))

    def _wish(self, wish: Wish) -> None:
        self.area.rearrange(wish)
        self._changed()

    def _control(self, controls: Controls) -> None:
        self.controls = controls
        self._changed()

"""What the panels share: frame and title, when to draw, and what happens when drawing fails."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar, Self

from textual.content import Content
from textual.geometry import Region
from textual.style import Style

from reid_tui.text import printable
from reid_tui.tui.draw_errors import DrawErrors
from reid_tui.tui.layout import PANELS
from reid_tui.tui.pace import Pace
from reid_tui.tui.widgets.canvas import Canvas
from reid_tui.tui.widgets.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult

    from reid_tui.tui.frame import Frame


class Panel(Kept):
    """A framed part of the screen. A subclass says what it draws from and draws it."""

    can_focus = True
    key: ClassVar[str]
    """One of `layout.PANELS`."""

    def __init__(self, interval: float) -> None:
        """Build the panel.

        Args:
            interval: seconds between two drawings, but for what must be seen at once.
        """
        super().__init__(id=self.key, classes="panel")
        self.canvas = Canvas(classes="canvas")
        self._pace = Pace(interval)
        self._drawn: tuple[Any, Any] | None = None
        self._frame_text = ("", "")
        self._edge: int | None = None
        self._errors = DrawErrors(f"the {self.key} panel")

    def compose(self) -> ComposeResult:
        """The canvas; a subclass may add to it."""
        yield self.canvas

    def urgent(self, frame: Frame) -> tuple[Any, ...]:
        """What must be seen at once when it changes."""
        return (frame.controls,)

    def routine(self, frame: Frame) -> tuple[Any, ...]:
        """What else the drawing depends on; seen when the pace allows."""
        raise NotImplementedError

    def draw(self, frame: Frame) -> None:
        """Draw it, into the canvas as a rule."""
        raise NotImplementedError

    def value(self, frame: Frame) -> str:
        """The current value, for the lower edge."""
        return ""

    def update(self, frame: Frame, now: float, *, cost_clock: Callable[[], float] = time.thread_time) -> None:
        """Draw if something changed and the pace allows. Called once a tick.

        Args:
            frame: what to draw.
            now: seconds.
            cost_clock: counts the processor's seconds.
        """
        size = self.canvas.size
        if not size.width or not size.height:
            return
        try:
            urgent = (self.urgent(frame), frame.style, frame.tabs, size)
            routine = self.routine(frame)
        except Exception as error:
            self._show_error(error)
            self._drawn = None
            return
        if self._drawn == (urgent, routine):
            return
        hurried = self._drawn is None or self._drawn[0] != urgent
        if not hurried and not self._pace.due(now):
            return
        began = cost_clock()
        self.redraw(frame)
        self._drawn = (urgent, routine)
        self._pace.drawn(now, cost_clock() - began, frame.slower)

    def redraw(self, frame: Frame) -> None:
        """Draw at once, or show why that is not possible."""
        try:
            self.draw(frame)
            self._label(frame)
        except Exception as error:
            self._show_error(error)
        else:
            self._errors.over()

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """As Textual's, but a new title or value repaints its own edge of the frame alone."""
        if self._edge is not None and self.is_mounted:
            width, height = self.outer_size
            x, y = -self.content_offset.x, -self.content_offset.y
            regions = (Region(x, y + self._edge % height, width, 1),) if height else ()
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def _label(self, frame: Frame) -> None:
        """Title with its number key, or all who share the place; the current value below."""
        names = frame.tabs if self.key in frame.tabs else (self.key,)
        roomy = sum(len(name) + 4 for name in names) <= self.outer_size.width - 4
        parts: list[Content | tuple[str, str]] = []
        for name in names:
            if parts:
                parts.append(("  ", ""))
            chosen = name == self.key
            tab = Content.styled(str(PANELS.index(name) + 1), "$accent" if chosen else "$faint")
            if chosen or roomy:
                tab = tab.append(Content.styled(f" {name}", "bold" if chosen else "$quiet"))
            parts.append(tab if chosen else tab.stylize(Style.from_meta({"@click": f"screen.panel({name!r})"})))
        title, value = Content.assemble(*parts), printable(self.value(frame))
        before, self._frame_text = self._frame_text, (title.plain, value)
        if title.plain != before[0]:
            self._edge = 0
            self.border_title = title
        if value != before[1]:
            self._edge = -1
            self.border_subtitle = Content(value)
        self._edge = None

    def _show_error(self, error: Exception) -> None:
        text = self._errors.note(error)
        width = max(self.canvas.size.width, 1)
        lines: list[str | Content] = [Content.styled("this panel cannot be drawn", "$text-error bold"), ""]
        lines += [Content.styled(text[i : i + width], "$text-error") for i in range(0, len(text), width)]
        self.canvas.show(lines)

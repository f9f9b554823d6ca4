"""Panel 5: everything that happened, with its step. Follows the end until it is scrolled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.binding import Binding
from textual.content import Content

from reid_tui.tui.widgets.panel import Panel
from reid_tui.view.text import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.binding import BindingType

    from reid_tui.tui.frame import Frame
    from reid_tui.view.wording import LogLine

_STYLES: Final[dict[str, str]] = {
    "scores": "$text-accent",
    "margin": "$text-warning",
    "lr": "$text-warning",
    "saved": "$text-success",
    "refused": "$text-warning",
    "warning": "$text-warning",
    "error": "$text-error",
    "end": "bold",
    "phase": "$quiet",
    "output": "$quiet",
}


class LogPanel(Panel):
    """Lines are wrapped to the width there is; a new width wraps them anew."""

    key = "log"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_lines(-1)", show=False),
        Binding("down,j", "scroll_lines(1)", show=False),
        Binding("pageup", "scroll_lines(-10)", show=False),
        Binding("pagedown", "scroll_lines(10)", show=False),
        Binding("home,g", "scroll_lines(-1000000)", show=False),
        Binding("end,G", "scroll_lines(1000000)", show=False),
    ]

    def __init__(self, interval: float) -> None:
        super().__init__(interval)
        self._bottom: int | None = None
        """Lines logged up to the last one shown, counted from the run's start; None follows the end."""
        self._frame: Frame | None = None

    def routine(self, frame: Frame) -> tuple[Any, ...]:
        """Only new lines."""
        return (frame.state.log_count,)

    def draw(self, frame: Frame) -> None:
        """The last lines that fit."""
        self._frame = frame
        width, height = self.canvas.size
        self.canvas.show(rows(frame.state.log[: self._end(frame)], width, height))

    def value(self, frame: Frame) -> str:
        """How much stands below."""
        below = len(frame.state.log) - self._end(frame)
        return f"{count(below)} newer below" if below else ""

    def action_scroll_lines(self, by: int) -> None:
        """Move the window."""
        if self._frame is None:
            return
        state = self._frame.state
        oldest = state.log_count - len(state.log)
        lowest = oldest + min(self.canvas.size.height, len(state.log))
        bottom = max((self._bottom or state.log_count) + by, lowest)
        self._bottom = None if bottom >= state.log_count else bottom
        self.redraw(self._frame)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Older lines."""
        event.stop()
        self.action_scroll_lines(-3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Newer lines."""
        event.stop()
        self.action_scroll_lines(3)

    def _end(self, frame: Frame) -> int:
        """Index after the last line shown."""
        state = frame.state
        if self._bottom is None:
            return len(state.log)
        return min(max(self._bottom - (state.log_count - len(state.log)), 1), len(state.log))


def rows(lines: Sequence[LogLine], width: int, height: int) -> list[Content]:
    """The last `height` rows of the wrapped lines: the step at the left, the text indented beside it."""
    found: list[Content] = []
    for line in reversed(lines):
        if len(found) >= height:
            break
        step = f"{count(line.step):>6}"
        room = max(width - len(step) - 1, 1)
        wrapped = Content.styled(line.text, _STYLES.get(line.kind, "")).wrap(room) or [Content("")]
        block = [
            Content.assemble((step if i == 0 else " " * len(step), "$faint"), " ", part)
            for i, part in enumerate(wrapped)
        ]
        found = [*block, *found]
    return found[-height:] if height > 0 else []

"""Panel 5: everything that happened, with its step. Follows the end until it is scrolled."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.content import Content

from reid_tui.tui.bindings import bindings
from reid_tui.tui.widgets.panel import Panel
from reid_tui.view.text import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.binding import BindingType

    from reid_tui.tui.frame import Frame
    from reid_tui.view.run_state import RunState
    from reid_tui.view.wording import LogLine

_STYLES: Final[dict[str, str]] = {
    "scores": "$text-accent",
    "margin": "$text-warning",
    "lr": "$text-warning",
    "image": "$text-warning",
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
    BINDINGS: ClassVar[list[BindingType]] = bindings("log")

    def __init__(self, interval: float) -> None:
        super().__init__(interval)
        self._bottom: int | None = None
        """Lines logged up to the last one shown, counted from the run's start; None follows the end."""
        self._moves: list[tuple[int, int]] = []
        """By so many lines and pages the next drawing moves it: that one knows how many there are, and how many fit."""

    def urgent(self, frame: Frame) -> tuple[Any, ...]:
        """Where the window stands, and is to go."""
        return (self._bottom, tuple(self._moves))

    def routine(self, frame: Frame) -> tuple[Any, ...]:
        """Only new lines."""
        return (frame.state.log_count,)

    def draw(self, frame: Frame) -> None:
        """The last lines that fit."""
        width, height = self.canvas.size
        self._move(frame.state, width, height)
        self.canvas.show(rows(frame.state.log[: self._end(frame)], width, height))

    def value(self, frame: Frame) -> str:
        """How much stands below."""
        below = len(frame.state.log) - self._end(frame)
        return f"{count(below)} newer below" if below else ""

    def move_window(self, *, lines: int = 0, pages: int = 0) -> None:
        """Back where negative. From one page to the next a line stays in sight."""
        self._moves.append((lines, pages))

    async def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Older lines."""
        event.stop()
        await self.app.run_action("screen.log_lines(-3)")

    async def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Newer lines."""
        event.stop()
        await self.app.run_action("screen.log_lines(3)")

    def _move(self, state: RunState, width: int, height: int) -> None:
        """Where it was asked to, but not so far back that less stands in it than fits."""
        if not height or (self._bottom is None and not self._moves):
            return
        lowest = state.log_count - len(state.log) + _fitting(state.log, width, height)
        bottom = self._bottom or state.log_count
        for lines, pages in [*self._moves, (0, 0)]:
            bottom = min(max(bottom + lines + pages * max(height - 1, 1), lowest), state.log_count)
        self._bottom = None if bottom == state.log_count else bottom
        self._moves.clear()

    def _end(self, frame: Frame) -> int:
        """Index after the last line shown."""
        state = frame.state
        if self._bottom is None:
            return len(state.log)
        return min(max(self._bottom - (state.log_count - len(state.log)), 1), len(state.log))


def rows(lines: Sequence[LogLine], width: int, height: int) -> list[Content]:
    """The last `height` rows of the wrapped lines."""
    found: list[Content] = []
    for line in reversed(lines):
        if len(found) >= height:
            break
        found = [*_wrapped(line, width), *found]
    return found[-height:] if height > 0 else []


def _fitting(lines: Sequence[LogLine], width: int, height: int) -> int:
    """How many of the first lines fit into so many rows; one does in any case."""
    heights = accumulate(len(_wrapped(line, width)) for line in lines[:height])
    return max(sum(1 for total in heights if total <= height), 1)


def _wrapped(line: LogLine, width: int) -> list[Content]:
    """The step at the left, the text indented beside it."""
    step = f"{count(line.step):>6}"
    room = max(width - len(step) - 1, 1)
    parts = Content.styled(line.text, _STYLES.get(line.kind, "")).wrap(room) or [Content("")]
    return [
        Content.assemble((step if i == 0 else " " * len(step), "$faint"), " ", part) for i, part in enumerate(parts)
    ]

"""Letters, colours and names of the classes on the map. A click highlights one."""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.message import Message

from reid_tui.text import printable
from reid_tui.tui.widgets.canvas import Canvas
from reid_tui.view.grid import Grid, Look
from reid_tui.view.palette import identity_letter
from reid_tui.view.text import fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events

    from reid_tui.tui.frame import Frame

MOST_CELLS = 18


class Legend(Canvas):
    """One class of the map a row; where there are more than rows, those around the highlighted one."""

    class Chosen(Message):
        """A class was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self) -> None:
        super().__init__(classes="legend")
        self._shown: Sequence[int] = ()

    @staticmethod
    @lru_cache(maxsize=1)
    def wanted(names: tuple[str, ...]) -> int:
        """Cells across for these names, 0 for none."""
        return min(max(map(cell_len, names)) + 3, MOST_CELLS) if names else 0

    def update(self, frame: Frame) -> None:
        """Draw the rows that fit."""
        names, classes = frame.state.identity_names, frame.state.classes
        width, height = self.size
        if not width or not height:
            return
        highlight = frame.controls.highlight
        centred = bisect_left(classes, highlight or 0) - height // 2
        first = max(0, min(centred, len(classes) - height))
        self._shown = classes[first : first + height]
        grid = Grid(width, height, frame.style)
        for row, index in enumerate(self._shown):
            name = names[index] if index < len(names) else ""
            grid.text(
                1, row, identity_letter(index), Look(frame.style.identity(index), bold=True, reverse=index == highlight)
            )
            quiet = highlight is not None and index != highlight
            grid.text(3, row, fit(printable(name, 40), width - 3), grid.inked("muted" if quiet else "foreground"))
        self.show(grid.lines())

    def on_click(self, event: events.Click) -> None:
        """Highlight the class in this row."""
        if event.y < len(self._shown):
            self.post_message(self.Chosen(self._shown[event.y]))

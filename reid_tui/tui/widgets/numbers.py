"""Panel 4: the numbers, each with its change."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from rich.cells import cell_len
from textual.content import Content

from reid_tui.tui.resources import Machine
from reid_tui.tui.widgets.panel import Panel
from reid_tui.view.numbers import SCORES, NumberRow, number_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reid_tui.tui.frame import Frame

_TRENDS: Final = {"good": "$text-success", "bad": "$text-error", "flat": "$quiet"}
_DELTA: Final = 8
"""Cells at the right end, with the space before."""
_EDGE: Final = 12
"""Cells of the lower edge that its corners and the word for what is counted take."""
COLUMN: Final = 25
"""Cells that a column of rows needs."""
_DISPENSABLE: Final = ("FAR / FRR", "pairs/s", "skipped", "pairs seen", "memory", "learning rate")
"""What goes first where there are too few rows; the header or other rows tell most of it too."""
_GROUPS: Final = (("rank-1", SCORES), ("steps",))
"""Rows before the first of which a blank one stands where there is room."""


class NumbersPanel(Panel):
    """Only the rows that changed."""

    key = "numbers"

    def __init__(self, interval: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(interval)
        self._machine = Machine()
        self._clock = clock

    def urgent(self, frame: Frame) -> tuple[Any, ...]:
        """What the person turned."""
        return (repr(frame.state.margin), repr(frame.state.lr), frame.state.history.evaluations)

    def routine(self, frame: Frame) -> tuple[Any, ...]:
        """Any event may change a number, and so may the machine."""
        return (frame.state, self._machine_rows(frame), frame.cost)

    def draw(self, frame: Frame) -> None:
        """The rows, in as many columns as needed and as fit."""
        width, height = self.canvas.size
        self.canvas.show(lines([*number_rows(frame.state), *self._machine_rows(frame), *frame.cost], width, height))

    def value(self, frame: Frame) -> str:
        """Of which step the scores are, of which split, and on how many images."""
        scores = frame.state.scores
        if scores is None:
            return ""
        text = f"step {scores.step:,}: {scores.split}, {scores.images:,}"
        return f"{text} images" if len(text) < self.outer_size.width - _EDGE else text

    def _machine_rows(self, frame: Frame) -> tuple[NumberRow, ...]:
        started, ended = frame.state.started, frame.state.ended
        pid = started.pid if started and not ended else 0
        return self._machine.rows(started.device if started else "", pid, self._clock())


def lines(rows: Sequence[NumberRow], width: int, height: int) -> list[Content]:
    """`rows` as lines of `width` cells, at most `height` of them."""
    if height < 1 or width < 1:
        return []
    columns = max(1, min((width + 2) // (COLUMN + 2), 2)) if len(rows) > height else 1
    kept = list(rows)
    for name in _DISPENSABLE:
        if len(kept) > height * columns:
            kept = [row for row in kept if row.label != name]
    if columns == 1:
        blanks = max(height - len(kept), 0)
        spaced: list[Content] = []
        heads = [next((row for row in kept if row.label in group), None) for group in _GROUPS]
        for row in kept:
            if row in heads and blanks >= len(_GROUPS):
                spaced.append(Content(""))
            spaced.append(line(row, width))
        return spaced[:height]
    per_column = -(-len(kept) // columns)
    inner = (width - 2) // columns
    left = [line(row, inner) for row in kept[:per_column]]
    right = [line(row, inner) for row in kept[per_column:]] + [Content("")] * per_column
    return [Content.assemble(a, "  ", b) for a, b in zip(left, right, strict=False)][:height]


def line(row: NumberRow, width: int) -> Content:
    """Label at the left, change at the right end, value before it; what does not fit goes from the right."""
    room = width - cell_len(row.label) - 1
    delta = row.delta if cell_len(row.value) + 1 + max(cell_len(row.delta), _DELTA - 1) <= room else ""
    tail = max(_DELTA, cell_len(delta) + 1) if delta or cell_len(row.value) + _DELTA <= room else 0
    style = "bold $text-error" if row.trend == "bad" and not row.delta else "bold"
    gap = max(room - tail - cell_len(row.value) + 1, 1)
    return Content.assemble(
        (row.label, "$quiet"),
        " " * gap,
        (row.value, style),
        (f" {delta:>{tail - 1}}" if delta else " " * tail, _TRENDS[row.trend]),
    )

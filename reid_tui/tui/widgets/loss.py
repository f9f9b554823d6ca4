"""Panel 1: the loss of every step, and below it the scores where there is room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reid_tui.tui.widgets.canvas import Canvas
from reid_tui.tui.widgets.panel import Panel
from reid_tui.view.loss_chart import loss_chart
from reid_tui.view.margin_line import margin_line
from reid_tui.view.score_chart import score_chart
from reid_tui.view.text import fixed

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from reid_tui.tui.frame import Frame

SCORES_FROM: Final = 15
"""Rows of the panel's inside from which the scores have a curve of their own."""


def split_rows(rows: int) -> tuple[int, int]:
    """Rows of the loss, and of the scores below it."""
    scores = 0 if rows < SCORES_FROM else max(6, rows // 3)
    return rows - scores, scores


class LossPanel(Panel):
    """Two canvases, one drawing."""

    key = "loss"

    def __init__(self, interval: float) -> None:
        super().__init__(interval)
        self.scores = Canvas(classes="scores")
        self._scores_drawn: object = None

    def compose(self) -> ComposeResult:
        """The loss above the scores."""
        yield self.canvas
        yield self.scores

    def on_resize(self) -> None:
        """Give the scores their share."""
        _, scores = split_rows(self.content_size.height)
        self.scores.styles.height = scores
        self.scores.display = scores > 0

    def urgent(self, frame: Frame) -> tuple[Any, ...]:
        """Settings of the plot, changes of margin and learning rate, new scores."""
        history = frame.state.history
        return (
            frame.controls.log_axis,
            frame.controls.smoothing,
            history.marks,
            history.evaluations,
            self.scores.size,
            frame.state.total_steps,
        )

    def routine(self, frame: Frame) -> tuple[Any, ...]:
        """New losses."""
        return (frame.state.history,)

    def draw(self, frame: Frame) -> None:
        """Both curves over the planned steps."""
        state, controls, style = frame.state, frame.controls, frame.style
        width, height = self.canvas.size
        lines = loss_chart(
            state.history,
            width,
            height,
            style,
            total_steps=state.total_steps,
            log=controls.log_axis,
            smoothing=controls.smoothing,
            margins=margin_line(state),
            steps_per_epoch=state.started.steps_per_epoch if state.started and not self.scores.display else 0,
        )
        self.canvas.show(lines)
        self._draw_scores(frame)

    def value(self, frame: Frame) -> str:
        """The newest loss, and how it is drawn."""
        axis = ", log" if frame.controls.log_axis else ""
        smoothing = frame.controls.smoothing
        drawn = f"smoothed {smoothing:g}" if smoothing else "not smoothed"
        return f"{fixed(frame.state.loss, 4)} · {drawn}{axis}"

    def _draw_scores(self, frame: Frame) -> None:
        """Scores come seldom, losses all the time."""
        state, size = frame.state, self.scores.size
        inputs = (state.history.evaluations, state.total_steps, size, frame.style)
        if not self.scores.display or not size.height or inputs == self._scores_drawn:
            return
        self._scores_drawn = inputs
        self.scores.show(
            score_chart(
                state.history, size.width, size.height, frame.style, total_steps=state.total_steps, split=state.split
            )
        )

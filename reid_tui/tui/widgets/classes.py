"""Panel 8: which identities overlap."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from reid_tui.evaluation.overlap import Overlaps, overlaps
from reid_tui.tui.bindings import bindings
from reid_tui.tui.widgets.panel import Panel
from reid_tui.view.class_chart import class_chart
from reid_tui.view.grid import placeholder
from reid_tui.view.text import count

if TYPE_CHECKING:
    from textual.binding import BindingType

    from reid_tui.tui.aside import Aside
    from reid_tui.tui.frame import Frame


class ClassesPanel(Panel):
    """Drawn from the newest evaluation, which is compared aside."""

    key = "classes"
    BINDINGS: ClassVar[list[BindingType]] = bindings("classes")

    def __init__(self, interval: float, aside: Aside) -> None:
        """Build the panel.

        Args:
            interval: as every panel's.
            aside: where it is computed.
        """
        super().__init__(interval)
        self._aside = aside
        self._chosen = 0
        self._found: tuple[Overlaps, float, int] | None = None
        """The newest that is known, the threshold it was computed with, and its step."""

    def urgent(self, frame: Frame) -> tuple[Any, ...]:
        """Which pair is told of, and whether something was computed."""
        return (self._chosen, self._aside.results)

    def routine(self, frame: Frame) -> tuple[Any, ...]:
        """A new evaluation."""
        return (frame.state.gallery, frame.state.identity_names)

    def draw(self, frame: Frame) -> None:
        """What there is; the evaluation before the newest until that one is compared."""
        size, gallery, threshold = self.canvas.size, frame.state.gallery, frame.state.threshold
        if gallery is None or gallery.embeddings is None or gallery.identities is None:
            self._found = None
            self.canvas.show(placeholder("no evaluation yet", *size, frame.style))
            return
        work = partial(overlaps, gallery.embeddings, gallery.identities, threshold)
        if (compared := self._aside.ask(self.key, (gallery, repr(threshold)), work)) is not None:
            self._found = compared, threshold, gallery.step
        if self._found is None:
            self.canvas.show(placeholder("comparing the identities", *size, frame.style))
            return
        found, threshold, _ = self._found
        self.canvas.show(class_chart(found, frame.state.identity_names, threshold, *size, frame.style, self._chosen))

    def value(self, frame: Frame) -> str:
        """Which pair, and of which step."""
        if self._found is None or not self._found[0].worst:
            return ""
        return f"pair {self._chosen + 1} of {len(self._found[0].worst)} · step {count(self._found[2])}"

    def choose(self, by: int) -> None:
        """Go on to the next pair, or back."""
        pairs = len(self._found[0].worst) if self._found else 0
        self._chosen = (self._chosen + by) % pairs if pairs else 0

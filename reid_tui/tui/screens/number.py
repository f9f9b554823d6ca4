"""A dialog for one number that stays open until the number can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from reid_tui.errors import UsageError

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from reid_tui.config import Limit


class NumberScreen(ModalScreen[float | None]):
    """Answers the number, or None when it was left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", show=False),
    ]

    FIELD: ClassVar[type[Input]] = Input

    def __init__(self, label: str, limit: Limit, current: str) -> None:
        """Ask.

        Args:
            label: the setting's name for a person.
            limit: what it may be.
            current: its present value, offered for editing.
        """
        super().__init__()
        self._label = label
        self._limit = limit
        self._current = current

    def compose(self) -> ComposeResult:
        """Limits, field, and a line for what is wrong."""
        with Vertical(id="number", classes="dialog") as box:
            box.border_title = Content(self._label)
            box.border_subtitle = Content("enter sets, esc leaves")
            yield Static(Content(f"{self._limit}"), classes="dialog-text", markup=False)
            yield self.FIELD(self._current, select_on_focus=True, compact=True)
            yield Static(id="wrong", markup=False)
            yield from self.below()

    def below(self) -> ComposeResult:
        """What else a subclass says of the number."""
        yield from ()

    def on_input_changed(self) -> None:
        """What was wrong may be right now."""
        self.query_one("#wrong", Static).update(Content(""))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Close with the number, or say why not."""
        try:
            value = self._limit.read(event.value.strip(), self._label)
        except UsageError as error:
            self.query_one("#wrong", Static).update(Content(str(error)))
            self.app.bell()
        else:
            self.dismiss(value)

    def action_cancel(self) -> None:
        """Leave everything as it is."""
        self.dismiss(None)

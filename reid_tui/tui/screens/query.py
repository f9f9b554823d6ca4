"""A dialog for what panel 7 is to look for."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from reid_tui.control.wire import LONGEST_PATH

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

_HINT = "an image such as #12, an identity, or a picture's path where training runs; nothing: all queries"


class QueryScreen(ModalScreen[str | None]):
    """Answers the text, or None when it was left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", show=False),
    ]

    def compose(self) -> ComposeResult:
        """What may be typed, and the field."""
        with Vertical(id="query", classes="dialog") as box:
            box.border_title = Content("query")
            box.border_subtitle = Content("enter looks, esc leaves")
            yield Static(Content(_HINT), classes="dialog-text", markup=False)
            yield Input(compact=True, max_length=LONGEST_PATH)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Close with the text."""
        self.dismiss(event.value)

    def action_cancel(self) -> None:
        """Leave everything as it is."""
        self.dismiss(None)

"""The question before a run is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal

from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

Choice = Literal["save", "drop", "cancel"]
CHOICES: Final[tuple[tuple[Choice, str, str], ...]] = (
    ("save", "s", "save and quit"),
    ("drop", "d", "quit without saving"),
    ("cancel", "esc", "cancel, train on"),
)


class QuitScreen(ModalScreen[Choice]):
    """Answers "save", "drop" or "cancel". A second ctrl+c or ctrl+q saves and quits."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "choose('save')", show=False),
        Binding("d", "choose('drop')", show=False),
        Binding("escape,c", "choose('cancel')", show=False),
    ]

    def __init__(self, unsaved: str) -> None:
        super().__init__()
        self._unsaved = unsaved

    def compose(self) -> ComposeResult:
        """What would be lost, and the three ways; enter saves and quits."""
        choices = OptionList(
            *(
                Option(Content.assemble((f"{key:>3}", "bold $text-accent"), "  ", text), id=choice)
                for choice, key, text in CHOICES
            ),
            markup=False,
        )
        choices.highlighted = 0
        with Vertical(id="quit", classes="dialog") as box:
            box.border_title = Content("quit")
            yield Static(Content(self._unsaved), classes="dialog-text", markup=False)
            yield choices

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """By enter or the mouse."""
        self.action_choose(str(event.option_id))

    def action_choose(self, choice: str) -> None:
        """Close with this answer."""
        for known, _, _ in CHOICES:
            if known == choice:
                self.dismiss(known)

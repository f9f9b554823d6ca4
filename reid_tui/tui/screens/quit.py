"""The question before a run is left or stopped."""

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

Choice = Literal["save", "detach", "drop", "cancel"]
Choices = tuple[tuple[Choice, str, str], ...]
QUIT: Final[Choices] = (
    ("save", "s", "save and quit"),
    ("detach", "d", "detach: train on in the background"),
    ("drop", "x", "quit without saving"),
    ("cancel", "esc", "cancel, train on"),
)
STOP: Final[Choices] = (
    ("save", "s", "save and stop the run"),
    ("drop", "x", "stop the run without saving"),
    ("cancel", "esc", "cancel, train on"),
)


class QuitScreen(ModalScreen[Choice]):
    """Answers with a choice. A second ctrl+c or ctrl+q saves and quits."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "choose('save')", show=False),
        Binding("d", "choose('detach')", show=False),
        Binding("x", "choose('drop')", show=False),
        Binding("escape,c", "choose('cancel')", show=False),
    ]

    def __init__(self, title: str, unsaved: str, choices: Choices) -> None:
        """Ask.

        Args:
            title: of the dialog.
            unsaved: what would be lost.
            choices: answer, key and words of each way, the first of them for enter.
        """
        super().__init__()
        self._title = title
        self._unsaved = unsaved
        self._choices = choices

    def compose(self) -> ComposeResult:
        """What would be lost, and the ways."""
        choices = OptionList(
            *(
                Option(Content.assemble((f"{key:>3}", "bold $text-accent"), "  ", text), id=choice)
                for choice, key, text in self._choices
            ),
            markup=False,
        )
        choices.highlighted = 0
        with Vertical(id="quit", classes="dialog") as box:
            box.border_title = Content(self._title)
            yield Static(Content(self._unsaved), classes="dialog-text", markup=False)
            yield choices

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """By enter or the mouse."""
        self.action_choose(str(event.option_id))

    def action_choose(self, choice: str) -> None:
        """Close with this answer, where it is offered."""
        for known, _, _ in self._choices:
            if known == choice:
                self.dismiss(known)

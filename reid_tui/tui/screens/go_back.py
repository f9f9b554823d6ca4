"""The question to which checkpoint the run goes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from reid_tui.view.run_state import WayBack


class GoBackScreen(ModalScreen[int | None]):
    """Answers with a step, or None where the run stays where it is."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "choose", show=False),
        Binding("escape,n,b", "stay", show=False),
    ]

    def __init__(self, step: int, ways: Sequence[WayBack]) -> None:
        """Ask.

        Args:
            step: where the run is.
            ways: where it may go back to, at least one.
        """
        super().__init__()
        self._step = step
        self._ways = ways

    def compose(self) -> ComposeResult:
        """What is given up, and the ways."""
        choices = OptionList(
            *(Option(Content(f" go back to step {way.step:,}: {way.words}"), id=str(way.step)) for way in self._ways),
            markup=False,
        )
        choices.highlighted = 0
        with Vertical(id="go-back", classes="dialog") as box:
            box.border_title = Content("go back")
            box.border_subtitle = Content("y or enter goes back, esc leaves")
            yield Static(
                Content(f"The run is at step {self._step:,}. After going back it waits."),
                classes="dialog-text",
                markup=False,
            )
            yield choices

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """By enter or the mouse."""
        self.dismiss(int(str(event.option_id)))

    def action_choose(self) -> None:
        """The highlighted one."""
        self.query_one(OptionList).action_select()

    def action_stay(self) -> None:
        """Leave everything as it is."""
        self.dismiss(None)

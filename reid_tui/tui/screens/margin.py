"""The dialog for a margin: while a number is typed it says what that would do, and the histogram's line follows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding
from textual.content import Content
from textual.widgets import Input, Static

from reid_tui.errors import UsageError
from reid_tui.tui.screens.number import NumberScreen
from reid_tui.view.text import amount
from reid_tui.view.what_if import half_teach, what_if_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from reid_tui.config import RunConfig
    from reid_tui.view.run_state import RunState


_RENEWED: Final = 0.5
"""Seconds."""
_HALF: Final = "M"


class _Field(Input):
    """Leaves the key of the suggestion to its screen."""

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Whether it is text."""
        return key != _HALF and super().check_consume_key(key, character)


class MarginScreen(NumberScreen):
    """Stands beside the distances where there is room. Sends nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(_HALF, "half", show=False, priority=True),
    ]
    FIELD = _Field

    def __init__(self, config: RunConfig, state: Callable[[], RunState], consider: Callable[[float], None]) -> None:
        """Ask.

        Args:
            config: of the run.
            state: what is known of it by now.
            consider: told each number while it is typed; NaN where it is none that can be set.
        """
        super().__init__("margin", config.margin_limit, amount(state().margin))
        self._config = config
        self._state = state
        self._consider = consider
        self._value = self._read(self._current)
        """What is typed, where it can be set."""
        self._lines: list[str] = []
        self._effect = Static(id="what-if", markup=False)

    def below(self) -> ComposeResult:
        """What the number would do."""
        yield self._effect

    def on_mount(self) -> None:
        """Before the first key, what the present margin does; after an evaluation it is told anew."""
        self._consider(self._value)
        self._tell()
        self.set_interval(_RENEWED, self._tell)

    def on_input_changed(self) -> None:
        """Hold the pairs against what is typed."""
        super().on_input_changed()
        self._value = self._read(self.query_one(Input).value)
        self._consider(self._value)
        self._tell()

    def _read(self, text: str) -> float:
        try:
            return self._limit.read(text.strip(), self._label)
        except UsageError:
            return math.nan

    def _tell(self) -> None:
        state = self._state()
        lines = what_if_lines(state.distances, self._config, state.margin, self._value)
        if lines != self._lines:
            self._lines = lines
            self._effect.update(Content("\n".join(lines)))

    def action_half(self) -> None:
        """Type the margin at which half of the different pairs still cost something."""
        half = half_teach(self._state().distances, self._config)
        if half > 0:
            self.query_one(Input).value = amount(half)
        else:
            self.app.bell()

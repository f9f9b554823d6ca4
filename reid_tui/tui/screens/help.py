"""The help: every key, in two columns where there is room."""

from __future__ import annotations

import textwrap
from itertools import zip_longest
from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from reid_tui.tui.keys import GROUPS, KEYS, Group

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

_COLUMNS: Final[tuple[tuple[Group, ...], ...]] = (("training", "panels"), ("plots", "log", "pairs", "application"))
_LABEL: Final = 10
_TEXT: Final = 27
"""Cells."""


class HelpScreen(ModalScreen[None]):
    """Closed by any of the keys that open or leave something."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,enter,space", "dismiss", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-one-column"), (78, "-two-columns")]

    def compose(self) -> ComposeResult:
        """Both columns in a box that scrolls where it is too high."""
        with VerticalScroll(id="help", classes="dialog") as box:
            box.border_title = Content("keys")
            box.border_subtitle = Content("esc closes")
            with Horizontal(id="help-columns"):
                for groups in _COLUMNS:
                    yield Static(Content("\n").join(_lines(groups)), classes="help-column", markup=False)


def _lines(groups: tuple[Group, ...]) -> list[Content]:
    lines: list[Content] = []
    for group in groups:
        if lines:
            lines.append(Content(""))
        lines.append(Content.styled(GROUPS[group], "bold"))
        told = dict.fromkeys(key.together or (key.label, key.description) for key in KEYS if key.group == group)
        for label, description in told:
            lines += _key_lines(label, description)
    return lines


def _key_lines(label: str, description: str) -> list[Content]:
    """Label and description in columns of their own; what is too long goes on below."""
    labels = textwrap.wrap(label, _LABEL)
    texts = textwrap.wrap(description, _TEXT)
    return [
        Content.assemble((f"{label:<{_LABEL}} ", "$text-accent"), text)
        for label, text in zip_longest(labels, texts, fillvalue="")
    ]

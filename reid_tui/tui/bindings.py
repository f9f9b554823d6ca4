"""Textual's bindings, made from the one table of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.binding import Binding

from reid_tui.tui.keys import KEYS

if TYPE_CHECKING:
    from textual.binding import BindingType


def bindings(panel: str = "") -> list[BindingType]:
    """Of the app, or of a panel while it has the focus."""
    return [
        Binding(name, key.action, key.title, show=False, priority=key.anywhere and name.startswith("ctrl+"))
        for key in KEYS
        for name in key.keys_in(panel)
        if key.action != "command_palette"
    ]

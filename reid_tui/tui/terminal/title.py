"""The terminal's own title, so that a tab or a tmux window tells how far the run is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from reid_tui.tui.draw_errors import DrawErrors

if TYPE_CHECKING:
    from collections.abc import Callable

    from reid_tui.view.run_state import RunState

PUSH: Final = "\x1b[22;2t"
POP: Final = "\x1b]2;\x07\x1b[23;2t"
"""Clears the title, and brings the old one back where the terminal kept it."""
_LONGEST: Final = 80
_EVERY: Final = 1.0
"""Seconds."""


class TitleBar:
    """Writes the title at most once a second, and only a new one."""

    def __init__(self) -> None:
        self._due = 0.0
        self._shown = ""
        self._errors = DrawErrors("the title")

    def update(self, state: RunState, now: float, write: Callable[[str], object]) -> None:
        """Bring it up to date; `now` in seconds."""
        if now < self._due:
            return
        self._due = now + _EVERY
        try:
            title = terminal_title(state)
        except Exception as error:
            self._errors.note(error)
            return
        if title != self._shown:
            self._shown = title
            write(title_sequence(title))


def terminal_title(state: RunState) -> str:
    """Such as `40% TRAINING fashion-mnist - reid-tui`; printable ASCII only."""
    parts: list[str] = [state.badge]
    if state.started is not None:
        parts = [f"{math.floor(state.progress * 100):d}%", *parts, state.started.dataset.name]
    text = f"{' '.join(parts)} - reid-tui"
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)[:_LONGEST]


def title_sequence(title: str) -> str:
    """OSC 2."""
    return f"\x1b]2;{title}\x07"

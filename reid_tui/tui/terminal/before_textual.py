"""What came from the terminal before Textual read it, or comes after: typed keys are given to it, late answers are not.

Textual knows no answer to a question of ours: it would take each character for a key, of which `1` hides a panel and
`r` opens a dialog.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual._xterm_parser import XTermParser
from textual.drivers import linux_driver

from reid_tui.tui.terminal.background import without_answers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.message import Message

    from reid_tui.tui.terminal.background import Answer


def hand_over(answer: Answer) -> None:
    """Have Textual begin with what was typed, and pass over the answer that is still to come."""

    class Parser(XTermParser):
        """Made anew with each driver; only the first has something to begin with."""

        typed = answer.typed
        begun = ""

        def tick(self) -> Iterable[Message]:
            """Also asked when nothing comes."""
            if typed := self.typed:
                Parser.typed = ""
                yield from self.feed(typed)
            yield from super().tick()

        def feed(self, data: str) -> Iterable[Message]:
            """An empty text is the end."""
            kept, self.begun = without_answers(self.begun + data)
            if kept or not data:
                yield from super().feed(kept)

    setattr(linux_driver, "XTermParser", Parser)  # noqa: B010  the driver takes none

"""One line at the bottom: the most useful keys of the moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual.content import Content

from reid_tui.tui.draw_errors import DrawErrors
from reid_tui.tui.keys import KEYS
from reid_tui.tui.widgets.canvas import Canvas

if TYPE_CHECKING:
    from textual import events

    from reid_tui.tui.frame import Frame
    from reid_tui.view.run_state import RunState

MOST: Final = 7
_SHORT: Final = {"space, p": "space", "+, =": "+", "?, F1": "?", "q, ctrl+q, ctrl+c": "q"}
_ALWAYS: Final = ("zoom", "help", "quit")


def hints(state: RunState, *, deaf: bool = False) -> list[tuple[str, str, str]]:
    """Label, word and action of the keys that do something in this state, at most `MOST`."""
    found: list[tuple[str, str, str]] = []
    for key in KEYS:
        word = key.footer
        steers = word not in _ALWAYS
        if not word or (steers and (deaf or state.started is None or state.ended is not None)):
            continue
        if word in (("back",) if state.diverged is None else ("step", "save")):  # of ruined weights
            continue
        if (word == "step" and not state.paused) or (word == "margin" and state.why_no_margin):
            continue
        if word == "pause" and state.paused:
            word = "resume"
        label = _SHORT.get(key.label, key.label)
        if found and found[-1][1] == word:
            found[-1] = (f"{found[-1][0]} {label}", word, "type_margin")
        else:
            found.append((label, word, key.action))
    return found[:MOST]


class Footer(Canvas):
    """Each hint can be clicked."""

    def __init__(self) -> None:
        super().__init__(id="footer")
        self._spans: list[tuple[int, int, str]] = []
        self._drawn: tuple[object, int] | None = None
        self._errors = DrawErrors("the footer")

    def update(self, frame: Frame) -> None:
        """Show the hints of the moment; nothing is repainted while they stay the same."""
        try:
            self._show_hints(frame)
        except Exception as error:
            self._spans, self._drawn = [], None
            self.show([Content.styled(f" {self._errors.note(error)}", "$text-error")])
        else:
            self._errors.over()

    def _show_hints(self, frame: Frame) -> None:
        found = hints(frame.state, deaf=frame.deaf)
        if self._drawn == (drawn := (found, self.size.width)):
            return
        length = sum(len(label) + 1 + len(word) for label, word, _ in found)
        gap = 3 if length + 3 * len(found) <= self.size.width else 1
        parts: list[str | tuple[str, str]] = [" "]
        self._spans, x = [], 1
        for label, word, action in found:
            parts += [(label, "bold $footer-key-foreground"), " ", (word, "$quiet"), " " * gap]
            width = len(label) + 1 + len(word)
            self._spans.append((x, x + width, action))
            x += width + gap
        self.show([Content.assemble(*parts)])
        self._drawn = drawn

    async def on_click(self, event: events.Click) -> None:
        """Do what the key does."""
        for start, end, action in self._spans:
            if start <= event.x < end:
                await self.app.run_action(action)

"""A widget that shows lines drawn elsewhere and repaints only the rows that changed."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from rich.segment import Segment
from rich.style import Style as RichStyle
from rich.text import Text
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.visual import RenderOptions

from reid_tui.tui.draw_errors import DrawErrors
from reid_tui.tui.widgets.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.style import Style

_SGR: Final = re.compile(r"\x1b\[([\d;]*)m")
Line = str | Content
"""A string with SGR colours, or Content whose styles may name theme variables. Neither is ever read as markup."""


class Canvas(Kept):
    """Lines of text, one a row; what is longer than the widget is cut, what is missing is blank."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self._lines: list[Line] = []
        self._strips: dict[int, Strip] = {}
        self._drawn_for: tuple[int, Style, str] | None = None
        self._row_errors = DrawErrors("a row")

    @property
    def text(self) -> str:
        """The lines without their colours."""
        return "\n".join(_plain(line) for line in self._lines)

    def show(self, lines: Sequence[Line]) -> None:
        """Show these lines from the top."""
        before, self._lines = self._lines, list(lines)
        rows = max(len(before), len(self._lines))
        changed = [y for y in range(rows) if not _same(_at(before, y), _at(self._lines, y))]
        for y in changed:
            self._strips.pop(y, None)
        visible = [y for y in changed if y < self.size.height]
        if visible:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in visible))

    def render_line(self, y: int) -> Strip:
        """One row; cached until its line, the width or the style changes."""
        width, style = self.size.width, self.visual_style
        drawn_for = (width, style, self.app.theme)
        if drawn_for != self._drawn_for:
            self._strips.clear()
            self._drawn_for = drawn_for
        strip = self._strips.get(y)
        if strip is None:
            strip = self._strips[y] = self._safe_strip(_at(self._lines, y), width, style)
        return strip

    def _safe_strip(self, line: Line, width: int, style: Style) -> Strip:
        """An exception while Textual paints would end the app."""
        try:
            return self._strip(line, width, style)
        except Exception as error:
            text = self._row_errors.note(error)
            return Strip([Segment(text, style.rich_style)]).adjust_cell_length(width, style.rich_style)

    def _strip(self, line: Line, width: int, style: Style) -> Strip:
        base = style.rich_style
        if not line:
            return Strip.blank(width, base)
        if isinstance(line, Content):
            options = RenderOptions(self._get_style, {"text_wrap": "nowrap", "text_overflow": "clip"})
            strip = next(iter(line.render_strips(width, 1, style, options)), Strip.blank(width, base))
        else:
            strip = Strip(segments(line, base))
        return strip.adjust_cell_length(width, base)


def segments(line: str, base: RichStyle) -> list[Segment]:
    """The stretches of one look; text and codes take turns."""
    text, *rest = _SGR.split(line)
    found = [Segment(text, base)] if text else []
    codes = ""
    for more, text in zip(rest[::2], rest[1::2], strict=True):
        codes = more if more.startswith("0") else f"{codes};{more}"
        if text:
            found.append(Segment(text, base + _style(codes)))
    return found


@lru_cache(maxsize=4096)
def _style(codes: str) -> RichStyle:
    """What SGR codes mean, from the start of a line on."""
    styles = [span.style for span in Text.from_ansi(f"\x1b[{codes}m.").spans]
    return next((style for style in styles if isinstance(style, RichStyle)), RichStyle.null())


def _at(lines: Sequence[Line], y: int) -> Line:
    return lines[y] if y < len(lines) else ""


def _same(one: Line, other: Line) -> bool:
    if isinstance(one, Content) and isinstance(other, Content):
        return one.is_same(other)
    return isinstance(one, str) and isinstance(other, str) and one == other


def _plain(line: Line) -> str:
    return line.plain if isinstance(line, Content) else Text.from_ansi(line).plain

"""Cells of text with colours: what every chart is drawn on, and how it becomes lines with SGR sequences only."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.cells import cell_len

from reid_tui.view.palette import ChartStyle, Colors, Ink, Role, sgr_codes

if TYPE_CHECKING:
    from collections.abc import Sequence

_TO_ASCII: Final = str.maketrans(
    {
        **dict.fromkeys("│┊║", "|"),
        **dict.fromkeys("└┬┴┼┤├┌┐┘╔╗╚╝", "+"),
        **dict.fromkeys("─\u2013\u2212", "-"),
        **dict.fromkeys("·…╴", "."),
        "█": "#",
        "●": "*",
        "→": ">",
        "═": "=",
        "←": "<",
        "↑": "^",
        "↓": "v",
        "\u2032": "'",
    }
)


class Look(NamedTuple):
    """How a cell is shown."""

    ink: Ink | None = None
    back: Ink | None = None
    bold: bool = False
    reverse: bool = False


PLAIN: Final = Look()


class Grid:
    """`height` rows of `width` cells, row 0 on top. What is put outside is left out."""

    def __init__(self, width: int, height: int, style: ChartStyle) -> None:
        self.width = max(width, 0)
        self.height = max(height, 0)
        self.style = style
        self._chars = [[" "] * self.width for _ in range(self.height)]
        self._looks = [[PLAIN] * self.width for _ in range(self.height)]

    def char(self, x: int, y: int) -> str:
        """What stands in a cell; empty for the right half of a wide character and outside."""
        return self._chars[y][x] if 0 <= x < self.width and 0 <= y < self.height else ""

    def look(self, x: int, y: int) -> Look:
        """How a cell inside is shown."""
        return self._looks[y][x]

    def put(self, x: int, y: int, char: str, look: Look = PLAIN) -> None:
        """Set one cell to a character that is one cell wide. Half of a wide character leaves a space behind."""
        if not (0 <= x < self.width and 0 <= y < self.height):
            return
        row = self._chars[y]
        if not row[x] and char:
            row[x - 1] = " "
        if x + 1 < self.width and not row[x + 1]:
            row[x + 1] = " "
        row[x] = char
        self._looks[y][x] = look

    def text(self, x: int, y: int, text: str, look: Look = PLAIN) -> None:
        """Write along a row. Wide characters take two cells; what does not fit is left out."""
        for char in text:
            wide = cell_len(char)
            if wide == 0 or x < 0 or x + wide > self.width:
                x += wide
                continue
            self.put(x, y, char, look)
            if wide == 2:
                self.put(x + 1, y, "", look)
            x += wide

    def blank(self, x: int, y: int, width: int) -> bool:
        """True where `width` cells from (x, y) lie inside and hold nothing but spaces."""
        return x >= 0 and x + width <= self.width and all(self.char(i, y) == " " for i in range(x, x + width))

    def inked(self, role: Role, *, bold: bool = False, reverse: bool = False) -> Look:
        """A look in the colour of a role."""
        return Look(self.style.ink(role), None, bold, reverse)

    def lines(self) -> list[str]:
        """`height` strings of `width` cells each, colours as SGR sequences, each line reset at its end."""
        return [self._line(chars, looks) for chars, looks in zip(self._chars, self._looks, strict=True)]

    def _line(self, chars: Sequence[str], looks: Sequence[Look]) -> str:
        parts: list[str] = []
        current, codes = PLAIN, ""
        for char, look in zip(chars, looks, strict=True):
            # A space without background shows no ink, so that it needs no change of colour.
            if look != current and (char != " " or _fills(look) or _fills(current)):
                wanted = _codes(look, self.style.colors)
                if wanted != codes:
                    parts.append("\x1b[" + (f"0;{wanted}" if wanted and codes else wanted or "0") + "m")
                current, codes = look, wanted
            parts.append(_ascii(char) if self.style.glyphs == "ascii" else char)
        if codes:
            parts.append("\x1b[0m")
        return "".join(parts)


def _fills(look: Look) -> bool:
    return look.reverse or look.back is not None


def _ascii(char: str) -> str:
    plain = char.translate(_TO_ASCII)
    return plain if plain.isascii() else "?" * cell_len(char)


def _codes(look: Look, colors: Colors) -> str:
    parts = [
        "1" if look.bold else "",
        "7" if look.reverse else "",
        sgr_codes(look.ink, colors) if look.ink else "",
        sgr_codes(look.back, colors, background=True) if look.back else "",
    ]
    return ";".join(part for part in parts if part)


def placeholder(text: str, width: int, height: int, style: ChartStyle) -> list[str]:
    """A chart that has nothing to show yet: the reason, centred."""
    grid = Grid(width, height, style)
    rows = textwrap.wrap(text, max(grid.width - 2, 1))[: grid.height] if grid.width else []
    top = (grid.height - len(rows)) // 2
    for index, row in enumerate(rows):
        grid.text((grid.width - len(row)) // 2, top + index, row, grid.inked("muted"))
    return grid.lines()

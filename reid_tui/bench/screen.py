"""What a recorded stream of bytes shows: as much of a terminal as Textual's output needs."""

from __future__ import annotations

import codecs
import re
from typing import Final

from rich.cells import cell_len

_TOKEN: Final = re.compile(
    r"\x1b\[(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~])"
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\)"
    r"|\x1b[ -/]*[0-~]"
    r"|(?P<control>[\x00-\x1f\x7f])"
    r"|(?P<text>[^\x00-\x1f\x7f]+)",
    re.DOTALL,
)
_UNFINISHED: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_](?:(?!\x07|\x1b\\).)*|[ -/]*)?\Z", re.DOTALL)
_LONGEST_UNFINISHED: Final = 4096


class Screen:
    """A grid of cells that bytes are written to. Colours are passed over; nothing scrolls."""

    def __init__(self, columns: int, rows: int) -> None:
        self._columns, self._rows = columns, rows
        self._cells = [[" "] * columns for _ in range(rows)]
        self._row = self._column = 0
        self._decode = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes) -> None:
        """Write bytes, which may end anywhere in a character or a sequence."""
        text = self._rest + self._decode.decode(data)
        unfinished = _UNFINISHED.search(text, max(0, len(text) - _LONGEST_UNFINISHED))
        self._rest = unfinished[0] if unfinished else ""
        for token in _TOKEN.finditer(text[: len(text) - len(self._rest)]):
            if (written := token["text"]) is not None:
                self._write(written)
            elif (final := token["final"]) is not None:
                self._control(token["parameters"], final)
            elif (control := token["control"]) is not None:
                self._move(control)

    def lines(self) -> list[str]:
        """The rows as text."""
        return ["".join(row) for row in self._cells]

    def _write(self, text: str) -> None:
        for character in text:
            width = cell_len(character)
            if width == 0:
                continue
            if self._row < self._rows and self._column + width <= self._columns:
                self._cells[self._row][self._column] = character
                if width == 2:
                    self._cells[self._row][self._column + 1] = ""
            self._column += width

    def _move(self, control: str) -> None:
        if control == "\r":
            self._column = 0
        elif control == "\n":
            self._row = min(self._row + 1, self._rows - 1)
        elif control == "\b":
            self._column = max(0, self._column - 1)

    def _control(self, parameters: str, final: str) -> None:
        numbers = [int(part) if part.isdigit() else 0 for part in parameters.split(";")]
        first = numbers[0]
        match final:
            case "H" | "f":
                self._row = max(first, 1) - 1
                self._column = max(numbers[1] if len(numbers) > 1 else 1, 1) - 1
            case "A":
                self._row = max(0, self._row - max(first, 1))
            case "B":
                self._row = min(self._rows - 1, self._row + max(first, 1))
            case "C":
                self._column = min(self._columns - 1, self._column + max(first, 1))
            case "D":
                self._column = max(0, self._column - max(first, 1))
            case "G":
                self._column = max(first, 1) - 1
            case "d":
                self._row = max(first, 1) - 1
            case "J":
                self._clear(first)
            case "K":
                self._clear_line(first)
            case _:
                pass

    def _clear(self, part: int) -> None:
        """0: from the cursor on, 1: up to the cursor, 2 and 3: all."""
        for row in range(self._rows):
            if part >= 2 or (part == 0 and row > self._row) or (part == 1 and row < self._row):
                self._cells[row] = [" "] * self._columns
        if part < 2:
            self._clear_line(part)

    def _clear_line(self, part: int) -> None:
        if self._row >= self._rows:
            return
        start = self._column if part == 0 else 0
        stop = min(self._column + 1, self._columns) if part == 1 else self._columns
        for column in range(start, stop):
            self._cells[self._row][column] = " "

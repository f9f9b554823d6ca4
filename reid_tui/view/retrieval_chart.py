"""A query and what is found for it: pictures in frames, or where there are none one line each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from reid_tui.view.grid import Grid, Look
from reid_tui.view.picture import fitting, put_picture
from reid_tui.view.text import count, fit, plain

if TYPE_CHECKING:
    from reid_tui.data.dataset import UInt8Array
    from reid_tui.view.palette import ChartStyle, Role

_PICTURES: Final = (24, 20, 17, 14, 12, 10, 8)
"""Columns of a picture: the largest with which so many tiles find room, else the smallest."""
_WANTED: Final = 5
_WORDS: Final = 3
"""Rows below a picture."""
_HEAD: Final = 2
"""Rows above the tiles."""


class Answer(NamedTuple):
    """An image of the gallery, or the query itself."""

    name: str
    """Of its identity; safe to print."""
    where: str
    """Which image it is, in a few words."""
    distance: float
    right: bool | None = None
    """Whether it shows the query's identity; None where nobody knows."""
    same: bool | None = None
    """Whether the threshold takes them for the same; None without one."""

    @property
    def verdict(self) -> str:
        """By the threshold."""
        return "" if self.same is None else "SAME" if self.same else "DIFFERENT"

    @property
    def word(self) -> str:
        """By the labels."""
        return "" if self.right is None else "right" if self.right else "wrong"

    @property
    def role(self) -> Role:
        """Its colour."""
        counts = self.same if self.right is None else self.right
        return "foreground" if counts is None else "same" if counts else "different"


@dataclass(frozen=True, slots=True, eq=False)
class Retrieval:
    """What is shown at once."""

    query: Answer
    answers: tuple[Answer, ...]
    """By rank."""
    told: str
    """What is to be said of the query."""
    images: tuple[UInt8Array | None, ...] = ()
    """(C, H, W) of the query and of the answers; empty where there are none."""
    problem: str = ""
    """Why not, in one line."""


def retrieval_chart(shown: Retrieval, width: int, height: int, style: ChartStyle) -> list[str]:
    """`height` lines of `width` cells."""
    grid = Grid(width, height, style)
    text = f"{shown.query.name} · {shown.told}"
    cut = text.rfind(" ", 0, grid.width + 1) if len(text) > grid.width else len(text)
    for y, part in enumerate((text[:cut], text[cut:].strip())):
        grid.text(0, y, fit(part, grid.width), grid.inked("foreground", bold=not y))
    shapes = [image.shape for image in shown.images if image is not None]
    columns, rows = _size(shapes[0], grid.width, grid.height - _HEAD) if shapes else (0, 0)
    if rows and grid.width >= columns + 2 and grid.height >= rows + 2 + _WORDS + _HEAD:
        _draw_tiles(grid, shown, columns, rows)
    else:
        _draw_list(grid, shown)
    return grid.lines()


def _size(shape: tuple[int, ...], width: int, height: int) -> tuple[int, int]:
    """Columns and rows of a picture."""
    channels, tall, wide = shape
    for across in _PICTURES:
        columns, rows = fitting((channels, tall, wide), across, max(height - 2 - _WORDS, 1))
        if _tiles(columns, rows, width, height) >= _WANTED:
            break
    return columns, rows


def _tiles(columns: int, rows: int, width: int, height: int) -> int:
    return ((width + 1) // (_tile_width(columns) + 1)) * (height // (rows + 2 + _WORDS))


def _tile_width(columns: int) -> int:
    return max(columns + 2, 11)


def _draw_tiles(grid: Grid, shown: Retrieval, columns: int, rows: int) -> None:
    wide, tall = _tile_width(columns), rows + 2 + _WORDS
    across = max((grid.width + 1) // (wide + 1), 1)
    many = min(across * ((grid.height - _HEAD) // tall), len(shown.answers) + 1)
    for number, answer in enumerate((shown.query, *shown.answers)[:many]):
        x, y = number % across * (wide + 1), _HEAD + number // across * tall
        look = Look(grid.style.ink(answer.role if number else "accent"), bold=answer.right is not False)
        line, side = ("═", "║") if answer.right or not number else ("─", "│")
        title = "query" if not number else f"{number} {answer.word}".strip()
        grid.text(x, y, _edge(line, title, wide), look)
        for row in range(y + 1, y + 1 + rows):
            grid.put(x, row, side, look)
            grid.put(x + wide - 1, row, side, look)
        grid.text(x, y + 1 + rows, _edge(line, "", wide), look)
        image = shown.images[number] if number < len(shown.images) else None
        if image is not None:
            put_picture(grid, x + 1 + (wide - 2 - columns) // 2, y + 1, image, columns, rows)
        apart = f"{plain(answer.distance)} {answer.where}" if number else answer.where
        if len(apart) > wide:
            apart = plain(answer.distance) if number else answer.where.split()[0]
        words = (answer.name, apart, answer.verdict)
        for row, word in enumerate(words, y + rows + 2):
            grid.text(x, row, fit(word, wide), grid.inked("foreground" if row < y + rows + 4 else answer.role))


def _edge(line: str, title: str, wide: int) -> str:
    middle = f" {title} ".center(wide - 2, line) if title else line * (wide - 2)
    left, right = ("╔", "╗") if line == "═" else ("┌", "┐")
    if not title:
        left, right = ("╚", "╝") if line == "═" else ("└", "┘")
    return left + fit(middle, wide - 2) + right


def _draw_list(grid: Grid, shown: Retrieval) -> None:
    first = _HEAD
    if shown.problem:
        grid.text(0, first, fit(shown.problem, grid.width), grid.inked("muted"))
        first += 1
    for number, answer in enumerate(shown.answers[: max(grid.height - first, 0)], 1):
        look = Look(grid.style.ink(answer.role), bold=bool(answer.right))
        verdict = f"{answer.verdict:<9} " if answer.verdict else ""
        words = f"{number:>2} {answer.word:<5} {plain(answer.distance):>6} {verdict}{answer.name}, {answer.where}"
        grid.text(0, first + number - 1, fit(words, grid.width), look)


def rank_told(rank: int, place: int, queries: int) -> str:
    """Where a query found the right one, and which of the queries it is."""
    first = "right at once" if rank == 1 else f"first right answer at rank {count(rank)}"
    return f"{first} · query {count(place)} of {count(queries)}, the worst first"

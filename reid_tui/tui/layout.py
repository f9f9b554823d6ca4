"""Where each panel stands: one pure decision from the room there is and what the person wants to see.

Legend: all numbers are cells; the area is what header and footer leave.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

PANELS: Final = ("loss", "map", "distances", "numbers", "log", "pairs", "retrieval", "classes")
"""In the order of their number keys, 1 to 8."""
EXTRAS: Final = ("pairs", "retrieval", "classes")
"""Hidden until somebody asks for them."""
MIN_WIDTH: Final = 60
MIN_HEIGHT: Final = 15
"""Of the whole terminal; below, a line says so."""
WIDE: Final = 120
"""From here curves and map stand side by side."""
GRID_HEIGHT: Final = 28
THREE_ROWS: Final = 48
"""From this height on there is a row for the extras."""
SLOT_HEIGHT: Final = 16
"""A plot below this height shares its place with the others instead."""
LOG_STRIP: Final = 9


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle inside the area."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person chose; survives every resize."""

    hidden: frozenset[str] = frozenset(EXTRAS)
    tab: str = "loss"
    """The panel asked for last: it is among those shown where there is no room for all."""
    zoomed: str | None = None


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Where the visible panels stand, and which of them take turns in one place."""

    boxes: dict[str, Box]
    tabs: tuple[str, ...] = ()


def too_small(width: int, height: int) -> bool:
    """Whether a terminal cannot hold the dashboard."""
    return width < MIN_WIDTH or height < MIN_HEIGHT


def arrange(width: int, height: int, wish: Wish) -> Arrangement:
    """Place the panels in an area. Boxes never overlap and fill the area.

    Args:
        width: of the area, which is the terminal's.
        height: of the area.
        wish: what the person chose.
    """
    if width < 1 or height < 1:
        return Arrangement({})
    if wish.zoomed is not None:
        return Arrangement({wish.zoomed: Box(0, 0, width, height)})
    shown = [name for name in PANELS if name not in wish.hidden]
    extras = sum(name in EXTRAS for name in shown)
    if width >= WIDE and height >= (GRID_HEIGHT if extras < 2 else THREE_ROWS):
        return Arrangement(_grid(width, height, shown))
    return _columns(width, height, shown, wish.tab)


def choose(wish: Wish, arrangement: Arrangement, name: str) -> Wish:
    """The wish after the number key of panel `name`: a tab comes to the front, any other panel hides or comes back."""
    if wish.zoomed is not None or name in arrangement.tabs or name not in arrangement.boxes:
        zoomed = None if wish.zoomed is None else name
        return replace(wish, zoomed=zoomed, hidden=wish.hidden - {name}, tab=name if name != "numbers" else wish.tab)
    if len(arrangement.boxes) == 1:
        return wish
    return replace(wish, hidden=wish.hidden | {name})


def _grid(width: int, height: int, shown: list[str]) -> dict[str, Box]:
    """Curves and map above, distances, numbers and log below; extras in a row between them, or one of them above."""
    upper = [name for name in shown if name in ("loss", "map")]
    lower = [name for name in shown if name in ("distances", "numbers", "log")]
    extras = [name for name in shown if name in EXTRAS]
    if height < THREE_ROWS:
        upper, extras = upper + extras, []
    numbers = min(max(38, width // 4), 44)
    rest = width - (numbers if "numbers" in lower else 0)
    share = rest // max(2, sum(name != "numbers" for name in lower))
    widths = {"numbers": numbers, **dict.fromkeys(("distances", "log"), share)}
    rows = [row for row in (upper, extras, lower) if row]
    heights = [round(height * 0.56) if len(rows) == 2 and not extras else height // max(len(rows), 1)] * len(rows)
    boxes: dict[str, Box] = {}
    top = 0
    for row, tall in zip(rows, [*heights[:-1], height - sum(heights[:-1])], strict=True):
        boxes |= _row(row, [widths.get(name, width // len(row)) for name in row], top, tall, width)
        top += tall
    return boxes


def _columns(width: int, height: int, shown: list[str], tab: str) -> Arrangement:
    """Plots in as many places as fit, the numbers beside them, the log below where it is tall."""
    boxes: dict[str, Box] = {}
    places = [name for name in shown if name != "numbers"]
    if not places:
        return Arrangement({"numbers": Box(0, 0, width, height)} if "numbers" in shown else {})
    if "log" in places and len(places) > 1 and height >= SLOT_HEIGHT * 2 + LOG_STRIP:
        places.remove("log")
        height -= LOG_STRIP
        boxes["log"] = Box(0, height, width, LOG_STRIP)
    if "numbers" in shown:
        side = 31 if width < 100 else 34
        width -= side
        boxes["numbers"] = Box(width, 0, side, height)
    across = 2 if width + 34 >= WIDE and len(places) > 1 else 1
    down = max(1, height // SLOT_HEIGHT)
    visible = _around(places, tab, across * down)
    rows = [visible[i : i + across] for i in range(0, len(visible), across)]
    top = 0
    for index, row in enumerate(rows):
        tall = (height - top) // (len(rows) - index)
        boxes |= _row(row, [width // len(row)] * len(row), top, tall, width)
        top += tall
    return Arrangement(boxes, tuple(places) if len(visible) == 1 < len(places) else ())


def _around(names: list[str], tab: str, count: int) -> list[str]:
    """`count` of the names, `tab` among them, in their own order."""
    start = names.index(tab) if tab in names else 0
    taken = {names[(start + i) % len(names)] for i in range(min(count, len(names)))}
    return [name for name in names if name in taken]


def _row(names: list[str], widths: list[int], y: int, height: int, total: int) -> dict[str, Box]:
    """Panels side by side; the last takes what is left of `total`."""
    boxes, x = {}, 0
    for index, name in enumerate(names):
        width = total - x if index == len(names) - 1 else widths[index]
        boxes[name] = Box(x, y, width, height)
        x += width
    return boxes

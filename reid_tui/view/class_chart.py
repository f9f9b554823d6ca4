"""Which identities overlap: a table of all of them, or where they are too many the pairs that overlap most."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.view.grid import Grid, Look, placeholder
from reid_tui.view.palette import Ink, identity_letter
from reid_tui.view.text import UNKNOWN, count, fit, name_of, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reid_tui.evaluation.overlap import Overlap, Overlaps
    from reid_tui.view.palette import ChartStyle

_WIDEST: Final = 6
_NARROWEST: Final = 3
"""Cells of a column of the table."""
_MUCH: Final = 0.2
_SOME: Final = 0.05
"""Shares of pairs closer than the threshold."""


def sentence(pair: Overlap, names: Sequence[str]) -> str:
    """What is said of two identities."""
    who = f"{name_of(pair.first, names)} and {name_of(pair.second, names)}"
    if math.isnan(pair.closer):
        return f"{who}: {plain(pair.mean)} apart on average"
    return f"{who}: {_percent(pair.closer)} % closer than the threshold, {plain(pair.mean)} apart on average"


def class_chart(
    overlaps: Overlaps,
    names: Sequence[str],
    threshold: float,
    width: int,
    height: int,
    style: ChartStyle,
    chosen: int = 0,
) -> list[str]:
    """Draw the overlaps.

    Args:
        overlaps: what was computed.
        names: of the identities.
        threshold: that it was computed with.
        width: cells.
        height: cells.
        style: glyphs and colours.
        chosen: of the worst pairs this one is told of in words.

    Returns:
        `height` lines of `width` cells.
    """
    if not overlaps.worst:
        return placeholder("one identity overlaps with no other", width, height, style)
    grid = Grid(width, height, style)
    pair = overlaps.worst[min(chosen, len(overlaps.worst) - 1)]
    kinds = len(overlaps.identities)
    column = min(_WIDEST, (grid.width - 2) // max(kinds, 1))
    if overlaps.mean_KK is not None and column >= _NARROWEST and grid.height >= kinds + 3:
        _draw_table(grid, overlaps, names, column, pair)
        below = kinds + 1
        unit = f" x {plain(_unit(overlaps))}" if _unit(overlaps) != 1 else ""
        legend = (
            f"above: % closer than {plain(threshold)} · below: mean distance{unit} · {count(overlaps.images)} images"
        )
    else:
        rows = max(grid.height - 3, 0)
        first = max(0, min(chosen, len(overlaps.worst) - 1) - rows + 1)
        for y, other in enumerate(overlaps.worst[first : first + rows]):
            _draw_pair(grid, y, other, names, chosen=other is pair)
        below = min(rows, len(overlaps.worst))
        legend = f"% closer than {plain(threshold)}, mean distance · {count(overlaps.images)} images"
    text = sentence(pair, names)
    cut = text.rfind(" ", 0, grid.width) if len(text) > grid.width else len(text)
    grid.text(0, below, fit(text[:cut], grid.width), grid.inked("foreground", bold=True))
    grid.text(0, below + 1, fit(text[cut:].strip(), grid.width), grid.inked("foreground", bold=True))
    if below + 2 < grid.height:
        grid.text(0, grid.height - 1, fit(legend, grid.width), grid.inked("muted"))
    return grid.lines()


def _draw_table(grid: Grid, overlaps: Overlaps, names: Sequence[str], column: int, chosen: Overlap) -> None:
    assert overlaps.mean_KK is not None
    assert overlaps.closer_KK is not None
    kinds = overlaps.identities.tolist()
    unit = _unit(overlaps)
    label = min(max(grid.width - column * len(kinds), 2), 18)
    for y, kind in enumerate(kinds):
        look = Look(grid.style.identity(kind), bold=True)
        grid.text(label + (y + 1) * column - 1, 0, identity_letter(kind), look)
        grid.text(0, y + 1, identity_letter(kind), look)
        grid.text(2, y + 1, fit(name_of(kind, names), max(label - 2, 0)), grid.inked("foreground"))
        for x, other in enumerate(kinds):
            share, mean = float(overlaps.closer_KK[y, x]), float(overlaps.mean_KK[y, x])
            text = _percent(share) if x > y else _short(mean / unit, column - 1)
            look = grid.inked("muted") if x == y else _heat(grid, share)
            if {kind, other} == {chosen.first, chosen.second}:
                look = look._replace(bold=True, reverse=True)
            grid.text(label + x * column + 1, y + 1, f"{text:>{column - 1}}"[: column - 1], look)


def _draw_pair(grid: Grid, y: int, pair: Overlap, names: Sequence[str], *, chosen: bool) -> None:
    look = _heat(grid, pair.closer)
    numbers = f"{_percent(pair.closer):>3} % {plain(pair.mean):>6} "
    grid.text(0, y, ">" if chosen else " ", grid.inked("accent", bold=True))
    grid.text(1, y, numbers, look._replace(bold=chosen))
    room = max(grid.width - len(numbers) - 6, 0)
    x = 1 + len(numbers)
    for identity, cells in ((pair.first, room // 2), (pair.second, room - room // 2)):
        grid.text(x, y, identity_letter(identity), Look(grid.style.identity(identity), bold=True))
        grid.text(x + 2, y, fit(name_of(identity, names), cells), grid.inked("foreground", bold=chosen))
        x += cells + 3


def _heat(grid: Grid, share: float) -> Look:
    """From muted to the colour of different pairs."""
    much = math.sqrt(min(max(share, 0.0), 1.0)) if math.isfinite(share) else 0.0
    cold, warm = grid.style.ink("muted"), grid.style.ink("different")
    red, green, blue = (round(a + (b - a) * much) for a, b in zip(cold.rgb, warm.rgb, strict=True))
    ansi = warm.ansi if share >= _MUCH else grid.style.ink("margin").ansi if share >= _SOME else cold.ansi
    return Look(Ink((red, green, blue), ansi, faint=not share >= _SOME), bold=share >= _MUCH)


def _percent(share: float) -> str:
    if not math.isfinite(share):
        return UNKNOWN
    return "<1" if 0 < share < 0.005 else f"{100 * share:.0f}"


def _unit(overlaps: Overlaps) -> float:
    """A power of ten in which the distances of the table are written."""
    assert overlaps.mean_KK is not None
    largest = float(np.nanmax(overlaps.mean_KK, initial=0))
    return 10.0 ** math.floor(math.log10(largest)) if 0 < largest < 1 or largest >= 100 else 1.0


def _short(value: float, room: int) -> str:
    """A distance in a few cells."""
    if not math.isfinite(value):
        return UNKNOWN
    texts = [f"{value:.{places}f}".removeprefix("0") or "0" for places in (2, 1)]
    return next((text for text in texts if len(text) <= room), f"{value:.0f}")

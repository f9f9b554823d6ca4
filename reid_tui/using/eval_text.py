"""What `reid-tui eval` says to a person: tables, curves and pictures in characters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from rich.style import Style
from rich.text import Text

from reid_tui.console import print_line
from reid_tui.data.show import picture
from reid_tui.using import eval_table as table
from reid_tui.using.distance_matrix import tail
from reid_tui.view.roc_chart import Curve, cmc_chart, roc_chart
from reid_tui.view.text import fit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.console import Console

    from reid_tui.data.dataset import UInt8Array
    from reid_tui.evaluation.detailed import Mistake
    from reid_tui.using.evaluating import Evaluated, Split
    from reid_tui.view.palette import ChartStyle

_LABEL: Final = 18
"""Cells of a table's first column."""
_CELL: Final = 21
"""Of each other one, with a space behind it."""
_CHART_LINES: Final = 12
_NARROWEST_CHART: Final = 34
_WIDEST_CHART: Final = 70
_PICTURE: Final = 16
"""Cells across that a picture takes at most, and its caption at least."""
_GAP: Final = 3


class Room(NamedTuple):
    """What there is to draw on."""

    width: int
    style: ChartStyle

    @property
    def color(self) -> bool:
        """Whether there are colours."""
        return self.style.colors != "none"


def print_evaluation(console: Console, found: Evaluated, room: Room) -> None:
    """Print everything, the split that counts first."""
    step = "" if found.step is None else f", step {found.step:,}"
    print_line(console, f"{found.name}{step}: {found.data}", style="bold")
    for split in found.splits:
        print_line(console, table.about(split), f"{split.name:<12}", head_style="bold")
    console.print()
    columns = max(1, (room.width - _LABEL + 1) // _CELL)
    for at in range(0, len(found.splits), columns):
        _print_scores(console, found, slice(at, at + columns))
    print_line(console, table.TRUST, style="dim")
    _print_thresholds(console, found)
    console.print()
    for line in _charts(found, room):
        console.print(Text.from_ansi(line), soft_wrap=True)
    main = found.splits[0]
    _print_hardest(console, main)
    _print_mistakes(console, main, room)


def _heading(console: Console, text: str) -> None:
    console.print()
    print_line(console, text, style="bold")


def _print_scores(console: Console, found: Evaluated, which: slice) -> None:
    names = [split.name for split in found.splits[which]]
    _print_row(console, "", names, style="bold")
    for row in table.score_rows(found):
        _print_row(console, row.label, row.cells[which])
    if rows := table.reranked_rows(found):
        print_line(console, table.RE_RANKED, style="bold")
        for row in rows:
            _print_row(console, row.label, row.cells[which])
        print_line(console, table.OTHER_SCALE, style="dim")


def _print_row(console: Console, label: str, cells: Sequence[str], style: str = "") -> None:
    line = "".join(f"{cell:<{_CELL}}" for cell in cells)
    print_line(console, line.rstrip(), f"{label:<{_LABEL}}", style)


def _print_thresholds(console: Console, found: Evaluated) -> None:
    for split in found.splits:
        if (fitted := split.detailed.fitted) is None:
            continue
        _heading(console, f"thresholds fitted on {split.name}")
        _print_rates(console, table.fitted_rows(fitted))
        for line in filter(None, (table.fitted_on(fitted), table.not_fitted(fitted))):
            print_line(console, line, style="dim")
    if found.card is not None:
        _heading(console, "the network's own thresholds on this data")
        _print_rates(console, table.applied_rows(found.card, found.splits[0].detailed))


def _print_rates(console: Console, rows: Iterable[table.Rates]) -> None:
    for label, threshold, far, frr in rows:
        print_line(console, f"{threshold:<8}FAR {far:<27}FRR {frr}", f"{label:<13}")


def _charts(found: Evaluated, room: Room) -> list[str]:
    """Both curves beside each other, where they fit."""
    shown = [split for split in found.splits if split.name != "validation"]
    roc = [Curve(split.name, *split.detailed.roc) for split in shown]
    cmc = [
        Curve(split.name, np.arange(1, len(split.detailed.cmc_K) + 1, dtype=np.float64), split.detailed.cmc_K)
        for split in shown
    ]
    width = min((room.width - 2) // 2, _WIDEST_CHART)
    if width < _NARROWEST_CHART:
        width = min(room.width, _WIDEST_CHART)
        return [
            *roc_chart(roc, width, _CHART_LINES, room.style),
            "",
            *cmc_chart(cmc, width, _CHART_LINES, room.style),
        ]
    charts = roc_chart(roc, width, _CHART_LINES, room.style), cmc_chart(cmc, width, _CHART_LINES, room.style)
    return [f"{left}  {right}" for left, right in zip(*charts, strict=True)]


def _print_hardest(console: Console, split: Split) -> None:
    rows = table.hardest_rows(split)
    if not rows:
        return
    _heading(console, f"the identities that are found worst, {split.name}")
    widest = max(len(row[0]) for row in (table.HARDEST_HEAD, *rows))
    for number, row in enumerate((table.HARDEST_HEAD, *rows)):
        who, *numbers, other = row
        line = f"{fit(who, min(widest, 32))}  {''.join(f'{cell:<9}' for cell in numbers)}{other}"
        print_line(console, line.rstrip(), style="" if number else "dim")


def _print_mistakes(console: Console, split: Split, room: Room) -> None:
    for text, kind in table.mistakes(split):
        _heading(console, text)
        if split.subjects.image is None:
            for mistake in kind:
                names = " and ".join(table.who(split, place) for place in (mistake.query, mistake.found))
                print_line(console, names, f"{table.caption(mistake)}  ")
            continue
        blocks = [_pair(split, mistake, split.subjects.image, room) for mistake in kind]
        across = max(1, (room.width + _GAP) // (blocks[0][0].cell_len + _GAP))
        for at in range(0, len(blocks), across):
            if at:
                console.print()
            for lines in zip(*blocks[at : at + across], strict=True):
                row = Text(" " * _GAP).join(lines)
                row.rstrip()
                console.print(row, soft_wrap=True)


def _pair(split: Split, mistake: Mistake, image: Callable[[int], UInt8Array], room: Room) -> list[Text]:
    """Both pictures beside each other, who they are, and how far apart; lines of equal width."""
    sides = [_side(split, place, image(place), room) for place in (mistake.query, mistake.found)]
    lines = [left.append(" ").append_text(right) for left, right in zip(*sides, strict=True)]
    style = Style(bold=True, color=("green" if mistake.same else "red") if room.color else None)
    return [*lines, Text(fit(table.caption(mistake), lines[0].cell_len), style)]


def _side(split: Split, place: int, image: UInt8Array, room: Room) -> list[Text]:
    """One picture with its names."""
    lines = picture(image, -(-image.shape[2] // _PICTURE), color=room.color)
    width = max(_PICTURE, lines[0].cell_len)
    for line in lines:
        line.pad_right(width - line.cell_len)
    lines.append(Text(fit(table.subject(split, place), width)))
    if name := split.subjects.file(place):
        lines.append(Text(fit(tail(name, width), width), "dim"))
    return lines

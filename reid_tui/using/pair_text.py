"""What `reid-tui compare` says to a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from rich.style import Style
from rich.text import Text

from reid_tui.console import print_line
from reid_tui.data.folders.noticed import counted
from reid_tui.data.show import picture
from reid_tui.text import printable
from reid_tui.using.distance_matrix import Room, matrix, places, tail
from reid_tui.view.text import fit, fixed, likely

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from reid_tui.using.comparing import FloatArray, Judge, Pair
    from reid_tui.using.model import Model
    from reid_tui.using.pair_grid import Grid
    from reid_tui.using.pair_table import PairRow, TableScores

_GAP: Final = 3
_WIDTH: Final = 80
"""Columns where there is no terminal."""
_LINES: Final = 40
_BELOW_PICTURES: Final = 8
"""Lines that the words take, and the next prompt."""
_FEWEST_LINES: Final = 6
_WIDEST_PICTURE: Final = 32
_MOST_ROWS: Final = 40
"""Pairs of a table that are shown."""


def room_of(console: Console) -> Room:
    """What pictures may take, so that a terminal shows them with the words below."""
    color = console.color_system is not None and not console.no_color
    if not console.is_terminal:
        return Room(_WIDTH, _LINES, color=False)
    return Room(console.width, max(console.height - _BELOW_PICTURES, _FEWEST_LINES), color)


def print_pair(console: Console, found: Pair, names: tuple[str, str], judge: Judge, model: Model) -> None:
    """Two pictures beside each other, and what is thought of them."""
    for line in _beside(found, names, room_of(console)):
        console.print(line, soft_wrap=True)
    distance = np.array([found.distance])
    same = bool(judge.same(distance)[0])
    _print_verdict(console, same, f"distance {_held_against(found.distance, judge)}")
    if found.very_same:
        print_line(console, "the very same picture")
    print_line(console, f"probability of the same: {likely(float(judge.probability(distance)[0]))} {_asked(judge)}")
    print_line(console, _as_close(judge, found.distance))
    _print_basis(console, judge, model)


def print_grid(console: Console, found: Grid, judge: Judge, model: Model) -> None:
    """All pairs of two folders, and the means of the folders in them."""
    threshold, room = judge.point.threshold, room_of(console)
    columns = None if found.within else found.second.names
    for line in matrix(found.distances_QG, found.first.names, columns, threshold, room):
        console.print(line, soft_wrap=True)
    console.print()
    means = found.folder_means()
    if means.mean_HK.size > 1:
        console.print(Text("mean of each pair of folders", Style(bold=True)))
        columns = None if found.within else means.second
        for line in matrix(means.mean_HK, means.first, columns, threshold, room):
            console.print(line, soft_wrap=True)
        console.print()
    if found.very_same:
        text = "is the very same picture and does" if found.very_same == 1 else "are the very same picture and do"
        print_line(console, f"{counted(found.very_same, 'pair')} {text} not count")
    if found.count:
        _print_verdict(console, found.mean <= threshold, f"mean distance {_held_against(found.mean, judge)}")
        print_line(console, _called_same(found.accepted(threshold), found.count))
    else:
        _print_verdict(console, True, "all are the very same picture")
    _print_basis(console, judge, model)


def print_table(
    console: Console,
    rows: Sequence[PairRow],
    distances_P: FloatArray,
    scores: TableScores | None,
    judge: Judge,
    model: Model,
) -> None:
    """The first rows of a table with their verdicts, and how right all are."""
    room = room_of(console)
    same_P, probability_P = judge.same(distances_P), judge.probability(distances_P)
    digits = places(judge.point.threshold)
    for row, distance, same, probability in zip(rows[:_MOST_ROWS], distances_P, same_P, probability_P, strict=False):
        head = f"{'SAME' if same else 'DIFFERENT':<9} {fixed(distance, digits)}  {likely(float(probability)):<6}  "
        wrong = "  wrong" if row.same is not None and row.same != same else ""
        wide = max((room.width - len(head) - len(wrong) - 2) // 2, 1)
        line = Text(f"{head}{fit(tail(row.first, wide), wide)}  {tail(row.second, wide)}", no_wrap=True)
        line.append(wrong, Style(bold=True, color="red" if room.color else None))
        line.stylize(_verdict_style(same=bool(same), color=room.color), 0, 9)
        console.print(line, soft_wrap=True)
    if len(rows) > _MOST_ROWS:
        print_line(console, f"{len(rows) - _MOST_ROWS:,} more pairs; --csv has all")
    print_line(console, f"verdict, distance, probability of the same {_asked(judge)}", style="dim")
    console.print()
    print_line(console, _called_same(int(same_P.sum()), len(rows)))
    if scores is not None:
        _print_scores(console, scores)
    print_line(console, f"threshold {judge.point.threshold:.{digits}f} ({_name(judge)})")
    _print_basis(console, judge, model)


def _called_same(accepted: int, count: int) -> str:
    return f"{accepted:,} of {counted(count, 'pair')} {'is' if accepted == 1 else 'are'} called the same"


def _print_scores(console: Console, scores: TableScores) -> None:
    rows = (
        ("same", scores.same_called_same, scores.same_called_different),
        ("different", scores.different_called_same, scores.different_called_different),
    )
    console.print(Text(f"{'the table says':<16}{'called same':>14}{'called different':>18}", Style(bold=True)))
    for name, called_same, called_different in rows:
        console.print(Text(f"{name:<16}{called_same:>14,}{called_different:>18,}"))
    text = f"accuracy {scores.accuracy:.3f} ({scores.right:,} of {scores.count:,}), AUC {fixed(scores.auc, 3)}"
    print_line(console, text)


def _beside(found: Pair, names: tuple[str, str], room: Room) -> list[Text]:
    """Both pictures and their names; lines of at most the room's width."""
    _, height, width = found.images[0].shape
    widest = max(min((room.width - _GAP) // 2, _WIDEST_PICTURE), 1)
    step = max(-(-width // widest), -(-height // (2 * room.lines)))
    step = min(step, height, width)
    first, second = (picture(image, step, color=room.color) for image in found.images)
    across = max(len(first[0]), min((room.width - _GAP) // 2, max(map(len, names))))
    lines = []
    for left, right in zip(first, second, strict=True):
        left.align("left", across + _GAP)
        lines.append(left.append_text(right))
    lines.append(Text(f"{fit(tail(names[0], across), across)}{' ' * _GAP}{tail(names[1], across)}"))
    for line in lines:
        line.rstrip()
        line.no_wrap = True
    return lines


def _print_verdict(console: Console, same: bool, text: str) -> None:
    color = console.color_system is not None and not console.no_color
    print_line(
        console, text, f"{'SAME' if same else 'DIFFERENT'}  ", head_style=str(_verdict_style(same=same, color=color))
    )


def _verdict_style(*, same: bool, color: bool) -> Style:
    return Style(bold=True, color=("green" if same else "red") if color else None)


def _asked(judge: Judge) -> str:
    """Which pairs a probability is of."""
    return f"if {100 * judge.prior:.3g} % of the pairs asked about are (--prior)"


def _name(judge: Judge) -> str:
    asked = judge.point.asked
    return "equal error" if asked is None else f"fitted for --far {asked:g}"


def _held_against(distance: float, judge: Judge) -> str:
    """A distance and the threshold, in digits enough to tell them apart."""
    threshold = judge.point.threshold
    digits = places(threshold)
    while distance != threshold and f"{distance:.{digits}f}" == f"{threshold:.{digits}f}" and digits < 15:
        digits += 1
    return f"{fixed(distance, digits)}, threshold {fixed(threshold, digits)} ({_name(judge)})"


def _as_close(judge: Judge, distance: float) -> str:
    """Of 1,000 different pairs how many are; less is said where fewer were seen."""
    share, seen = float(judge.far_at(np.array([distance]))[0]), judge.fitted.fitted.different
    if share * seen < 1 and seen < 1000:
        return f"none of the {counted(seen, 'different pair')} that it was fitted on is this close"
    count = round(1000 * share)
    if share < 1e-3:
        return "of 1,000 different pairs fewer than 1 is this close"
    return f"of 1,000 different pairs {count:,} {'is' if count == 1 else 'are'} this close"


def _print_basis(console: Console, judge: Judge, model: Model) -> None:
    """What the threshold is worth, and whose it is."""
    point, fitted = judge.point, judge.fitted
    seen = (
        "identities that fitted nothing"
        if fitted.apart
        else "the very identities that fitted it, of which there are few"
    )
    print_line(
        console,
        f"this threshold calls {_rate(point.far, point.far_interval)} of different pairs the same and "
        f"{_rate(point.frr, point.frr_interval)} of same pairs different, measured on {seen}",
    )
    step = "" if model.step is None else f", step {model.step:,}"
    if (fitted_at := model.card.fitted_step) not in (None, model.step):
        step += f" (threshold of step {fitted_at:,})"
    print_line(console, f"{printable(model.name)}{step}, trained on {printable(model.card.data)}", style="dim")


def _rate(share: float, interval: tuple[float, float]) -> str:
    low, high = (f"{100 * bound:.1f}" for bound in interval)
    return f"{100 * share:.1f} % ({low} to {high})"

"""What a search found, for a person: pictures in their order, a table, and a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.style import Style
from rich.table import Table
from rich.text import Text

from reid_tui.console import print_line
from reid_tui.data.folders.noticed import counted
from reid_tui.data.show import picture
from reid_tui.text import printable
from reid_tui.view.text import UNKNOWN, fixed, likely, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from reid_tui.data.dataset import UInt8Array
    from reid_tui.training.card import ModelCard
    from reid_tui.using.comparing import Judge
    from reid_tui.using.listed import Pictures
    from reid_tui.using.searching import Answer, Found, Match

CELL_COLUMNS: Final = 12
"""At least; enough for a rank with its distance, and for a verdict."""
_MOST_COLUMNS: Final = 14
_MOST_ROWS: Final = 24
"""Pixels up to which a thumbnail is not made smaller: two stand in one line."""
_SAME: Final = {True: ("SAME", "green"), False: ("DIFFERENT", "red")}
_NAME_COLUMNS: Final = 40


def print_on(console: Console, found: Found) -> None:
    """Tell a person: of one query with pictures where there is a terminal, of several a line each."""
    color = console.color_system is not None and not console.no_color
    queries, gallery = found.queries.pictures, found.gallery.pictures
    if len(found.answers) > 1:
        console.print(as_lines(found.answers, queries, gallery, color=color))
        known = sum(answer.known for answer in found.answers)
        known_of = f"{known:,} of {len(found.answers):,} queries {'is' if known == 1 else 'are'} known"
        verdict = f"{known_of}, by the threshold {threshold(found.judge)}"
    else:
        (answer,) = found.answers
        if console.is_terminal:
            console.print(as_grid(answer, queries, gallery, found.model.card, console.width, color=color))
            console.print()
        if answer.matches:
            console.print(as_table(answer, gallery, color=color))
        verdict = sentence(answer, gallery, found.judge)
    console.print()
    print_line(console, verdict, style="bold")
    step = "" if found.model.step is None else f", step {found.model.step:,}"
    looked = f"looked through {counted(len(gallery), 'picture')}: {gallery.source}; {printable(found.model.name)}{step}"
    print_line(console, looked, style="dim")


def thumbnail(image: UInt8Array, *, color: bool) -> list[Text]:
    """A picture small enough to stand beside others.

    Args:
        image: (C, H, W).
        color: False for plain characters.
    """
    _, height, width = image.shape
    return picture(image, max(-(-width // _MOST_COLUMNS), -(-height // _MOST_ROWS)), color=color)


def grid(
    cells: Iterable[tuple[UInt8Array, Sequence[Text]]], width: int, *, color: bool, most_rows: int | None = None
) -> Text:
    """Thumbnails beside each other with lines below them, as many as fit.

    Args:
        cells: pictures (C, H, W), all of one size, each with what stands below it.
        width: columns of the terminal.
        color: False for plain characters.
        most_rows: of pictures; None for all.
    """
    blocks = [[*thumbnail(image, color=color), *lines] for image, lines in cells]
    columns = max([CELL_COLUMNS, *(len(block[0]) for block in blocks)])
    across = max(1, (width + 1) // (columns + 1))
    rows: list[Text] = []
    for first in range(0, len(blocks) if most_rows is None else most_rows * across, across):
        for lines in zip(*blocks[first : first + across], strict=True):
            row = Text(no_wrap=True)
            for line in lines:
                part = line.copy()
                part.truncate(columns, overflow="ellipsis", pad=True)
                row.append_text(part).append(" ")
            row.rstrip()
            rows.append(row)
        rows.append(Text())
    return Text("\n", no_wrap=True).join(rows[:-1])


def as_grid(answer: Answer, queries: Pictures, gallery: Pictures, card: ModelCard, width: int, *, color: bool) -> Text:
    """The query and its matches as pictures, each with rank, distance, identity and verdict.

    Args:
        answer: of one query.
        queries: of which it is one.
        gallery: that was looked through.
        card: of the network, whose size the pictures have.
        width: columns of the terminal.
        color: False for plain characters.
    """
    asked = [Text("query", "bold"), Text(printable(queries.name(answer.query).rpartition("/")[2])), Text()]
    cells = [(queries.image(answer.query, card), asked)]
    for match in answer.matches:
        below = [
            Text(f"{match.rank}  {fixed(match.distance, 3)}", "bold"),
            Text(whom(gallery, match.place)),
            _verdict(match, color=color),
        ]
        cells.append((gallery.image(match.place, card), below))
    return grid(cells, width, color=color)


def as_table(answer: Answer, gallery: Pictures, *, color: bool) -> Table:
    """The matches of one query, a row each; whom they show and who saw them only where that is known at all."""
    known = {
        name: values
        for name, values in (("identity", gallery.identities), ("camera", gallery.cameras))
        if any(values[match.place] for match in answer.matches)
    }
    rows = headed("rank", "distance", "", "probability", *known, "picture")
    for match in answer.matches:
        rows.add_row(
            Text(str(match.rank)),
            Text(fixed(match.distance, 3)),
            _verdict(match, color=color),
            Text(likely(match.probability)),
            *(Text(printable(values[match.place] or UNKNOWN)) for values in known.values()),
            Text(printable(gallery.name(match.place), 400)),
        )
    return rows


def as_lines(answers: Iterable[Answer], queries: Pictures, gallery: Pictures, *, color: bool) -> Table:
    """One row a query: who it is, or that it is nobody known."""
    rows = headed("query", "", "identity", "distance", "probability", "nearest picture")
    for answer in answers:
        head = Text(printable(queries.name(answer.query), _NAME_COLUMNS))
        if not answer.matches:
            rows.add_row(head, Text("nothing to compare with"))
            continue
        best = answer.matches[0]
        named = printable(gallery.identities[best.place] or UNKNOWN) if best.same else "nobody known"
        rows.add_row(
            head,
            _verdict(best, color=color),
            Text(named),
            Text(fixed(best.distance, 3)),
            Text(likely(best.probability)),
            Text(printable(gallery.name(best.place), 400)),
        )
    return rows


def sentence(answer: Answer, gallery: Pictures, judge: Judge) -> str:
    """Who is seen on one query; printable."""
    if not answer.matches:
        return "the gallery holds nothing but the query itself"
    best, line = answer.matches[0], f"the threshold {threshold(judge)}"
    if not best.same:
        return f"nobody known: the nearest lies at {fixed(best.distance, 3)}, beyond {line}"
    within = f"at {fixed(best.distance, 3)}, within {line}"
    return f"SAME as {whom(gallery, best.place)}: {within}, probability {likely(best.probability)}"


def threshold(judge: Judge) -> str:
    """With what it was fitted for."""
    asked = judge.point.asked
    return f"{fixed(judge.point.threshold, 3)} ({'equal error' if asked is None else f'FAR {plain(asked)}'})"


def whom(pictures: Pictures, place: int) -> str:
    """The identity of a picture, or else what its file is called; printable."""
    return printable(pictures.identities[place] or pictures.name(place).rpartition("/")[2])


def _verdict(match: Match, *, color: bool) -> Text:
    word, hue = _SAME[match.same]
    return Text(word, Style(bold=True, color=hue if color else None))


def headed(*headings: str) -> Table:
    """One without rows, of which the last column may be folded."""
    made = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="bold")
    for heading in headings:
        number = heading in ("rank", "distance", "probability")
        made.add_column(heading, no_wrap="picture" not in heading, justify="right" if number else "left")
    made.columns[-1].overflow = "fold"
    return made

"""Pictures in likely identities: for a table that `csv:` reads, for JSON, and for a person."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from reid_tui.console import print_line
from reid_tui.data.folders.noticed import counted
from reid_tui.errors import UsageError
from reid_tui.text import printable
from reid_tui.using.output import write_new
from reid_tui.using.search_report import CELL_COLUMNS, grid, headed, threshold
from reid_tui.view.text import fixed

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from reid_tui.config import GroupingName
    from reid_tui.using.clustering import Group
    from reid_tui.using.comparing import Judge
    from reid_tui.using.gallery import Gallery
    from reid_tui.using.model import Model

MOST_SHOWN: Final = 20
"""Groups in the table."""
MOST_PICTURED: Final = 6
_NAMED: Final = 3
"""Pictures of a group whose names are shown."""


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """All groups, and what they are about."""

    model: Model
    judge: Judge
    method: GroupingName
    gallery: Gallery
    groups: list[Group]

    def identity(self, number: int) -> str:
        """What a group is called, by its place: the same width for all, so that they sort."""
        return f"group-{number + 1:0{len(str(len(self.groups)))}}"

    def as_object(self) -> dict[str, Any]:
        """For JSON."""
        pictures = self.gallery.pictures
        return {
            "run": self.model.name,
            "step": self.model.step,
            "threshold": self.judge.point.threshold,
            "far": self.judge.point.asked,
            "method": self.method,
            "source": pictures.source,
            "pictures": len(pictures),
            "groups": [
                {
                    "identity": self.identity(number),
                    "size": len(group.places_M),
                    "spread": group.spread,
                    "pictures": [pictures.full_name(place) for place in group.places_M.tolist()],
                }
                for number, group in enumerate(self.groups)
            ],
        }

    def write(self, path: Path) -> list[str]:
        """Write the table, and give what is to be said of it.

        Raises:
            ReidTuiError: it cannot be written, or the pictures lie in no files.
        """
        content, left_out = self.as_csv()
        write_new({path: content})
        return [f"{counted(left_out, 'picture')} with a name that is no text left out of {path}"] if left_out else []

    def as_csv(self) -> tuple[bytes, int]:
        """A table with the columns path and identity, and how many pictures have a name that no table can hold.

        Raises:
            UsageError: the pictures lie in no files.
        """
        pictures = self.gallery.pictures
        if not pictures.root:
            raise UsageError(f"{pictures.source} lie in no files that a table could name; leave -o out")
        boxed = any(pictures.boxes)
        text, left_out = io.StringIO(newline=""), 0
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("path", "identity", *(["box"] if boxed else [])))
        for number, group in enumerate(self.groups):
            for place in group.places_M.tolist():
                path, box = pictures.paths[place], pictures.boxes[place]
                if path.isascii() or path.encode("utf-8", "ignore").decode() == path:
                    part = [",".join(map(str, box or ()))] if boxed else []
                    writer.writerow((path, self.identity(number), *part))
                else:
                    left_out += 1
        return text.getvalue().encode(), left_out


def print_on(console: Console, found: Groups) -> None:
    """Tell a person: the largest groups as pictures where there is a terminal, then a table."""
    together = [(n, group) for n, group in enumerate(found.groups) if len(group.places_M) > 1]
    alone = len(found.groups) - len(together)
    color = console.color_system is not None and not console.no_color
    if console.is_terminal:
        for number, group in together[:MOST_PICTURED]:
            head = (
                f"{found.identity(number)}: {counted(len(group.places_M), 'picture')}, spread {fixed(group.spread, 3)}"
            )
            print_line(console, head, style="bold")
            console.print(_pictured(found, group, console.width, color=color))
            console.print()
    if together:
        rows = headed("identity", "pictures", "spread", "most typical pictures")
        for number, group in together[:MOST_SHOWN]:
            rows.add_row(
                found.identity(number), f"{len(group.places_M):,}", fixed(group.spread, 3), Text(_names(found, group))
            )
        console.print(rows)
        console.print()
    if len(together) > MOST_SHOWN:
        print_line(console, f"{len(together) - MOST_SHOWN:,} more groups; -o and --json have all")
    source = found.gallery.pictures.source
    told = f"{counted(len(found.gallery), 'picture')} in {counted(len(together), 'group')}, {alone:,} alone"
    print_line(console, f"{told}, by the threshold {threshold(found.judge)}", style="bold")
    print_line(console, f"{source}; {printable(found.model.name)}", style="dim")


def _pictured(found: Groups, group: Group, width: int, *, color: bool) -> Text:
    """As many of a group as fit beside each other."""
    pictures = found.gallery.pictures
    most = max(1, (width + 1) // (CELL_COLUMNS + 1))
    cells = [
        (pictures.image(place, found.model.card), [Text(printable(pictures.name(place).rpartition("/")[2]))])
        for place in group.places_M[:most].tolist()
    ]
    return grid(cells, width, color=color, most_rows=1)


def _names(found: Groups, group: Group) -> str:
    names = [printable(found.gallery.pictures.name(place), 60) for place in group.places_M[:_NAMED].tolist()]
    return ", ".join([*names, *(["..."] if len(group.places_M) > _NAMED else [])])

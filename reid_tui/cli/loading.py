"""What a command says on stderr while data is opened."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reid_tui.data.catalog import Report


SOON_S: Final = 2.0
"""What takes no longer needs no bar."""


@contextlib.contextmanager
def loading_shown() -> Iterator[Report]:
    """A bar that is gone afterwards; off a terminal nothing."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
    from rich.text import Text

    from reid_tui.console import console_on
    from reid_tui.text import printable

    class Label(TextColumn):
        def render(self, task: object) -> Text:
            return Text(getattr(task, "description", ""))

    columns = (SpinnerColumn(), Label(""), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    talk = console_on(sys.stderr)
    with Progress(*columns, console=talk, transient=True, disable=not talk.is_terminal) as bar:
        task = bar.add_task("looking for the data", total=None)

        def report(text: str, done: int = 0, total: int = 0) -> None:
            bar.update(task, description=printable(text, 60), completed=done, total=total or None)

        yield report


@contextlib.contextmanager
def late_loading_shown(clock: Callable[[], float] = time.monotonic) -> Iterator[Report]:
    """The same, once it has taken a while."""
    began = clock()
    shown: Report | None = None
    with contextlib.ExitStack() as open_bar:

        def report(text: str, done: int = 0, total: int = 0) -> None:
            nonlocal shown
            if shown is None and clock() - began >= SOON_S:
                shown = open_bar.enter_context(loading_shown())
            if shown is not None:
                shown(text, done, total)

        yield report

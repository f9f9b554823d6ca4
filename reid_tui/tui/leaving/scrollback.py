"""What stands in the scrollback once the screen is gone: how it ended on stderr, the summary on stdout."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from rich.text import Text

from reid_tui.console import console_on, print_line
from reid_tui.text import printable
from reid_tui.view.summary import print_summary
from reid_tui.view.wording import LONGEST, last_words

if TYPE_CHECKING:
    from pathlib import Path

    from reid_tui.tui.leaving.exit import Leaving
    from reid_tui.view.run_state import RunState


def tell(state: RunState, leaving: Leaving, run: Path | None, *, failure: str | None, elsewhere: bool | None) -> None:
    """Say how it ended; where nobody hears it any more, that is no error.

    Args:
        state: all that is known of the run.
        leaving: how it was left.
        run: its folder, once it has one.
        failure: what broke the screen itself; None where nothing did.
        elsewhere: whether another process trains the run; None where it was this one.
    """
    talk = console_on(sys.stderr)

    def say(line: str) -> None:
        with contextlib.suppress(OSError):
            talk.print(Text(f"reid-tui: {line}"), soft_wrap=True)

    if failure is not None:
        where = f"; the traceback is in {printable(run / 'run.log', LONGEST)}" if run and elsewhere is None else ""
        say(f"the screen failed ({printable(failure or 'no reason')}){where}")
    if elsewhere and leaving.ended is None:
        name = printable(run.name if run else "the run", LONGEST)
        with contextlib.suppress(OSError):
            print_line(talk, f"reid-tui: left {name} at step {state.step:,}; it goes on")
        return
    if words := last_words(state.ended):
        say(words)
    elif state.started is not None and state.ended is not None and leaving.save_wanted:
        unsaved = [line for line in state.log if line.kind == "warning"][-1:]
        if getattr(state.ended, "saved", True) is False and unsaved:
            say(unsaved[0].text)
    if state.started is not None:
        with contextlib.suppress(OSError):
            print_summary(state, console_on(sys.stdout), str(run or ""))

"""Two lines on top: which run this is, and how far it has come."""

from __future__ import annotations

import math
from pathlib import PurePath
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.cells import cell_len
from textual.content import Content

from reid_tui.tui.draw_errors import DrawErrors
from reid_tui.tui.pace import Pace
from reid_tui.tui.widgets.canvas import Canvas
from reid_tui.view.text import UNKNOWN, count, done_of, duration, fit, rate
from reid_tui.view.wording import alarm_name, device_text, precision_short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reid_tui.tui.frame import Frame
    from reid_tui.view.run_state import RunState

BADGE_COLORS: Final = {
    "LOADING": "$primary",
    "TRAINING": "$success",
    "PAUSED": "$warning",
    "EVALUATING": "$accent",
    "SAVING": "$primary",
    "DONE": "$success",
    "DIVERGED": "$error",
    "FAILED": "$error",
    "STOPPED": "$warning",
    "CRASHED": "$error",
}
_BAR: Final = 8
"""Cells that the bar has at least."""
_GAP: Final = "   "


class Piece(NamedTuple):
    """Part of a line; the higher its rank the earlier it goes when there is no room."""

    rank: int
    content: Content


class Header(Canvas):
    """Redrawn at once for a new badge, at the pace of numbers for the rest."""

    def __init__(self, interval: float) -> None:
        super().__init__(id="header")
        self._pace = Pace(interval)
        self._errors = DrawErrors("the header")
        self._drawn: tuple[object, RunState] | None = None

    def update(self, frame: Frame, now: float) -> None:
        """Draw if something changed and the pace allows; the same contract as a panel's."""
        state, width = frame.state, self.size.width
        urgent = (state.badge, state.alarms, state.detail, state.ended, state.started, width)
        hurried = self._drawn is None or self._drawn[0] != urgent
        if self._drawn == (urgent, state) or (not hurried and not self._pace.due(now)):
            return
        self._drawn = (urgent, state)
        self._pace.drawn(now, 0.0, frame.slower)
        try:
            self.show([identity_line(state, width), progress_line(state, width)])
        except Exception as error:
            self.show([Content.styled(f" {self._errors.note(error)}", "$text-error")])
        else:
            self._errors.over()


def identity_line(state: RunState, width: int) -> Content:
    """Run, data, device, precision, and the badges at the right end."""
    badge = Content.styled(f" {state.badge} ", f"bold reverse {BADGE_COLORS[state.badge]}")
    pieces = [Piece(6, Content.styled("reid-tui", "bold $accent"))]
    if (started := state.started) is not None:
        pieces += [
            Piece(1, Content.styled(started.dataset.name, "bold")),
            *([Piece(4, Content.styled(started.dataset.choice, "$quiet"))] if started.dataset.choice else []),
            Piece(2, Content(device_text(started))),
            Piece(3, Content(precision_short(started))),
            Piece(5, Content.styled(PurePath(started.run).name, "$quiet")),
        ]
    badge = Content.assemble(*alarm_badges(state, width // 2), badge)
    room = width - badge.cell_length - 3
    left = _joined(pieces, room, _GAP).truncate(max(room, 0), ellipsis=True)
    return Content.assemble(" ", left, " " * max(room - left.cell_length + 1, 1), badge, " ")


def alarm_badges(state: RunState, room: int) -> list[Content]:
    """What alarms stand and since which step, the newest first, with a gap behind each; how many more do not fit."""
    texts = [f" {alarm_name(alarm).upper()} @{count(alarm.since)} " for alarm in reversed(state.alarms)]
    more = len(" +9  ")
    shown: list[str] = []
    for place, text in enumerate(texts):
        if sum(cell_len(one) + 1 for one in (*shown, text)) + more * (place < len(texts) - 1) > room:
            shown.append(f" +{len(texts) - place} ")
            break
        shown.append(text)
    return [part for text in shown for part in (Content.styled(text, "bold reverse $error"), Content(" "))]


def progress_line(state: RunState, width: int) -> Content:
    """Epoch, bar, steps, pairs a second, time left; before the run the sentence about what is being done."""
    room = width - 2
    if state.started is None and state.ended is None and state.total:
        return _loading_line(state, room)
    if state.started is None or state.ended is not None:
        text = state.detail or ("starting" if state.ended is None else "")
        if state.ended is not None:
            text = next((line.text for line in reversed(state.log) if line.kind in ("end", "error")), "")
        return Content.assemble(" ", (fit(text, room), "$quiet"), " ")
    percent = f"{math.floor(state.progress * 100):d} %"
    pieces = [
        Piece(0, Content.assemble(("epoch ", "$quiet"), (state.epoch_text, "bold"))),
        Piece(2, Content(percent)),
        Piece(1, Content.assemble(("step ", "$quiet"), f"{count(state.step)}/{count(state.total_steps)}")),
        Piece(4, Content.assemble(rate(state.pairs_per_s), (" pairs/s", "$quiet"))),
        Piece(3, Content.assemble(("ETA ", "$quiet"), duration(state.eta_s))),
    ]
    if not math.isfinite(state.eta_s):
        pieces = [piece for piece in pieces if piece.rank != 3 and UNKNOWN not in piece.content.plain]
    return _with_bar(pieces, state.progress, room)


def _loading_line(state: RunState, room: int) -> Content:
    """What is being loaded, and how much of it is there."""
    done, share = done_of(state.done, state.total)
    detail = fit(state.detail, min(cell_len(state.detail), room // 2))
    pieces = [Piece(0, Content.styled(detail, "$quiet")), Piece(2, Content(done)), Piece(1, Content(share))]
    return _with_bar(pieces, min(state.done / state.total, 1.0), room)


def _with_bar(pieces: Sequence[Piece], share: float, room: int) -> Content:
    """A bar behind the first of the pieces, as long as what is kept of them leaves room for."""
    kept = _kept(pieces, room - _BAR - len(_GAP), len(_GAP))
    used = sum(piece.content.cell_length + len(_GAP) for piece in kept)
    first, *rest = (piece.content for piece in kept)
    return Content.assemble(" ", Content(_GAP).join([first, bar(share, room - used), *rest]), " ")


def bar(share: float, width: int) -> Content:
    """A line of `width` cells of which `share` is drawn thick."""
    width = max(width, 0)
    done = min(math.floor(share * width), width)
    return Content.assemble(("━" * done, "$success"), ("─" * (width - done), "$faint"))


def _joined(pieces: Sequence[Piece], width: int, gap: str) -> Content:
    return Content(gap).join([piece.content for piece in _kept(pieces, width, len(gap))])


def _kept(pieces: Sequence[Piece], width: int, gap: int) -> list[Piece]:
    """The pieces without those of highest rank that do not fit; the first in rank stays, cut by the line's end."""
    kept = list(pieces)
    while len(kept) > 1 and sum(piece.content.cell_length + gap for piece in kept) - gap > width:
        kept.remove(max(kept, key=lambda piece: piece.rank))
    return kept

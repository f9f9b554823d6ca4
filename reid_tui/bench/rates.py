"""What event logs and recorded terminals tell: pace, losses, and how soon a key showed."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from reid_tui.bench.screen import Screen
from reid_tui.training.events import PhaseChanged, Progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reid_tui.bench.terminal import Chunk
    from reid_tui.training.events import AnyEvent

WARM_UP_STEPS: Final = 50
"""Steps of a run, or of the plain loop, before the clock starts."""


class Press(NamedTuple):
    """A key, and what it should make the screen say."""

    at: float
    """Seconds of `time.perf_counter`, as the recording's."""
    margin: float
    """That the screen shows once the key has had its effect."""


def pairs_per_s(events: Iterable[AnyEvent], warm_up_steps: int) -> float:
    """Pairs trained between the first progress from `warm_up_steps` on and the last, over the time between the two.

    Evaluations, snapshots and saves that lie between are time like any other.

    Raises:
        ValueError: fewer than two progress events after the warm-up, or no time between them.
    """
    progress = [event for event in events if isinstance(event, Progress) and event.step >= warm_up_steps]
    if len(progress) < 2:
        raise ValueError(f"the log has {len(progress)} progress events from step {warm_up_steps} on; two are needed")
    first, last = progress[0], progress[-1]
    if last.time <= first.time:
        raise ValueError("no time passes between the log's progress events")
    return (last.pairs_seen - first.pairs_seen) / (last.time - first.time)


def losses(events: Iterable[AnyEvent]) -> tuple[tuple[int, float], ...]:
    """Step and loss of each step that was told of."""
    return tuple(one for event in events if isinstance(event, Progress) for one in event.of_steps())


def equal_losses(a: Sequence[tuple[int, float]], b: Sequence[tuple[int, float]]) -> int:
    """How many steps from the start are bitwise equal; all of them when it is the length of both."""
    for count, ((step_a, loss_a), (step_b, loss_b)) in enumerate(zip(a, b, strict=False)):
        if step_a != step_b or not (loss_a == loss_b or (math.isnan(loss_a) and math.isnan(loss_b))):
            return count
    return min(len(a), len(b))


def evaluation_spans(events: Iterable[AnyEvent]) -> Iterator[tuple[float, float]]:
    """From when to when the trainer was evaluating or saving, in Unix seconds."""
    since: float | None = None
    for event in events:
        if isinstance(event, PhaseChanged):
            if since is not None:
                yield since, event.time
            since = event.time if event.phase in ("evaluating", "saving") else None


def shows_margin(line: str, margin: float) -> bool:
    """Whether a line names the margin with this value, also as the end of a change from one to another."""
    value = re.escape(f"{margin:.2f}")
    return re.search(rf"margin\D{{0,24}}(?:\d+\.\d+\s*(?:→|->|to)\s*)?{value}(?!\d)", line, re.IGNORECASE) is not None


def latencies_ms(chunks: Sequence[Chunk], presses: Sequence[Press], columns: int, rows: int) -> list[float | None]:
    """Play a recording again and find for each key when the screen first showed its effect.

    Args:
        chunks: all that was read from the terminal since the command was started.
        presses: in order of time; no margin occurs twice.
        columns: of the terminal.
        rows: of the terminal.

    Returns:
        For each press the milliseconds until the bytes had arrived, or None where the effect never showed.
    """
    screen = Screen(columns, rows)
    found: list[float | None] = [None] * len(presses)
    waiting = list(range(len(presses)))
    for chunk in chunks:
        screen.feed(chunk.data)
        due = [index for index in waiting if presses[index].at <= chunk.at]
        if not due:
            continue
        lines = screen.lines()
        for index in due:
            if any(shows_margin(line, presses[index].margin) for line in lines):
                found[index] = (chunk.at - presses[index].at) * 1000
                waiting.remove(index)
    return found

"""Which events are worth a toast, and what it says. The words are the log's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from reid_tui.training.events import (
    AlarmRaised,
    AnyEvent,
    CheckpointSaved,
    CommandRefused,
    Diverged,
    Failed,
    Finished,
    Lost,
    LrChanged,
    MarginChanged,
    Rewound,
    Stopped,
    Warned,
)
from reid_tui.view.wording import log_line

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST: Final = 3
"""Toasts at once; the log has the rest."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A toast."""

    text: str
    severity: Literal["information", "warning", "error"] = "information"
    rings: bool = False
    """The terminal's bell with it."""


def notice(event: AnyEvent) -> Notice | None:
    """The toast for an event, None for what the panels show well enough."""
    line = log_line(event)
    if line is None:
        return None
    match event:
        case MarginChanged() | LrChanged():
            return Notice(line.text)
        case CheckpointSaved():
            return Notice(line.text) if event.reason == "asked" else None
        case CommandRefused() | Warned():
            return Notice(line.text, "warning")
        case AlarmRaised():
            return Notice(line.text, "warning", rings=True)
        case Diverged():
            return Notice(f"{line.text}; b goes back", "error", rings=True)
        case Rewound():
            return Notice(line.text)
        case Failed() | Lost():
            return Notice(line.text, "error", rings=True)
        case Finished() | Stopped():
            return Notice(line.text, rings=True)
        case _:
            return None


def notices(events: Iterable[AnyEvent]) -> list[Notice]:
    """The toasts of a batch: of several changes of one setting only the last, and at most `MOST`."""
    by_key: dict[object, Notice] = {}
    for event in events:
        if (item := notice(event)) is not None:
            key: object = type(event) if isinstance(event, (MarginChanged, LrChanged)) else item.text
            if isinstance(event, CommandRefused):
                key = event.command, event.reason
            by_key.pop(key, None)
            by_key[key] = item
    return list(by_key.values())[-MOST:]

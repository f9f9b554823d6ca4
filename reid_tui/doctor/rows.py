"""One line of what `reid-tui doctor` found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from reid_tui.errors import ReidTuiError

Status = Literal["ok", "note", "problem"]
NOTHING_TO_DO: Final = "nothing has to be done"


@dataclass(frozen=True, slots=True)
class Row:
    """A finding. Its texts may hold anything that the machine says; who shows them makes them safe."""

    topic: str
    status: Status
    """note: runs work, yet there is something worth knowing; problem: a run fails or goes badly wrong."""
    text: str
    remedy: str = ""
    """What to do about it; empty where it is ok."""


def from_error(topic: str, status: Status, error: ReidTuiError) -> Row:
    """A finding that is an error of ours, which ends in its remedy."""
    text, _, remedy = str(error).rpartition("; ")
    return Row(topic, status, text or remedy, remedy if text else "name another")

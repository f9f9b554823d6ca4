"""What one drawing of the screen is made from: the run, what the person set, and the terminal's style."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reid_tui.view.run_state import RunState

if TYPE_CHECKING:
    from reid_tui.view.numbers import NumberRow
    from reid_tui.view.palette import ChartStyle

SMOOTHINGS = (0.0, 0.9, 0.98, 0.995)
"""What `w` goes through."""


@dataclass(frozen=True, slots=True)
class Controls:
    """How the person wants the plots."""

    highlight: int | None = None
    log_axis: bool = False
    smoothing: float = SMOOTHINGS[2]
    margin: float | None = None
    """One that is being typed, shown in place of the run's."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Immutable; panels compare the parts they draw."""

    style: ChartStyle
    state: RunState = field(default_factory=RunState)
    controls: Controls = field(default_factory=Controls)
    tabs: tuple[str, ...] = ()
    """Panels that take turns in one place."""
    deaf: bool = False
    """Nobody takes commands here."""
    cost: tuple[NumberRow, ...] = ()
    """What the screen itself costs."""
    slower: float = 1.0
    """What is not urgent is drawn so many times less often."""

"""Listens to what a trainer tells, and raises alarms behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reid_tui.training.alarms.block import Blocks
from reid_tui.training.alarms.losses import Collapse, NothingLeft, Plateau
from reid_tui.training.alarms.pace import Slow
from reid_tui.training.alarms.rule import Span
from reid_tui.training.alarms.scores import Norm, OneSwallows, Overfitting
from reid_tui.training.events import (
    AlarmOver,
    AlarmRaised,
    DistancesReady,
    Evaluated,
    Progress,
    Rewound,
    RunStarted,
    Warned,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from reid_tui.training.alarms.rule import News, Rule
    from reid_tui.training.events import AnyEvent, Listener

RULES: Final[tuple[Callable[[Span], Rule], ...]] = (
    Collapse,
    Norm,
    NothingLeft,
    Overfitting,
    OneSwallows,
    Plateau,
    Slow,
)


class Alarms:
    """Passes every event on, and then what follows from it. Knows no weights: training cannot depend on it.

    Begins anew with the run's start and with each return to a checkpoint: what holds again is raised again.
    """

    def __init__(self, listener: Listener, *, can_pause: bool) -> None:
        """Tell a listener.

        Args:
            listener: gets every event.
            can_pause: whether somebody could go on after a pause.
        """
        self._listener = listener
        self._can_pause = can_pause
        self._start: RunStarted | None = None
        self._rules: list[Rule] = []
        self._blocks = Blocks(0, 0)
        self._raised: dict[str, int] = {}
        """Those that stand, and since which step."""
        self._pause = False

    def __call__(self, event: AnyEvent) -> None:
        """Pass an event on."""
        self._listener(event)
        match event:
            case Progress():
                if (block := self._blocks.add(event)) is not None:
                    self._take(block, event.step)
            case DistancesReady() | Evaluated():
                if 0 < event.step < self._last:  # an untrained network is none to judge, and at the end it is too late
                    self._take(event, event.step)
            case RunStarted():
                self._start = event
                self._begin(event, event.step)
                if event.config.on_alarm == "pause" and not self._can_pause:
                    words = "nobody can go on from here after a pause: alarms are told, and training goes on"
                    self._listener(Warned(step=event.step, code="on_alarm", message=f"--on-alarm pause: {words}"))
            case Rewound() if self._start is not None:
                self._begin(self._start, event.step)
            case _:
                pass

    def take_pause(self) -> bool:
        """Whether an alarm asks for a pause; once for each that is raised."""
        wanted, self._pause = self._pause, False
        return wanted

    @property
    def _last(self) -> int:
        return self._start.total_steps if self._start else 0

    def _begin(self, start: RunStarted, step: int) -> None:
        blocks, total = Blocks(step, start.total_steps), start.total_steps
        span = Span(start, short=blocks.of(1 / 20, total, 5), long=blocks.of(1 / 5, total, 25))
        self._blocks, self._raised, self._pause = blocks, {}, False
        self._rules = [rule(span) for rule in RULES]

    def _take(self, news: News, step: int) -> None:
        for rule in self._rules:
            since = self._raised.get(rule.alarm)
            finding = rule.take(news, raised=since is not None)
            if finding is None or finding.holds == (since is not None):
                continue
            if since is not None:
                del self._raised[rule.alarm]
                self._listener(AlarmOver(step=step, alarm=rule.alarm, since=since))
                continue
            self._raised[rule.alarm] = finding.since
            self._pause |= self._can_pause and self._start is not None and self._start.config.on_alarm == "pause"
            self._listener(
                AlarmRaised(
                    step=step,
                    alarm=rule.alarm,
                    since=finding.since,
                    message=finding.message,
                    remedy=rule.remedy,
                )
            )

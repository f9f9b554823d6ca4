"""How long a run is, and after which of its steps something is due: a matter of its settings and data alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reid_tui.config import margin_plan
from reid_tui.data.pairs import steps_per_epoch
from reid_tui.learning.schedules import check_schedule
from reid_tui.learning.schedules import factor as schedule_factor
from reid_tui.training.scoring import map_interval

if TYPE_CHECKING:
    from reid_tui.config import MarginPlan, RunConfig

PROGRESS_LINES: Final = 20_000
"""About so many progress events in a long run."""


def total_steps(config: RunConfig, images: int) -> int:
    """Steps of the whole run: its epochs, or fewer where `steps` says so."""
    whole = config.epochs * steps_per_epoch(images, config.batch_size)
    return whole if config.steps is None else min(whole, config.steps)


@dataclass(frozen=True, slots=True)
class Course:
    """Numbers of steps, counted from 1 once they are done."""

    total: int
    per_epoch: int
    eval_every: int
    map_every: int
    progress_every: int
    schedule: str
    margins: MarginPlan

    def epoch(self, step: int) -> int:
        """From 1; a step at the border belongs to the epoch that it ends."""
        return max(0, step - 1) // self.per_epoch + 1

    def ends_epoch(self, step: int) -> bool:
        """Whether an epoch is done by then."""
        return step % self.per_epoch == 0

    def until_due(self, done: int) -> int:
        """Steps that follow so many until one after which something is due or the margin changes, or the last."""
        every = (self.per_epoch, self.eval_every, self.map_every)
        return min(self.total, self.margins.next_after(done), *(done + part - done % part for part in every)) - done

    def tells(self, before: int, after: int) -> bool:
        """Whether a progress event is due in between."""
        return after // self.progress_every > before // self.progress_every or after == self.total

    def factor(self, done: int) -> float:
        """What the base learning rate is multiplied by in the step that follows so many."""
        return schedule_factor(self.schedule, done, self.total, epoch_steps=self.per_epoch)


def course_of(config: RunConfig, images: int, *, on_gpu: bool = False) -> Course:
    """The course of a run that draws from so many images.

    Raises:
        UsageError: its schedule has no room in it.
    """
    per_epoch, total = steps_per_epoch(images, config.batch_size), total_steps(config, images)
    check_schedule(config.schedule, total)
    return Course(
        total=total,
        per_epoch=per_epoch,
        eval_every=max(1, round(config.eval_every * per_epoch)),
        map_every=map_interval(config.batch_size, total, on_gpu=on_gpu, bf16=config.precision.startswith("bf16")),
        progress_every=max(1, total // PROGRESS_LINES),
        schedule=config.schedule,
        margins=margin_plan(config.margin_schedule, config.margin, per_epoch),
    )

"""What a trainer says of itself while it goes: what it turns to, how far it is, and what it sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reid_tui.errors import advice
from reid_tui.training.events import Finished, PhaseChanged, Progress, Warned
from reid_tui.training.inside import inside_margin
from reid_tui.training.pictures import distances_of, map_of, scores_of

if TYPE_CHECKING:
    from reid_tui.config import RunConfig
    from reid_tui.data.pairs import EpochPairs
    from reid_tui.training.course import Course
    from reid_tui.training.events import Evaluated, Listener, Phase
    from reid_tui.training.keeper import Keeper
    from reid_tui.training.learner import Learner
    from reid_tui.training.scoring import Picture, Scored
    from reid_tui.training.steps.parts import StepResult
    from reid_tui.training.stopwatch import Stopwatch


class Telling:
    """Makes events of what the trainer has at hand. Changes nothing of it."""

    def __init__(
        self,
        config: RunConfig,
        emit: Listener,
        course: Course,
        learner: Learner,
        watch: Stopwatch,
        keeper: Keeper,
        split: str,
    ) -> None:
        """Take the run's config, who is told, what the events are read from, who keeps the maps, and of which split."""
        self._config = config
        self._emit = emit
        self._course = course
        self._learner = learner
        self._watch = watch
        self._keeper = keeper
        self._split = split

    def phase(self, step: int, phase: Phase, detail: str = "") -> None:
        """What the trainer turns to."""
        self._emit(PhaseChanged(step=step, phase=phase, detail=detail))

    def warn(self, step: int, code: str, message: str) -> None:
        """What training survives."""
        self._emit(Warned(step=step, code=code, message=message))

    def progress(
        self,
        step: int,
        pairs: EpochPairs,
        result: StepResult,
        losses: tuple[float, ...],
        *,
        pairs_seen: int,
        skipped: int,
    ) -> None:
        """The newest step, on those pairs; `losses` of all that this tells of, empty where it is this one alone."""
        self._emit(
            Progress(
                step=step,
                epoch=self._course.epoch(step),
                loss=result.loss,
                losses=losses,
                margin=self._learner.margin,
                lr=self._learner.lr,
                pairs_seen=pairs_seen,
                pairs_per_s=self._watch.pairs_per_s,
                wall_s=self._watch.seconds,
                skipped=skipped,
                teaching=result.teaching,
                rate=self._learner.rate,
                inside=inside_margin(self._config, result.teaching, pairs.same_P),
            )
        )

    def picture(self, step: int, picture: Picture | None) -> None:
        """The map and its distances, or that there are none."""
        if picture is None:
            self.warn(step, "not_scored", f"step {step} was not scored: the embedding has run out of bounds")
            return
        path = ""
        try:
            path = self._keeper.snapshot(step, picture)
        except OSError as error:
            self.warn(step, "snapshot_failed", f"the map at step {step} could not be kept: {advice(error, '')}")
        self._emit(map_of(picture, step=step, split=self._split, path=path))
        self._emit(distances_of(picture, step=step, split=self._split))

    def scores(self, step: int, scored: Scored) -> list[Evaluated]:
        """Of every split; thresholds and hub with those of the main one."""
        epoch, found = self._course.epoch(step), []
        for split, evaluation in scored.evaluations.items():
            more = (scored.fitted, scored.hub) if split == self._split else (None, None)
            found.append(scores_of(evaluation, *more, step=step, epoch=epoch, split=split))
            self._emit(found[-1])
        return found

    def finished(self, step: int, loss: float) -> Finished:
        """The end, with the mean loss of the last epoch."""
        reason = "epochs" if self._course.ends_epoch(step) else "steps"
        event = Finished(step=step, reason=reason, steps=step, wall_s=self._watch.seconds, loss=loss)
        self._emit(event)
        return event

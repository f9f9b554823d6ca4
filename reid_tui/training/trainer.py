"""The loop: steps, evaluations, snapshots and saves, in an order that depends on the settings alone.

Runs in one thread, tells what happened through a listener and reads commands between two steps. Knows neither screen
nor log.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from reid_tui.errors import LostProcessError
from reid_tui.training import events as ev
from reid_tui.training.alarms import Alarms
from reid_tui.training.card import ModelCard, model_card
from reid_tui.training.course import course_of
from reid_tui.training.epoch_loss import EpochLoss
from reid_tui.training.left_out import LeftOut
from reid_tui.training.manifest import EXPLODED, TrainingState
from reid_tui.training.questions import Questions
from reid_tui.training.run_started import run_started
from reid_tui.training.saving import AGAIN, NEVER, Saving
from reid_tui.training.scheduled_margin import ScheduledMargin
from reid_tui.training.steering import Script, Signed, Steering, StopTraining
from reid_tui.training.stopwatch import Stopwatch
from reid_tui.training.telling import Telling

if TYPE_CHECKING:
    from torch import Tensor

    from reid_tui.config import RunConfig
    from reid_tui.data.dataset import Dataset
    from reid_tui.data.pairs import EpochPairs
    from reid_tui.training import commands as cmd
    from reid_tui.training.channels import CommandBox
    from reid_tui.training.keeper import Keeper
    from reid_tui.training.learner import Learner
    from reid_tui.training.scoring import Scored, Scorer
    from reid_tui.training.steps.parts import StepResult

RUINED_TO_DIVERGE: Final = 3


class BrokenOffError(Exception):
    """An evaluation that nobody waits for any more."""


class Trainer:
    """Trains one network. Owns step, margin and learning rate (through its learner) until the run ends."""

    def __init__(
        self,
        config: RunConfig,
        dataset: Dataset,
        learner: Learner,
        scorer: Scorer,
        keeper: Keeper,
        emit: ev.Listener,
        inbox: CommandBox,
        *,
        steerable: bool,
        script: Script | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            config: resolved; of the run, also after a resume.
            dataset: trained and tested on.
            learner: network and optimiser.
            scorer: of the images that are not trained on.
            keeper: of checkpoints and snapshots.
            emit: gets every event, in this thread.
            inbox: read between two steps.
            steerable: whether somebody can go on after a divergence; otherwise it ends the run.
            script: orders set beforehand; a divergence does not end a run that has them.
        """
        self._config = config
        self._dataset = dataset
        self._learner = learner
        self._scorer = scorer
        self._keeper = keeper
        self._alarms = Alarms(emit, can_pause=steerable and script is None)
        self._emit = Signed(self._alarms)
        self._inbox = inbox
        self._steerable = steerable
        self._scripted = script is not None
        self._course = course_of(config, len(learner.identities_N), on_gpu=learner.device.type == "cuda")
        self._step = 0
        self._epoch_loss = EpochLoss()
        self._pairs_seen = 0
        self._skipped = 0
        self._ruined_in_row = 0
        self._scores: tuple[float, float | None] | None = None
        """mAP and rank-1 of this very step, of the split that chooses."""
        self._rewinds = 0
        self._went_back = False
        """To another checkpoint than the newest one, before it was opened."""
        self._watch = Stopwatch()
        self._margins = ScheduledMargin(self._course.margins, learner, config.margin_limit.high)
        self._steering = Steering(inbox, learner, self._margins, self._watch, self._emit, script)
        self._telling = Telling(config, self._emit, self._course, learner, self._watch, keeper, scorer.split)
        self._drawn: tuple[tuple[int, frozenset[int]], EpochPairs] | None = None
        self._left_out = LeftOut(self._course.per_epoch)
        self._questions = Questions(config, dataset, learner, scorer, keeper, self._emit, self._left_out)
        self._saving = Saving(keeper, learner, scorer, self._emit, model_card(config, dataset))

    def restore(
        self,
        state: TrainingState,
        tensors: dict[str, Tensor],
        rewinds: int | None = None,
        card: ModelCard | None = None,
    ) -> None:
        """Go on where a checkpoint left off, but for its count of steps skipped in a row.

        Args:
            state: of the checkpoint.
            tensors: of the same.
            rewinds: how often the run will have gone back by that; None where this is no going back.
            card: of the checkpoint, for its fit.

        Raises:
            CheckpointError: it is of another network, whose weights are not taken.
        """
        self._scorer.restore(tensors)
        self._learner.restore(tensors)
        self._saving.take_fit(*((card.fitted, card.fitted_step) if card else (None, None)))
        self._step = state.step
        self._epoch_loss = EpochLoss(state.epoch_loss_sum, state.epoch_pairs)
        self._pairs_seen = state.pairs_seen
        self._skipped = state.skipped
        self._ruined_in_row = 0
        self._rewinds = state.rewinds if rewinds is None else rewinds
        self._went_back = self._rewinds > state.rewinds
        self._watch.seconds = state.wall_s
        self._scores = None if state.map is None else (state.map, state.rank1)
        self._learner.margin, self._margins.offset = state.margin, state.margin_offset
        self._learner.lr = state.lr
        self._left_out.restore(state)

    def state(self) -> TrainingState:
        """All that the next step depends on, apart from tensors, and what the weights are worth."""
        map_, rank1 = self._scores or (None, None)
        return TrainingState(
            step=self._step,
            epoch_loss_sum=self._epoch_loss.loss_sum,
            epoch_pairs=self._epoch_loss.pairs,
            pairs_seen=self._pairs_seen,
            margin=self._learner.margin,
            margin_offset=self._margins.offset,
            lr=self._learner.lr,
            skipped=self._skipped,
            skipped_in_row=self._ruined_in_row,
            wall_s=self._watch.seconds,
            map=map_,
            rank1=rank1,
            split="" if map_ is None else self._scorer.choosing,
            loss=self._learner.loss_ahead(self._next_pairs(), self._step),
            rewinds=self._rewinds,
            **self._left_out.state(self._step),
        )

    @property
    def step(self) -> int:
        """Optimiser steps done, skipped ones counted."""
        return self._step

    def run(self, name: str) -> ev.AnyEvent:
        """Train to the end, or until told to stop.

        Args:
            name: of the run, for the first event.

        Returns:
            The last event: Finished, Stopped or Diverged.
        """
        self._watch.start()
        self._emit(
            run_started(
                self._config,
                self._dataset,
                self._learner,
                run=name,
                step=self._step,
                total_steps=self._course.total,
                steps_per_epoch=self._course.per_epoch,
                left_out=tuple(sorted(self._left_out.last)),
            )
        )
        try:
            if self._went_back:
                self.save("rewound")
            elif self._step == 0 and (self._config.init is not None or self._config.pretrained):
                self.save("asked")  # no seed draws these weights again
            if self._scores is None and self._step % self._course.eval_every == 0:
                self.evaluate()  # the first, or one that a stop broke off
            self._telling.phase(self._step, "training")
            while self._step < self._course.total:
                self._steering.obey(self)
                if self._train_steps() and (end := self._diverge()):
                    return end
                if self._alarms.take_pause():
                    self._steering.pause(self._step)
            return self._finish()
        except StopTraining as stop:
            return self._stop(stop.command)
        except LostProcessError as error:
            return self._lost(error)
        finally:
            self._emit.refusals.tell(all_of_them=True)

    def _next_pairs(self, ahead: int = 0) -> EpochPairs:
        """Those of the next step, or of one further ahead in the same epoch."""
        epoch, index = divmod(self._step, self._course.per_epoch)
        wanted = epoch, self._left_out.of(epoch)
        if self._drawn is None or self._drawn[0] != wanted:
            self._drawn = wanted, self._learner.draw(*wanted)
        size = self._config.batch_size
        return self._drawn[1][(index + ahead) * size : (index + ahead + 1) * size]

    def _until_something_is_due(self) -> int:
        """Steps to take at once: more than one only where nothing lies between them."""
        if self._steering.paused or self._scripted:
            return 1
        return min(self._learner.at_once, self._course.until_due(self._step))

    def _train_steps(self) -> bool:
        """Take the next steps; returns whether training has diverged."""
        first = self._step
        batches = [self._next_pairs(ahead) for ahead in range(self._until_something_is_due())]
        before = time.perf_counter()
        results = self._learner.advance(batches, first, [self._course.factor(first + k) for k in range(len(batches))])
        seconds = (time.perf_counter() - before) / len(results)
        diverged = False
        for pairs, result in zip(batches, results, strict=True):
            self._watch.count_step(seconds, len(pairs))
            diverged |= self._count(result, len(pairs))
        self._scores = None
        if self._course.tells(first, self._step) or self._steering.paused or not all(r.applied for r in results):
            losses = tuple(result.loss for result in results)
            told = losses if len(losses) > 1 and self._course.progress_every == 1 else ()
            self._telling.progress(
                self._step, batches[-1], results[-1], told, pairs_seen=self._pairs_seen, skipped=self._skipped
            )
        self._after_step()
        return diverged

    def _count(self, result: StepResult, pairs: int) -> bool:
        """Take account of a step; returns whether as many in a row are ruined as make a divergence."""
        self._step += 1
        self._pairs_seen += pairs
        if result.applied:
            self._epoch_loss.add(result.loss, pairs)
        else:
            self._skipped += 1
            self._telling.warn(
                self._step, "step_skipped", f"step {self._step} was skipped: its loss or gradient is not finite"
            )
        self._ruined_in_row = 0 if result.applied and result.loss <= EXPLODED else self._ruined_in_row + 1
        return bool(self._ruined_in_row) and self._ruined_in_row % RUINED_TO_DIVERGE == 0

    def _after_step(self) -> None:
        if epoch_done := self._course.ends_epoch(self._step):
            loss = self._epoch_loss.close()
            self._emit(
                ev.EpochEnded(
                    step=self._step, epoch=self._course.epoch(self._step), loss=loss, wall_s=self._watch.seconds
                )
            )
        if self._step % self._course.eval_every == 0:
            self.evaluate()
        elif self._step % self._course.map_every == 0:
            self._telling.picture(self._step, self._scorer.snapshot(self._learner.scored, self._learner.margin))
        if epoch_done:
            self.save("epoch")
        else:
            self.save_if_due()

    def evaluate(self, *, everything: bool = False) -> None:
        """Score the sample of every split, or all images, and show both. A Stop that comes meanwhile breaks it off."""
        self._telling.phase(self._step, "evaluating", "all test images" if everything else "")
        try:
            network, margin = self._learner.scored, self._learner.margin
            scored = self._scorer.evaluate(network, margin, everything=everything, go_on=self._go_on)
        except BrokenOffError:
            pass
        else:
            self._telling.picture(self._step, None if scored is None else scored.picture)
            if scored is not None:
                self._tell_scores(scored, everything=everything)
        self._telling.phase(self._step, "training")

    def _go_on(self) -> None:
        """Between two parts of an evaluation."""
        if self._inbox.told_to_stop:
            raise BrokenOffError

    def _tell_scores(self, scored: Scored, *, everything: bool) -> None:
        self._saving.take_fit(scored.fitted, self._step)
        for event in self._telling.scores(self._step, scored):
            if event.split == self._scorer.choosing and not everything and math.isfinite(event.map):
                self._scores = event.map, event.rank1 if math.isfinite(event.rank1) else None

    def answer(self, question: cmd.Question) -> None:
        """Say what is asked of single images."""
        self._questions.answer(question, self._step)

    # Saving.

    def save(self, reason: str, then: str = AGAIN) -> bool:
        """Write a checkpoint; returns whether it is not to be tried again."""
        self._telling.phase(self._step, "saving")
        done = self._saving.save(self.state(), reason, then)
        self._telling.phase(self._step, "training")
        return done

    def save_again_in(self) -> float | None:
        """Seconds until a failed save is due again, None where none failed."""
        return self._saving.again_in()

    def save_if_due(self) -> None:
        """Try a failed save again when its time has come."""
        if reason := self._saving.due:
            self.save(reason)

    def _save_last(self, reason: str, then: str) -> bool:
        if not self._saving.holds(self._step, self._learner.margin, self._learner.lr):
            return self.save(reason, then)
        self._saving.save_fit(self._step)
        return True

    # Going back.

    def go_back(self, step: int) -> None:
        """Take up an earlier checkpoint, or with step 0 the beginning, and look at it.

        Raises:
            CheckpointError: there is no good one of that step, or it does not verify; nothing is changed.
        """
        state, tensors, card = self._saving.earlier(step, self._config)
        from_step = self._step
        self.restore(state, tensors, self._rewinds + 1, card)
        self._emit(self.rewound(from_step))
        self.save("rewound")
        self.evaluate()

    def rewound(self, from_step: int) -> ev.Rewound:
        """Where the run stands after it went back."""
        return ev.Rewound(
            step=self._step,
            from_step=from_step,
            margin=self._learner.margin,
            lr=self._learner.lr,
            pairs_seen=self._pairs_seen,
            skipped=self._skipped,
            wall_s=self._watch.seconds,
            left_out=tuple(sorted(self._left_out.last)),
        )

    # Ends.

    def _diverge(self) -> ev.Diverged | None:
        """Say so; wait for a person, or end where there is none."""
        what = f"a loss above {EXPLODED:g}, or a loss or gradient that is not finite"
        reason = f"{RUINED_TO_DIVERGE} steps in a row had {what}"
        event = ev.Diverged(step=self._step, reason=reason, checkpoint=self._keeper.newest())
        self._emit(event)
        if self._scripted:
            return None  # whoever steered the run went on
        self._steering.paused = True
        return None if self._steerable else event

    def _stop(self, command: cmd.Stop) -> ev.Stopped | ev.Failed:
        if command.save and not self._save_last("stopped", NEVER):
            return self._saving.lost(self._step)
        event = ev.Stopped(step=self._step, reason=command.reason, saved=command.save)
        self._emit(event)
        return event

    def _lost(self, error: LostProcessError) -> ev.Failed:
        """Save what this process has, and say who is gone."""
        saved = self._save_last("stopped", NEVER)
        where = f"step {self._step} is saved, --resume goes on from it" if saved else "the last step is not saved"
        event = ev.Failed(step=self._step, message=f"{error}; {where}", exit_code=error.exit_code)
        self._emit(event)
        return event

    def _finish(self) -> ev.Finished | ev.Failed:
        self._save_last("finished", "it is tried again after the last evaluation")
        self.evaluate(everything=True)
        if self._inbox.told_to_stop:
            self._steering.obey(self)
        if not self._save_last("finished", NEVER):
            return self._saving.lost(self._step)
        return self._telling.finished(self._step, self._epoch_loss.mean)

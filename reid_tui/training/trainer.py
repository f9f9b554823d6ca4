"""The loop: steps, evaluations, snapshots and saves, in an order that depends on the settings alone.

Runs in one thread, tells what happened through a listener and reads commands between two steps. Knows neither screen
nor log.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from reid_tui.data.pairs import draw_epoch, steps_per_epoch
from reid_tui.errors import advice, why
from reid_tui.training import events as ev
from reid_tui.training.checkpoint import TrainingState
from reid_tui.training.run_started import run_started
from reid_tui.training.scoring import map_interval
from reid_tui.training.steering import Script, Signed, Steering, StopTraining
from reid_tui.training.stopwatch import Stopwatch

if TYPE_CHECKING:
    from reid_tui.config import RunConfig
    from reid_tui.data.dataset import Dataset
    from reid_tui.data.pairs import EpochPairs
    from reid_tui.training import commands as cmd
    from reid_tui.training.channels import CommandBox
    from reid_tui.training.keeper import Keeper
    from reid_tui.training.learner import Learner
    from reid_tui.training.scoring import Picture, Scorer

SKIPS_TO_DIVERGE: Final = 3
PROGRESS_LINES: Final = 20_000
"""About so many progress events in a long run."""
SAVE_AGAIN_S: Final = 30.0
"""After a failed save."""
_AGAIN: Final = f"it is tried again in {SAVE_AGAIN_S:.0f} s"
_NEVER: Final = "the run ends without it"


class BrokenOffError(Exception):
    """An evaluation that nobody waits for any more."""


def total_steps(config: RunConfig, images: int) -> int:
    """Steps of the whole run: its epochs, or fewer where `steps` says so."""
    whole = config.epochs * steps_per_epoch(images, config.batch_size)
    return whole if config.steps is None else min(whole, config.steps)


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
            scorer: of the test images.
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
        self._emit = Signed(emit)
        self._inbox = inbox
        self._steerable = steerable
        self._scripted = script is not None
        images = len(dataset.train)
        self._per_epoch = steps_per_epoch(images, config.batch_size)
        self._total = total_steps(config, images)
        self._eval_every = max(1, round(config.eval_every * self._per_epoch))
        self._map_every = map_interval(config.batch_size, self._total)
        self._progress_every = max(1, self._total // PROGRESS_LINES)
        self._step = 0
        self._epoch_loss_sum = 0.0
        self._epoch_pairs = 0
        self._epoch_loss = math.nan
        self._pairs_seen = 0
        self._skipped = 0
        self._skipped_in_row = 0
        self._map: float | None = None
        self._watch = Stopwatch()
        self._steering = Steering(inbox, learner, self._watch, self._emit, script)
        self._drawn: tuple[int, EpochPairs] | None = None
        self._saved: tuple[int, float, float] | None = None
        self._save_again: tuple[float, str, str] | None = None

    def restore(self, state: TrainingState) -> None:
        """Go on where a checkpoint left off; learner and scorer are restored by whoever calls this."""
        self._step = state.step
        self._epoch_loss_sum = state.epoch_loss_sum
        self._epoch_pairs = state.epoch_pairs
        self._pairs_seen = state.pairs_seen
        self._skipped = state.skipped
        self._skipped_in_row = state.skipped_in_row
        self._watch.seconds = state.wall_s
        self._map = state.map
        self._learner.margin = state.margin
        self._learner.lr = state.lr

    def state(self) -> TrainingState:
        """All that the next step depends on, apart from tensors."""
        return TrainingState(
            step=self._step,
            epoch_loss_sum=self._epoch_loss_sum,
            epoch_pairs=self._epoch_pairs,
            pairs_seen=self._pairs_seen,
            margin=self._learner.margin,
            lr=self._learner.lr,
            skipped=self._skipped,
            skipped_in_row=self._skipped_in_row,
            wall_s=self._watch.seconds,
            map=self._map,
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
                total_steps=self._total,
                steps_per_epoch=self._per_epoch,
            )
        )
        try:
            if self._map is None and self._step % self._eval_every == 0:
                self.evaluate()  # the first, or one that a stop broke off
            self._phase("training")
            while self._step < self._total:
                self._steering.obey(self)
                self._train_step()
                if self._skipped_in_row >= SKIPS_TO_DIVERGE and (end := self._diverge()):
                    return end
            return self._finish()
        except StopTraining as stop:
            return self._stop(stop.command)
        finally:
            self._emit.refusals.tell(all_of_them=True)

    def _train_step(self) -> None:
        epoch, index = divmod(self._step, self._per_epoch)
        if self._drawn is None or self._drawn[0] != epoch:
            self._drawn = epoch, draw_epoch(self._dataset.train.identities, self._config.seed, epoch)
        size = self._config.batch_size
        pairs = self._drawn[1][index * size : (index + 1) * size]
        before = time.perf_counter()
        result = self._learner.step(pairs)
        self._watch.count_step(time.perf_counter() - before, len(pairs))
        self._step += 1
        self._map = None
        self._pairs_seen += len(pairs)
        if result.applied:
            self._epoch_loss_sum += result.loss * len(pairs)
            self._epoch_pairs += len(pairs)
            self._skipped_in_row = 0
        else:
            self._skipped += 1
            self._skipped_in_row += 1
            self._warn("step_skipped", f"step {self._step} was skipped: its loss or gradient is not finite")
        last = self._step == self._total
        if last or self._steering.paused or not result.applied or self._step % self._progress_every == 0:
            self._progress(epoch + 1, result.loss)
        self._after_step(epoch + 1, epoch_done=self._step % self._per_epoch == 0)

    def _after_step(self, epoch: int, *, epoch_done: bool) -> None:
        if epoch_done:
            self._epoch_loss = self._running_loss()
            self._emit(ev.EpochEnded(step=self._step, epoch=epoch, loss=self._epoch_loss, wall_s=self._watch.seconds))
            self._epoch_loss_sum, self._epoch_pairs = 0.0, 0
        if self._step % self._eval_every == 0:
            self.evaluate()
        elif self._step % self._map_every == 0:
            self._show(self._scorer.snapshot(self._learner.network, self._learner.margin))
        if epoch_done:
            self.save("epoch")
        else:
            self.save_if_due()

    def _running_loss(self) -> float:
        return self._epoch_loss_sum / self._epoch_pairs if self._epoch_pairs else self._epoch_loss

    def evaluate(self, *, everything: bool = False) -> None:
        """Score the sample, or all test images, and show both. A Stop that comes meanwhile breaks it off."""
        self._phase("evaluating", "all test images" if everything else "")
        try:
            picture = self._scorer.evaluate(
                self._learner.network, self._learner.margin, everything=everything, go_on=self._go_on
            )
        except BrokenOffError:
            pass
        else:
            self._show(picture)
            if picture is not None:
                self._tell_scores(picture, everything=everything)
        self._phase("training")

    def _go_on(self) -> None:
        """Between two parts of an evaluation."""
        if self._inbox.told_to_stop:
            raise BrokenOffError

    def _tell_scores(self, picture: Picture, *, everything: bool) -> None:
        scores = picture.evaluation.scores
        if not everything:
            self._map = scores.map if math.isfinite(scores.map) else None
        self._emit(
            ev.Evaluated(
                step=self._step,
                epoch=self._epoch_now(),
                split=self._scorer.split,
                images=scores.images,
                rank1=scores.rank1,
                map=scores.map,
                auc=scores.auc,
                eer=scores.eer,
                threshold=scores.threshold,
                d_prime=scores.d_prime,
            )
        )

    def _show(self, picture: Picture | None) -> None:
        if picture is None:
            self._warn("not_scored", f"step {self._step} was not scored: the embedding has run out of bounds")
            return
        path = ""
        try:
            path = self._keeper.snapshot(self._step, picture)
        except OSError as error:
            self._warn("snapshot_failed", f"the map at step {self._step} could not be kept: {advice(error, '')}")
        histogram = picture.evaluation.histogram
        split = self._scorer.split
        self._emit(
            ev.EmbeddingsReady(
                step=self._step, split=split, path=path, points=picture.points, identities=picture.identities
            )
        )
        self._emit(
            ev.DistancesReady(
                step=self._step,
                split=split,
                edges=histogram.edges,
                same=histogram.same,
                different=histogram.different,
                threshold=picture.evaluation.scores.threshold,
            )
        )

    # Saving.

    def save(self, reason: str, then: str = _AGAIN) -> bool:
        """Write a checkpoint; a failure is told and remembered, and training goes on.

        What a person asked for in vain is made good by the next save, whatever that one is for. `then` says what
        becomes of this one when it fails.
        """
        if self._save_again and self._save_again[1] == "asked":
            reason = "asked"
        self._phase("saving")
        before = time.perf_counter()
        try:
            path = self._keeper.save({**self._learner.tensors(), **self._scorer.tensors()}, self.state(), reason)
        except OSError as error:
            self._save_again = time.monotonic() + SAVE_AGAIN_S, reason, why(error)
            told = f"{why(error)}; {then}" if then == _NEVER else advice(error, then)
            self._warn("save_failed", f"the checkpoint at step {self._step} could not be saved: {told}")
        else:
            self._saved = self._version()
            self._save_again = None
            seconds = time.perf_counter() - before
            self._emit(ev.CheckpointSaved(step=self._step, path=path, seconds=seconds, reason=reason))
        self._phase("training")
        return self._save_again is None

    def save_again_in(self) -> float | None:
        """Seconds until a failed save is due again, None where none failed."""
        return None if self._save_again is None else max(0.0, self._save_again[0] - time.monotonic())

    def save_if_due(self) -> None:
        """Try a failed save again when its time has come."""
        if self._save_again and time.monotonic() >= self._save_again[0]:
            self.save(self._save_again[1])

    def _version(self) -> tuple[int, float, float]:
        """What tells two checkpoints of a run apart."""
        return self._step, self._learner.margin, self._learner.lr

    def _save_last(self, reason: str, then: str) -> bool:
        return (self._saved == self._version() and self._keeper.holds(self._step)) or self.save(reason, then)

    # Ends.

    def _diverge(self) -> ev.Diverged | None:
        """Say so; wait for a person, or end where there is none."""
        if self._saved is None:
            self._save_last("diverged", _AGAIN if self._steerable or self._scripted else _NEVER)
        reason = f"{SKIPS_TO_DIVERGE} steps in a row had a loss or gradient that is not finite"
        event = ev.Diverged(step=self._step, reason=reason, checkpoint=self._keeper.newest())
        self._emit(event)
        self._skipped_in_row = 0
        if self._scripted:
            return None  # whoever steered the run went on
        self._steering.paused = True
        return None if self._steerable else event

    def _stop(self, command: cmd.Stop) -> ev.Stopped | ev.Failed:
        if command.save and not self._save_last("stopped", _NEVER):
            return self._save_lost()
        event = ev.Stopped(step=self._step, reason=command.reason, saved=command.save)
        self._emit(event)
        return event

    def _finish(self) -> ev.Finished | ev.Failed:
        self._save_last("finished", "it is tried again after the last evaluation")
        self.evaluate(everything=True)
        if self._inbox.told_to_stop:
            self._steering.obey(self)
        if not self._save_last("finished", _NEVER):
            return self._save_lost()
        event = ev.Finished(
            step=self._step,
            reason="epochs" if self._step % self._per_epoch == 0 else "steps",
            steps=self._step,
            wall_s=self._watch.seconds,
            loss=self._epoch_loss if self._step % self._per_epoch == 0 else self._running_loss(),
        )
        self._emit(event)
        return event

    def _save_lost(self) -> ev.Failed:
        assert self._save_again is not None
        before = f"the one before is {newest}" if (newest := self._keeper.newest()) else "there is none before it"
        message = f"the last checkpoint could not be saved: {self._save_again[2]}; {before}"
        event = ev.Failed(step=self._step, message=message)
        self._emit(event)
        return event

    # Words.

    def _epoch_now(self) -> int:
        """From 1; a step at the border belongs to the epoch that it ends."""
        return max(0, self._step - 1) // self._per_epoch + 1

    def _phase(self, phase: ev.Phase, detail: str = "") -> None:
        self._emit(ev.PhaseChanged(step=self._step, phase=phase, detail=detail))

    def _warn(self, code: str, message: str) -> None:
        self._emit(ev.Warned(step=self._step, code=code, message=message))

    def _progress(self, epoch: int, loss: float) -> None:
        self._emit(
            ev.Progress(
                step=self._step,
                epoch=epoch,
                loss=loss,
                margin=self._learner.margin,
                lr=self._learner.lr,
                pairs_seen=self._pairs_seen,
                pairs_per_s=self._watch.pairs_per_s,
                wall_s=self._watch.seconds,
                skipped=self._skipped,
            )
        )

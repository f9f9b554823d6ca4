"""Checkpoints of the network in training: saving them, what failed and is tried again, and taking up earlier ones."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reid_tui.errors import CheckpointError, advice, why
from reid_tui.training.events import CheckpointSaved, Failed, Warned
from reid_tui.training.manifest import TrainingState, beginning

if TYPE_CHECKING:
    from torch import Tensor

    from reid_tui.config import RunConfig
    from reid_tui.evaluation.operating import Fitted
    from reid_tui.training.card import ModelCard
    from reid_tui.training.events import Listener
    from reid_tui.training.keeper import Keeper
    from reid_tui.training.learner import Learner
    from reid_tui.training.scoring import Scorer

SAVE_AGAIN_S: Final = 30.0
"""After a failed save."""
AGAIN: Final = f"it is tried again in {SAVE_AGAIN_S:.0f} s"
NEVER: Final = "the run ends without it"


class Saving:
    """A failure is told and remembered, and training goes on."""

    def __init__(self, keeper: Keeper, learner: Learner, scorer: Scorer, emit: Listener, card: ModelCard) -> None:
        """Take who writes, whose tensors are written, who is told, and what the network needs to be used."""
        self._keeper = keeper
        self._learner = learner
        self._scorer = scorer
        self._emit = emit
        self._card = card
        self._saved: tuple[int, float, float] | None = None
        self._saved_card = card
        self._again: tuple[float, str, str] | None = None

    def save(self, state: TrainingState, reason: str, then: str) -> bool:
        """Write a checkpoint; returns whether it is not to be tried again.

        What a person asked for in vain is made good by the next save, whatever that one is for. `then` says what
        becomes of this one when it fails.
        """
        if self._again and self._again[1] == "asked":
            reason = "asked"
        before = time.perf_counter()
        try:
            tensors = {**self._learner.tensors(), **self._scorer.tensors()}
            path = self._keeper.save(tensors, state, reason, self._card)
        except OSError as error:
            self._again = time.monotonic() + SAVE_AGAIN_S, reason, why(error)
            told = f"{why(error)}; {then}" if then == NEVER else advice(error, then)
            self._warn(state.step, "save_failed", f"could not be saved: {told}")
            return False
        except CheckpointError as error:
            self._warn(state.step, "not_saved", f"is not saved: {error}")
        else:
            seconds = time.perf_counter() - before
            self._emit(CheckpointSaved(step=state.step, path=path, seconds=seconds, reason=reason, good=state.sound))
        self._saved, self._saved_card = (state.step, state.margin, state.lr), self._card
        self._again = None
        return True

    def take_fit(self, fitted: Fitted | None, step: int | None) -> None:
        """What is saved from here on carries these thresholds, of the weights of that step."""
        self._card = replace(self._card, fitted=fitted, fitted_step=step)

    def save_fit(self, step: int) -> None:
        """Give the checkpoint of this step the newest thresholds; its tensors stay as they were saved."""
        if self._card == self._saved_card:
            return
        try:
            self._keeper.save_card(step, self._card)
        except (OSError, CheckpointError) as error:
            self._warn(step, "save_failed", f"keeps its older thresholds: {why(error)}")
        else:
            self._saved_card = self._card

    def earlier(self, step: int, config: RunConfig) -> tuple[TrainingState, dict[str, Tensor], ModelCard | None]:
        """What the good checkpoint of a step holds; for step 0 the run's beginning, of which there need be none.

        Raises:
            CheckpointError: there is no good one of that step, or it does not verify.
        """
        try:
            checkpoint = self._keeper.load(step)
        except CheckpointError:
            if step > 0:
                raise
            return beginning(config), self._learner.beginning(), None
        return checkpoint.manifest.state, checkpoint.tensors, checkpoint.manifest.card

    def holds(self, step: int, margin: float, lr: float) -> bool:
        """Whether the checkpoint saved last is of this step and with these values, and is there."""
        return self._saved == (step, margin, lr) and self._keeper.holds(step)

    def again_in(self) -> float | None:
        """Seconds until a failed save is due again, None where none failed."""
        return None if self._again is None else max(0.0, self._again[0] - time.monotonic())

    @property
    def due(self) -> str | None:
        """What a failed save was for, once its time has come."""
        return self._again[1] if self._again and self.again_in() == 0 else None

    def lost(self, step: int) -> Failed:
        """The end of a run whose last save failed."""
        assert self._again is not None
        before = f"the one before is {newest}" if (newest := self._keeper.newest()) else "there is none before it"
        event = Failed(step=step, message=f"the last checkpoint could not be saved: {self._again[2]}; {before}")
        self._emit(event)
        return event

    def _warn(self, step: int, code: str, what: str) -> None:
        self._emit(Warned(step=step, code=code, message=f"the checkpoint at step {step} {what}"))

"""What the processes beside rank 0 do: what they are told, until rank 0 lets them go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reid_tui.data.pairs import steps_per_epoch
from reid_tui.training.together.embedding import embed_for
from reid_tui.training.together.group import Work

if TYPE_CHECKING:
    from reid_tui.config import RunConfig
    from reid_tui.data.pairs import EpochPairs
    from reid_tui.training.learner import Learner
    from reid_tui.training.scoring import Scorer
    from reid_tui.training.together.group import Group, Task


class Follower:
    """Keeps nothing that rank 0 does not have."""

    def __init__(self, group: Group, config: RunConfig, learner: Learner, scorer: Scorer) -> None:
        """Take what the work is done with."""
        self._group = group
        self._config = config
        self._learner = learner
        self._scorer = scorer
        self._per_epoch = steps_per_epoch(len(learner.identities_N), config.batch_size)
        self._drawn: tuple[int, EpochPairs] | None = None

    def run(self) -> None:
        """Do what comes.

        Raises:
            LostProcessError: somebody is gone.
        """
        while (task := self._group.next()).work != Work.END:
            match task.work:
                case Work.STEP:
                    self._learner.margin, self._learner.lr = task.margin, task.rate
                    self._learner.step(self._pairs(task.number), task.number)
                case Work.RESTORE:
                    self._learner.restore(self._group.handed_out(task))
                case Work.EMBED:
                    self._embed(task)

    def _embed(self, task: Task) -> None:
        network, number = self._learner.scored, task.number
        embed_for(
            self._group,
            task,
            lambda index: self._scorer.embed(network, number, index),
            self._config.embedding_dim,
        )

    def _pairs(self, step: int) -> EpochPairs:
        """The whole batch of a step, as rank 0 draws it."""
        epoch, index = divmod(step, self._per_epoch)
        if self._drawn is None or self._drawn[0] != epoch:
            self._drawn = epoch, self._learner.draw(epoch)
        size = self._config.batch_size
        return self._drawn[1][index * size : (index + 1) * size]

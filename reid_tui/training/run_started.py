"""The first event of a run: everything that stands from its start."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import torch

from reid_tui.learning.networks import parameter_count
from reid_tui.training.card import carried
from reid_tui.training.device import describe_device
from reid_tui.training.events import SCHEMA, DatasetFacts, RunStarted

if TYPE_CHECKING:
    from reid_tui.config import RunConfig
    from reid_tui.data.dataset import Dataset
    from reid_tui.training.learner import Learner


def run_started(
    config: RunConfig,
    data: Dataset,
    learner: Learner,
    *,
    run: str,
    step: int,
    total_steps: int,
    steps_per_epoch: int,
    left_out: tuple[int, ...] = (),
) -> RunStarted:
    """Describe a run that is about to train.

    Args:
        config: resolved.
        data: what is trained on.
        learner: its margin and learning rate are those of the next step.
        run: the run directory, or a name.
        step: done so far; above 0 after a resume.
        total_steps: planned.
        steps_per_epoch: of this data and batch size.
        left_out: places of the training images that no epoch to come forms pairs with.
    """
    return RunStarted(
        step=step,
        schema=SCHEMA,
        run=run,
        device=describe_device(learner.device),
        precision=config.precision,
        dataset=DatasetFacts(
            name=data.name,
            train_images=len(data.train),
            test_images=len(data.test),
            identities=len(data.train_identity_names),
            identity_names=carried(data.identity_names[: int(data.test.identities.max(initial=-1)) + 1]),
            source=data.source,
            unseen=data.unseen,
            choice=data.choice,
            same_names=data.identity_names == data.train_identity_names,
        ),
        model=config.model,
        parameters=parameter_count(learner.network),
        batch_size=config.batch_size,
        pairs=config.pairs,
        margin=learner.margin,
        lr=learner.lr,
        seed=config.seed,
        epochs=config.epochs,
        total_steps=total_steps,
        steps_per_epoch=steps_per_epoch,
        pid=os.getpid(),
        config=config,
        torch=str(torch.__version__),
        threads=torch.get_num_threads(),
        cpu=torch.backends.cpu.get_cpu_capability(),
        processes=1 if (group := learner.parts.group) is None else group.rank.world_size,
        left_out=left_out,
    )

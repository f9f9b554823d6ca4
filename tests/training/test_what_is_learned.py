"""Every loss with every miner on every network of ours: it learns, and a resume gives the same bits."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reid_tui import config as settings
from reid_tui.config import RunConfig, RunOptions, resolve
from reid_tui.data.dataset import Dataset, ImageSet
from reid_tui.errors import CheckpointError, UsageError
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training.checkpoint import load_checkpoint
from reid_tui.training.learner import Learner
from tests.conftest import IDENTITIES
from tests.training.rig import Rig

CPU = torch.device("cpu")
COMBINED = [(loss, miner) for loss in settings.LOSSES for miner in settings.miners_of(loss)]
TALL = 20


def tiny_run(**asked: Any) -> RunConfig:
    options = RunOptions(**{"epochs": 2, "batch_size": 16, "seed": 3, "pairs": "batch", **asked})
    return dataclasses.replace(resolve(options, "fashion-mnist", IDENTITIES), data="tiny", eval_images=40)


def taken(learner: Learner, steps: range) -> list[float]:
    pairs = learner.draw(0)
    return [learner.step(pairs[16 * step : 16 * step + 16], step).loss for step in steps]


@pytest.mark.slow
@pytest.mark.parametrize("model", settings.MODELS)
@pytest.mark.parametrize(("loss", "miner"), COMBINED)
def test_two_steps_are_finite_and_a_resume_takes_the_second_to_the_bit(
    loss: str, miner: str, model: str, tiny: Dataset
) -> None:
    config = tiny_run(loss=loss, miner=miner, model=model, average_weights=0.5, augment="light", embedding_dim=8)
    learner = Learner(config, tiny.train, CPU)
    first = taken(learner, range(1))
    half = {name: value.clone() for name, value in learner.tensors().items()}
    second = taken(learner, range(1, 2))
    assert all(map(math.isfinite, first + second))
    again = Learner(config, tiny.train, CPU)
    again.restore(half)
    assert taken(again, range(1, 2)) == second
    whole = learner.tensors()
    assert whole.keys() == again.tensors().keys()
    assert all(torch.equal(value, again.tensors()[name]) for name, value in whole.items())


@pytest.mark.slow
@pytest.mark.parametrize("model", settings.MODELS)
@pytest.mark.parametrize(("loss", "miner"), COMBINED)
def test_the_loss_of_one_batch_falls_when_it_is_trained_on(loss: str, miner: str, model: str, tiny: Dataset) -> None:
    learner = Learner(tiny_run(loss=loss, miner=miner, model=model, embedding_dim=8), tiny.train, CPU)
    pairs = learner.draw(0)[:16]
    losses = [learner.step(pairs, 0).loss for _ in range(8)]
    assert min(losses[1:]) < losses[0]


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", settings.OPTIMIZERS)
@pytest.mark.parametrize("schedule", settings.SCHEDULES)
def test_stopped_and_resumed_is_never_stopped(optimizer: str, schedule: str, tiny: Dataset, tmp_path: Path) -> None:
    config = tiny_run(optimizer=optimizer, schedule=schedule, weight_decay=0.01, loss="proxy-anchor", model="bn")
    whole = Rig(config, tiny, tmp_path / "a")
    assert isinstance(whole.run(), ev.Finished)
    begun = Rig(config, tiny, tmp_path / "b")
    begun.at[5] = lambda: begun.inbox.put(cmd.Stop())
    begun.run()
    checkpoint = load_checkpoint(tmp_path / "b" / "checkpoints" / "step-00000005.json")
    rest = Rig(config, tiny, tmp_path / "b")
    rest.trainer.restore(checkpoint.manifest.state, checkpoint.tensors)
    rest.run()
    assert rest.losses() == {step: loss for step, loss in whole.losses().items() if step > 5}
    assert all(torch.equal(value, rest.learner.tensors()[name]) for name, value in whole.learner.tensors().items())


def test_a_schedule_moves_the_rate_and_the_key_scales_it(tiny: Dataset, tmp_path: Path) -> None:
    rig = Rig(tiny_run(schedule="onecycle", lr=1e-2), tiny, tmp_path)
    rig.at[8] = lambda: rig.inbox.put(cmd.SetLearningRate(2e-2))
    rig.run()
    told = [event for event in rig.events if isinstance(event, ev.Progress)]
    assert told[0].rate == pytest.approx(1e-2 / 25)
    assert [event.lr for event in told] == [1e-2] * 8 + [2e-2] * 8
    assert max(event.rate for event in told[:8]) == pytest.approx(1e-2, rel=0.1)
    assert told[-1].rate < 1e-6
    assert told[8].rate > 1.5 * told[7].rate


@pytest.mark.parametrize(
    ("asked", "measured"), [({"pairs": "random"}, True), ({"pairs": "batch"}, True), ({"loss": "ntxent"}, False)]
)
def test_each_step_tells_what_share_still_teaches_where_that_means_something(
    asked: dict[str, Any], measured: bool, tiny: Dataset, tmp_path: Path
) -> None:
    rig = Rig(dataclasses.replace(tiny_run(**asked), steps=4), tiny, tmp_path)
    rig.run()
    shares = [event.teaching for event in rig.told(ev.Progress)]
    assert len(shares) == 4
    assert all(0 < share <= 1 if measured else math.isnan(share) for share in shares)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "words"),
    [({"loss": "ntxent"}, "ntxent has a temperature"), ({"normalize": True}, "at most 2 apart")],
)
def test_a_margin_that_does_nothing_is_refused_with_the_reason(
    asked: dict[str, Any], words: str, tiny: Dataset, tmp_path: Path
) -> None:
    rig = Rig(tiny_run(**asked), tiny, tmp_path)
    rig.at[2] = lambda: rig.inbox.put(cmd.SetMargin(2.5))
    rig.run()
    (refused,) = (event for event in rig.events if isinstance(event, ev.CommandRefused))
    assert words in refused.reason
    assert not [event for event in rig.events if isinstance(event, ev.MarginChanged)]


def test_weights_of_another_run_are_begun_with_and_come_back_with_the_beginning(tiny: Dataset, tmp_path: Path) -> None:
    other = Learner(tiny_run(embedding_dim=4, seed=9), tiny.train, CPU)
    taken(other, range(2))
    config = dataclasses.replace(tiny_run(embedding_dim=8), init="other")
    learner = Learner(config, tiny.train, CPU, other.tensors())
    given, begun = other.network.state_dict(), learner.network.state_dict()
    assert torch.equal(given["conv1.weight"], begun["conv1.weight"])
    assert given["fc2.weight"].shape != begun["fc2.weight"].shape
    with pytest.raises(CheckpointError, match="step 0"):
        learner.beginning()
    with pytest.raises(UsageError):
        Learner(dataclasses.replace(config, model="small"), tiny.train, CPU, other.tensors())


def test_what_a_run_begins_with_is_saved_where_no_seed_draws_it_again(tiny: Dataset, tmp_path: Path) -> None:
    rig = Rig(dataclasses.replace(tiny_run(), init="other", steps=2), tiny, tmp_path)
    rig.run()
    saved = [event.step for event in rig.events if isinstance(event, ev.CheckpointSaved)]
    assert saved[0] == 0
    rig.trainer.go_back(0)
    assert rig.trainer.step == 0


def test_turned_pictures_are_identities_of_their_own(tiny: Dataset, tmp_path: Path) -> None:
    learner = Learner(tiny_run(rotations=True), tiny.train, CPU)
    count = len(tiny.train)
    assert len(learner.identities_N) == 4 * count
    assert len(np.unique(learner.identities_N)) == 4 * IDENTITIES
    batch = learner._images.batch(np.array([5, 5 + count, 5 + 2 * count, 5 + 3 * count]))
    upright = torch.from_numpy(tiny.train.images[5])
    assert all(torch.equal(batch[q], torch.rot90(upright, q, (1, 2))) for q in range(4))
    tall = ImageSet(np.zeros((4, 1, TALL, 16), np.uint8), np.array([0, 0, 1, 1]))
    with pytest.raises(UsageError, match="--rotations needs square pictures"):
        Learner(tiny_run(rotations=True), tall, CPU)


def test_a_skipped_step_leaves_the_statistics_of_normalisations(tiny: Dataset) -> None:
    learner = Learner(tiny_run(model="bn"), tiny.train, CPU)
    taken(learner, range(1))
    before = {name: value.clone() for name, value in learner.tensors().items()}
    learner.margin = math.inf
    assert not learner.step(learner.draw(0)[16:32], 1).applied
    learner.margin = 1.0
    assert all(torch.equal(value, before[name]) for name, value in learner.tensors().items())


def test_a_checkpoint_costs_no_bit_of_a_network_with_statistics(tiny: Dataset) -> None:
    learner = Learner(tiny_run(model="small"), tiny.train, CPU)
    taken(learner, range(1))
    before = {name: value.clone() for name, value in learner.tensors().items()}
    learner.loss_ahead(learner.draw(0)[16:32], 1)
    assert all(torch.equal(value, before[name]) for name, value in learner.tensors().items())


def test_what_is_scored_is_the_average(tiny: Dataset) -> None:
    learner = Learner(tiny_run(average_weights=0.9), tiny.train, CPU)
    taken(learner, range(3))
    assert learner.scored is not learner.network
    mine, averaged = learner.network.state_dict(), learner.scored.state_dict()
    assert not torch.equal(mine["conv1.weight"], averaged["conv1.weight"])
    assert Learner(tiny_run(), tiny.train, CPU).scored is not None

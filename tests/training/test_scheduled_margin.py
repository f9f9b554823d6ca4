"""A run whose margin follows a schedule: each step has the margin that stands there, whatever happens in between."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from reid_tui.config import RunConfig
from reid_tui.data.dataset import Dataset
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training.checkpoint import load_latest, load_step
from reid_tui.training.steps.eager import EagerSteps
from tests.training.rig import Rig

SCHEDULE = "1 until 0.5, to 2 until 1.5, 0.7 until 2, 1.2"
"""Of 8 steps an epoch: a straight line from step 4 to 12, then jumps."""
MARGINS = [1.0] * 5 + [1.125, 1.25, 1.375, 1.5, 1.625, 1.75, 1.875] + [0.7] * 4 + [1.2] * 8
"""Of each step."""
CHANGES = [(step, now) for step, (old, now) in enumerate(itertools.pairwise(MARGINS), 1) if old != now]


@pytest.fixture
def config(tiny_config: RunConfig) -> RunConfig:
    return dataclasses.replace(tiny_config, margin_schedule=SCHEDULE)


@pytest.fixture
def scheduled(config: RunConfig, tiny: Dataset, tmp_path: Path) -> Rig:
    return Rig(config, tiny, tmp_path / "scheduled")


def margins(*rigs: Rig) -> list[float]:
    by_step = {event.step: event.margin for rig in rigs for event in rig.told(ev.Progress)}
    assert sorted(by_step) == list(range(1, 25))
    return [by_step[step] for step in sorted(by_step)]


def orders(rig: Rig, changes: Sequence[tuple[int, cmd.Command]]) -> None:
    for step, command in changes:
        rig.at[step] = lambda command=command: rig.inbox.put(command, "attach 42")  # type: ignore[misc]


def resumed(config: RunConfig, tiny: Dataset, folder: Path, step: int | None = None) -> Rig:
    rig = Rig(config, tiny, folder)
    saved = load_latest(folder / "checkpoints")[0] if step is None else load_step(folder / "checkpoints", step)
    rig.trainer.restore(saved.manifest.state, saved.tensors)
    return rig


def equal(one: Rig, two: Rig) -> bool:
    return all(torch.equal(value, two.weights()[name]) for name, value in one.weights().items())


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [1, 3, 8])
def test_it_is_a_run_in_which_the_same_margins_are_set_at_the_same_steps(
    scheduled: Rig,
    tiny_config: RunConfig,
    tiny: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
) -> None:
    by_hand = Rig(tiny_config, tiny, tmp_path / "hand")
    orders(by_hand, [(step, cmd.SetMargin(value)) for step, value in CHANGES])
    by_hand.run()
    assert margins(by_hand) == MARGINS
    monkeypatch.setattr(EagerSteps, "at_once", at_once)
    scheduled.run()
    assert equal(scheduled, by_hand)
    assert [(e.step, e.new, e.origin) for e in scheduled.told(ev.MarginChanged)] == [
        (step, value, "schedule") for step, value in CHANGES
    ]
    lines = scheduled.told(ev.Progress)
    assert [event.margin for event in lines] == [MARGINS[event.step - 1] for event in lines]
    losses = [loss for event in lines for loss in event.losses or (event.loss,)]
    assert losses == list(by_hand.losses().values())


def test_stairs_of_a_line_say_where_it_leads(scheduled: Rig) -> None:
    scheduled.run()
    told = scheduled.told(ev.MarginChanged)
    assert [event.on_the_way for event in told] == [True] * 7 + [False] * 2
    assert {event.ramp for event in told} == {(1.0, 2.0), ()}


@pytest.mark.slow
@pytest.mark.parametrize("stop", [5, 8, 12, 16])
def test_it_goes_on_bit_for_bit(scheduled: Rig, config: RunConfig, tiny: Dataset, tmp_path: Path, stop: int) -> None:
    scheduled.run()
    first = Rig(config, tiny, tmp_path / "two")
    orders(first, [(stop, cmd.Stop())])
    first.run()
    second = resumed(config, tiny, tmp_path / "two")
    second.run()
    assert margins(first, second) == MARGINS
    assert equal(second, scheduled)


@pytest.mark.slow
def test_what_a_person_turns_is_added_to_what_follows(config: RunConfig, tiny: Dataset, tmp_path: Path) -> None:
    turned = [
        (2, cmd.ShiftMargin(0.05)),
        (9, cmd.SetMargin(1.7)),
        (14, cmd.ShiftMargin(-0.05)),
        (20, cmd.SetMargin(1.2)),
    ]
    whole = Rig(config, tiny, tmp_path / "whole")
    orders(whole, turned)
    whole.run()
    expected = [1.0] * 2 + [1.05] * 3 + [1.175, 1.3, 1.425, 1.55, 1.7, 1.825, 1.95]
    expected += [0.775] * 2 + [0.725] * 2 + [1.225] * 4 + [1.2] * 4
    assert margins(whole) == pytest.approx(expected, abs=1e-9)
    by_hand = [event.step for event in whole.told(ev.MarginChanged) if event.origin == "attach 42"]
    assert by_hand == [2, 9, 14, 20]

    first = Rig(config, tiny, tmp_path / "two")
    orders(first, [*turned[:2], (11, cmd.Stop())])
    first.run()
    second = resumed(config, tiny, tmp_path / "two")
    orders(second, turned[2:])
    second.run()
    assert margins(first, second) == margins(whole)
    assert equal(second, whole)


def test_out_of_its_limits_the_margin_stays_and_comes_back(config: RunConfig, tiny: Dataset, tmp_path: Path) -> None:
    rig = Rig(dataclasses.replace(config, normalize=True), tiny, tmp_path)
    orders(rig, [(1, cmd.ShiftMargin(0.9)), (18, cmd.SetMargin(0.1))])
    rig.run()
    expected = [1.0] + [1.9] * 11 + [1.6] * 4 + [1.6] * 2 + [0.1] * 6
    assert margins(rig) == pytest.approx(expected, abs=1e-9)


def test_a_pause_and_single_steps_go_along_with_it(scheduled: Rig) -> None:
    def step_by_step() -> None:
        for command in (cmd.Pause(), *[cmd.Step()] * 3, cmd.Save(), cmd.Resume()):
            scheduled.inbox.put(command)

    scheduled.at = {11: step_by_step}
    scheduled.run()
    assert margins(scheduled) == MARGINS


@pytest.mark.slow
@pytest.mark.parametrize("back", [0, 8])
def test_going_back_takes_the_schedule_back(scheduled: Rig, back: int) -> None:
    scheduled.at = {13: lambda: [scheduled.inbox.put(order) for order in (cmd.GoBack(back), cmd.Resume())]}
    scheduled.run()
    again = scheduled.told(ev.Progress)[13:]
    assert again[0].step == back + 1
    assert [event.margin for event in again] == MARGINS[back:]


@pytest.mark.slow
def test_a_checkpoint_at_the_very_step_of_a_change(config: RunConfig, tiny: Dataset, tmp_path: Path) -> None:
    """The epoch's own is written before the change, one that is asked for after it."""
    for name, commands in (("before", ()), ("after", (cmd.Save(),))):
        rig = Rig(config, tiny, tmp_path / name)
        rig.at = {
            16: lambda rig=rig, commands=commands: [rig.inbox.put(order) for order in (*commands, cmd.Stop(save=False))]
        }
        rig.run()
        again = resumed(config, tiny, tmp_path / name, 16)
        assert again.learner.margin == (1.2 if commands else 0.7)
        again.run()
        assert margins(rig, again) == MARGINS


def test_a_run_without_one_keeps_what_was_turned(tiny_config: RunConfig, tiny: Dataset, tmp_path: Path) -> None:
    rig = Rig(tiny_config, tiny, tmp_path)
    orders(rig, [(2, cmd.SetMargin(1.5)), (12, cmd.Stop())])
    rig.run()
    again = resumed(tiny_config, tiny, tmp_path)
    again.run()
    assert margins(rig, again) == [1.0] * 2 + [1.5] * 22
    assert len(again.told(ev.MarginChanged)) == 0

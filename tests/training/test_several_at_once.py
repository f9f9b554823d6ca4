"""Where several steps are taken in one call, as on a GPU, nothing but the number of progress events is another."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from reid_tui.config import RunConfig
from reid_tui.data.dataset import Dataset
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training.steps.batches import Batch
from reid_tui.training.steps.costs import Costs
from reid_tui.training.steps.eager import EagerSteps
from reid_tui.view.fold import fold
from reid_tui.view.run_state import RunState
from tests.training.rig import Rig

AT_ONCE = 3


@pytest.fixture(params=["constant", "onecycle"])
def config(request: pytest.FixtureRequest, tiny_config: RunConfig) -> RunConfig:
    return dataclasses.replace(tiny_config, schedule=request.param)


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EagerSteps, "at_once", AT_ONCE)


def ran(config: RunConfig, tiny: Dataset, folder: Path, **at: Any) -> Rig:
    rig = Rig(config, tiny, folder)
    rig.at = {int(step[1:]): order for step, order in at.items()}
    rig.run()
    return rig


@pytest.mark.slow
def test_weights_losses_and_events_are_the_same(
    config: RunConfig, tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = ran(config, tiny, tmp_path / "one")
    monkeypatch.setattr(EagerSteps, "at_once", AT_ONCE)
    rig = ran(config, tiny, tmp_path / "several")
    assert [event.step for event in rig.told(ev.Progress)] == [3, 4, 7, 8, 11, 12, 15, 16, 19, 20, 23, 24]
    assert [len(event.losses) for event in rig.told(ev.Progress)][:4] == [3, 0, 3, 0]
    for kind in (ev.EpochEnded, ev.Evaluated):
        assert [(event.step, getattr(event, "loss", 0)) for event in rig.told(kind)] == [
            (event.step, getattr(event, "loss", 0)) for event in one.told(kind)
        ]
    assert all(torch.equal(value, one.weights()[name]) for name, value in rig.weights().items())
    curves = [fold(RunState(), some.events).history for some in (one, rig)]
    assert curves[0].steps.tolist() == curves[1].steps.tolist() == list(range(1, 25))
    assert curves[0].losses.tolist() == curves[1].losses.tolist()
    assert [(e.lr, e.rate) for e in rig.told(ev.Progress)] == [
        (e.lr, e.rate) for e in one.told(ev.Progress) if e.step in {event.step for event in rig.told(ev.Progress)}
    ]


def test_commands_act_after_what_was_begun_and_a_pause_takes_single_steps(
    tiny_config: RunConfig, tiny: Dataset, tmp_path: Path, several: None
) -> None:
    rig = Rig(tiny_config, tiny, tmp_path)
    rig.at = {
        3: lambda: rig.inbox.put(cmd.SetMargin(1.5)),
        7: lambda: [rig.inbox.put(command) for command in (cmd.Pause(), cmd.Step(), cmd.Step())],
        9: lambda: rig.inbox.put(cmd.Resume()),
    }
    rig.run()
    assert [event.step for event in rig.told(ev.MarginChanged)] == [3]
    assert [event.step for event in rig.told(ev.Progress)][:7] == [3, 4, 7, 8, 9, 12, 15]
    assert [event.margin for event in rig.told(ev.Progress)][:2] == [1.0, 1.5]


def test_one_that_is_not_finite_among_several_is_told_and_skipped(
    tiny_config: RunConfig, tiny: Dataset, tmp_path: Path, several: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, taken = Costs.of, [0]

    def spoiled(costs: Costs, batch: Batch, step: int) -> Any:
        taken[0] += torch.is_grad_enabled()
        cost = whole(costs, batch, step)
        return cost._replace(loss=cost.loss * (math.inf if taken[0] == 2 else 1))

    monkeypatch.setattr(Costs, "of", spoiled)
    rig = ran(tiny_config, tiny, tmp_path)
    assert [(event.step, event.code) for event in rig.told(ev.Warned)] == [(2, "step_skipped")]
    first = rig.told(ev.Progress)[0]
    assert (first.step, first.skipped, [math.isfinite(loss) for loss in first.losses]) == (3, 1, [True, False, True])


def test_a_divergence_is_seen_in_the_midst_of_several(
    tiny_config: RunConfig, tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EagerSteps, "at_once", 8)
    whole, taken = Costs.of, [0]

    def spoiled(costs: Costs, batch: Batch, step: int) -> Any:
        taken[0] += torch.is_grad_enabled()
        cost = whole(costs, batch, step)
        return cost._replace(loss=cost.loss * (math.nan if taken[0] in (5, 6, 7) else 1))

    monkeypatch.setattr(Costs, "of", spoiled)
    rig = Rig(tiny_config, tiny, tmp_path, steerable=False)
    end = rig.run()
    assert isinstance(end, ev.Diverged)
    assert end.step == 8

"""Some alarms raised by real training; a healthy run raises none."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid_tui.config import RunConfig, RunOptions, resolve
from reid_tui.data.dataset import Dataset
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from tests.training.rig import Rig


def alarms_of(rig: Rig) -> list[str]:
    return [event.alarm for event in rig.told(ev.AlarmRaised)]


def longer(config: RunConfig, **fields: Any) -> RunConfig:
    """Fifteen steps an epoch."""
    return dataclasses.replace(
        config, **{"batch_size": 8, "epochs": 7, "eval_every": 1.0, "on_alarm": "pause", **fields}
    )


def blank(dataset: Dataset) -> Dataset:
    """All images alike."""
    train, test = (
        dataclasses.replace(part, images=np.zeros_like(part.images)) for part in (dataset.train, dataset.test)
    )
    return dataclasses.replace(dataset, train=train, test=test)


def with_hardly_a_margin(rig: Rig) -> Rig:
    """From step 30 on."""
    rig.at[30] = lambda: rig.inbox.put(cmd.SetMargin(0.02))
    rig.on[ev.Paused] = lambda _event: rig.inbox.put(cmd.Resume())
    assert isinstance(rig.run(), ev.Finished)
    return rig


@pytest.fixture(scope="module")
def nothing_left(tiny: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Rig:
    config = dataclasses.replace(resolve(RunOptions(seed=3), "tiny", 6), eval_images=40)
    return with_hardly_a_margin(Rig(longer(config, epochs=10), tiny, tmp_path_factory.mktemp("nothing_left")))


@pytest.mark.slow
def test_a_margin_of_almost_nothing_leaves_nothing_to_learn(nothing_left: Rig) -> None:
    (alarm,) = nothing_left.told(ev.AlarmRaised)
    assert alarm.alarm == "nothing_left"
    assert 30 < alarm.since < alarm.step < 150


@pytest.mark.slow
def test_a_pause_comes_once_for_an_alarm_and_training_goes_on(nothing_left: Rig) -> None:
    (alarm,) = nothing_left.told(ev.AlarmRaised)
    (paused,) = nothing_left.told(ev.Paused)
    assert (paused.step, paused.origin) == (alarm.step, "")
    assert not nothing_left.told(ev.AlarmOver)
    assert not nothing_left.told(ev.Warned)


@pytest.mark.slow
def test_alarms_and_pauses_cost_no_bit(nothing_left: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reid_tui.training.alarms.watch.RULES", ())
    quiet = with_hardly_a_margin(Rig(nothing_left.config, nothing_left.dataset, tmp_path))
    assert not quiet.told(ev.AlarmRaised)
    assert quiet.losses() == nothing_left.losses()
    theirs = nothing_left.weights()
    assert all(value.equal(theirs[name]) for name, value in quiet.weights().items())


@pytest.mark.slow
def test_constant_images_collapse_and_nobody_who_could_go_on_is_waited_for(
    tiny: Dataset, tiny_config: RunConfig, tmp_path: Path
) -> None:
    rig = Rig(longer(tiny_config), blank(tiny), tmp_path, steerable=False)
    assert isinstance(rig.run(), ev.Finished)
    assert alarms_of(rig) == ["collapse"]
    assert not rig.told(ev.Paused)
    (warned,) = rig.told(ev.Warned)
    assert (warned.code, warned.step) == ("on_alarm", 0)
    assert "training goes on" in warned.message


@pytest.mark.slow
def test_a_real_healthy_run_raises_none(tiny: Dataset, tiny_config: RunConfig, tmp_path: Path) -> None:
    rig = Rig(longer(tiny_config), tiny, tmp_path)
    rig.run()
    assert alarms_of(rig) == []
    assert 0 < rig.told(ev.Progress)[0].inside <= 1
    assert math.isfinite(rig.told(ev.DistancesReady)[0].norm)

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from reid_tui.config import RunConfig
from reid_tui.data.dataset import Dataset
from reid_tui.errors import CheckpointError
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training.checkpoint import Checkpoint, load_latest
from tests.training.rig import Rig


def stopped_at(step: int, config: RunConfig, data: Dataset, folder: Path) -> Checkpoint:
    rig = Rig(config, data, folder)
    rig.at[step] = lambda: rig.inbox.put(cmd.Stop())
    assert isinstance(rig.run(), ev.Stopped)
    return load_latest(folder / "checkpoints")[0]


def resumed(checkpoint: Checkpoint, config: RunConfig, data: Dataset, folder: Path) -> Rig:
    rig = Rig(config, data, folder)
    rig.trainer.restore(checkpoint.manifest.state, checkpoint.tensors)
    return rig


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, 5])
@pytest.mark.parametrize("pairs", ["random", "batch"])
@pytest.mark.parametrize("step", [1, 8, 13])
def test_stop_and_go_on_equals_never_stopping(
    step: int, pairs: str, dim: int, tiny: Dataset, tiny_config: RunConfig, tmp_path: Path
) -> None:
    config = dataclasses.replace(tiny_config, pairs=pairs, embedding_dim=dim, epochs=2)
    whole = Rig(config, tiny, tmp_path / "whole")
    whole.run()
    second = resumed(stopped_at(step, config, tiny, tmp_path / "run"), config, tiny, tmp_path / "run")
    second.run()
    assert second.losses() == {s: v for s, v in whole.losses().items() if s > step}
    assert all(torch.equal(value, second.weights()[name]) for name, value in whole.weights().items())
    for name, value in whole.learner.tensors().items():
        assert torch.equal(value, second.learner.tensors()[name]), name
    mine = [(event.step, event.loss) for event in second.told(ev.EpochEnded)]
    assert mine == [(event.step, event.loss) for event in whole.told(ev.EpochEnded)][-len(mine) :]
    assert second.told(ev.Evaluated)[-1] == whole.told(ev.Evaluated)[-1]
    last = second.told(ev.EmbeddingsReady)[-1].points
    assert torch.equal(torch.tensor(last), torch.tensor(whole.told(ev.EmbeddingsReady)[-1].points))


def test_margin_learning_rate_and_counts_come_along(tiny: Dataset, tiny_config: RunConfig, tmp_path: Path) -> None:
    rig = Rig(tiny_config, tiny, tmp_path)
    rig.at[3] = lambda: [rig.inbox.put(c) for c in (cmd.SetMargin(1.25), cmd.SetLearningRate(5e-4))]
    rig.at[6] = lambda: rig.inbox.put(cmd.Stop())
    rig.run()
    second = resumed(load_latest(tmp_path / "checkpoints")[0], tiny_config, tiny, tmp_path)
    second.run()
    first = second.told(ev.Progress)[0]
    assert (first.step, first.margin, first.lr, first.pairs_seen) == (7, 1.25, 5e-4, 7 * 16)
    assert first.wall_s > rig.told(ev.Progress)[-1].wall_s


def test_a_margin_changed_while_paused_is_in_the_last_checkpoint(
    tiny: Dataset, tiny_config: RunConfig, tmp_path: Path
) -> None:
    rig = Rig(tiny_config, tiny, tmp_path)
    rig.at[6] = lambda: [rig.inbox.put(c) for c in (cmd.Pause(), cmd.Save(), cmd.SetMargin(1.25), cmd.Stop())]
    rig.run()
    assert load_latest(tmp_path / "checkpoints")[0].manifest.state.margin == 1.25
    assert load_latest(tmp_path / "checkpoints")[0].manifest.keep


def test_another_network_is_refused_and_nothing_changes(tiny: Dataset, tiny_config: RunConfig, tmp_path: Path) -> None:
    checkpoint = stopped_at(2, tiny_config, tiny, tmp_path / "a")
    other = Rig(dataclasses.replace(tiny_config, embedding_dim=3), tiny, tmp_path / "b")
    before = other.weights()
    with pytest.raises(CheckpointError, match=r"fc2\.bias is \(2,\) there and \(3,\) here"):
        other.learner.restore(checkpoint.tensors)
    assert all(torch.equal(value, before[name]) for name, value in other.weights().items())

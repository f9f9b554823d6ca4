"""Going back to an earlier checkpoint, as a command while the run goes on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from reid_tui.config import RunConfig
from reid_tui.data.dataset import Dataset
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training.checkpoint import load_latest, manifests
from reid_tui.training.saved import step_of
from tests.training.rig import Rig, blow_up


@pytest.fixture
def rig(tiny: Dataset, tiny_config: RunConfig, tmp_path: Path) -> Rig:
    return Rig(tiny_config, tiny, tmp_path)


class TestGoingBack:
    @pytest.mark.slow
    @pytest.mark.parametrize("diverged", [False, True])
    @pytest.mark.parametrize("dim", [2, 5])
    def test_it_equals_having_turned_there(
        self, tiny: Dataset, tiny_config: RunConfig, tmp_path: Path, dim: int, diverged: bool
    ) -> None:
        """Weights, optimiser, margin, learning rate and counts are those of a run that never went on."""
        config = dataclasses.replace(tiny_config, embedding_dim=dim)
        turned, back = (Rig(config, tiny, tmp_path / name) for name in "ab")
        turned.at[4] = lambda: turned.inbox.put(cmd.SetMargin(1.5))
        turned.at[8] = lambda: turned.inbox.put(cmd.SetLearningRate(5e-4))
        turned.run()

        def rewind(_: object = None) -> None:
            back.inbox.put(cmd.GoBack(8), "attach 42")

        back.at[4] = lambda: back.inbox.put(cmd.SetMargin(1.5))
        back.at[9] = lambda: [back.inbox.put(command) for command in (cmd.SetMargin(3.0), cmd.SetLearningRate(1.0))]
        if diverged:
            back.at[10] = lambda: blow_up(back)
            back.on[ev.Diverged] = rewind
        else:
            back.at[13] = rewind
        back.on[ev.Paused] = lambda _: [
            back.inbox.put(command) for command in (cmd.SetLearningRate(5e-4), cmd.Resume())
        ]
        assert isinstance(back.run(), ev.Finished)
        (rewound,) = back.told(ev.Rewound)
        assert (rewound.step, rewound.from_step, rewound.origin) == (8, 13, "attach 42")
        assert (rewound.margin, rewound.lr, rewound.pairs_seen, rewound.skipped) == (1.5, 1e-3, 120, 0)
        later = back.events[back.events.index(rewound) :]
        order = [type(event) for event in later if not isinstance(event, ev.PhaseChanged)][:7]
        seen = [ev.EmbeddingsReady, ev.DistancesReady, ev.Evaluated]
        assert order == [ev.Rewound, ev.CheckpointSaved, *seen, ev.Paused, ev.LrChanged]
        assert {e.step: e.loss for e in later if isinstance(e, ev.Progress)} == {
            step: loss for step, loss in turned.losses().items() if step > 8
        }
        for name, value in turned.learner.tensors().items():
            assert torch.equal(value, back.learner.tensors()[name]), name
        one, two = (dataclasses.replace(r.trainer.state(), wall_s=0, rewinds=0) for r in (turned, back))
        assert one == two

    @pytest.mark.slow
    def test_to_the_beginning_where_there_is_no_checkpoint(
        self, tiny: Dataset, tiny_config: RunConfig, tmp_path: Path
    ) -> None:
        config = dataclasses.replace(tiny_config, embedding_dim=5)
        whole, back = (Rig(config, tiny, tmp_path / name) for name in "ab")
        whole.run()
        back.at[6] = lambda: blow_up(back)
        back.on[ev.Diverged] = lambda _: back.inbox.put(cmd.GoBack(0))
        back.on[ev.Paused] = lambda _: back.inbox.put(cmd.Resume())
        assert isinstance(back.run(), ev.Finished)
        assert back.losses() == whole.losses()
        for name, value in whole.learner.tensors().items():
            assert torch.equal(value, back.learner.tensors()[name]), name
        assert torch.equal(whole.scorer.tensors()["projection.basis"], back.scorer.tensors()["projection.basis"])

    def test_what_was_left_is_not_what_a_resume_takes(
        self, tiny: Dataset, tiny_config: RunConfig, tmp_path: Path
    ) -> None:
        """Killed before the first save after it."""
        rig = Rig(tiny_config, tiny, tmp_path)
        rig.at[18] = lambda: [rig.inbox.put(command) for command in (cmd.GoBack(8), cmd.Resume())]
        rig.on[ev.Resumed] = lambda _: rig.at.update({10: lambda: rig.inbox.put(cmd.Stop(save=False))})
        assert isinstance(rig.run(), ev.Stopped)
        assert {step_of(path) for path in manifests(tmp_path / "checkpoints")} == {8, 16}
        state = load_latest(tmp_path / "checkpoints")[0].manifest.state
        assert (state.step, state.rewinds) == (8, 1)
        rig.trainer.restore(state, rig.learner.tensors())
        assert rig.trainer.state().rewinds == 1

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("step", "words"),
        [(9, "the run is at step 9"), (12, "the run is at step 9"), (5, "no good checkpoint of step 5; there is 8")],
    )
    def test_refusals_say_why(self, rig: Rig, step: int, words: str) -> None:
        rig.at[9] = lambda: rig.inbox.put(cmd.GoBack(step))
        assert isinstance(rig.run(), ev.Finished)
        assert [(e.step, e.command, e.reason) for e in rig.told(ev.CommandRefused)] == [(9, "go_back", words)]
        assert sorted(rig.losses()) == list(range(1, 25))

    def test_one_that_was_damaged_is_refused_and_nothing_changes(self, rig: Rig, tmp_path: Path) -> None:
        def damage() -> None:
            path = tmp_path / "checkpoints/step-00000008.safetensors"
            path.write_bytes(path.read_bytes()[:-1] + b"x")
            rig.inbox.put(cmd.GoBack(8))

        rig.at[9] = damage
        rig.run()
        (refused,) = rig.told(ev.CommandRefused)
        assert "SHA-256" in refused.reason
        assert not rig.told(ev.Rewound)

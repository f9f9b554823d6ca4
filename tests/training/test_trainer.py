from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reid_tui.config import RunConfig
from reid_tui.data.dataset import Dataset
from reid_tui.data.pairs import pairs_of_step
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training.checkpoint import load_latest, manifests, read_manifest
from reid_tui.training.event_json import to_json
from reid_tui.training.saved import step_of
from reid_tui.training.steps.batches import Batch
from reid_tui.training.steps.costs import Costs
from tests.training.rig import Rig, blow_up


@pytest.fixture
def rig(tiny: Dataset, tiny_config: RunConfig, tmp_path: Path) -> Rig:
    return Rig(tiny_config, tiny, tmp_path)


def test_a_whole_run(rig: Rig, tmp_path: Path) -> None:
    end = rig.run()
    assert isinstance(end, ev.Finished)
    assert (end.step, end.reason) == (24, "epochs")
    started = rig.told(ev.RunStarted)[0]
    assert (started.total_steps, started.steps_per_epoch, started.parameters) == (24, 8, 315_010)
    assert sorted(rig.losses()) == list(range(1, 25))
    assert [event.step for event in rig.told(ev.EpochEnded)] == [8, 16, 24]
    assert [(event.step, event.images) for event in rig.told(ev.Evaluated)] == [
        *((step, 40) for step in (0, 4, 8, 12, 16, 20, 24)),
        (24, 60),
    ]
    assert rig.told(ev.Evaluated)[-1].map > rig.told(ev.Evaluated)[0].map
    *sampled, final = rig.told(ev.Evaluated)
    assert set(dict(final.intervals)) == {"rank1", "map", "minp", "auc", "eer"}
    assert not any(event.intervals for event in sampled)
    assert final.protocol.startswith("leave-one-out")
    assert rig.told(ev.EmbeddingsReady)[-1].points.shape == (60, 2)
    with np.load(tmp_path / rig.told(ev.EmbeddingsReady)[-1].path, allow_pickle=False) as kept:
        np.testing.assert_array_equal(kept["points"], rig.told(ev.EmbeddingsReady)[-1].points)
    assert rig.events[-1] is end


def test_arrays_in_events_cannot_be_written(rig: Rig) -> None:
    rig.run()
    event = rig.told(ev.EmbeddingsReady)[-1]
    for array in (event.points, event.identities):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_epoch_loss_is_the_mean_over_the_epochs_pairs(rig: Rig, tiny: Dataset, tiny_config: RunConfig) -> None:
    rig.run()
    losses = rig.losses()
    sizes = [len(pairs_of_step(tiny.train.identities, tiny_config.seed, step, 16)) for step in range(1, 9)]
    assert sizes[-1] == 8  # 120 images: the epoch's last batch is short
    expected = sum(losses[step] * size for step, size in enumerate(sizes, 1)) / sum(sizes)
    assert rig.told(ev.EpochEnded)[0].loss == pytest.approx(expected)


def test_a_step_uses_the_pairs_that_can_be_asked_for_later(
    rig: Rig, tiny: Dataset, tiny_config: RunConfig, tmp_path: Path
) -> None:
    other = Rig(tiny_config, tiny, tmp_path / "other")
    before = other.learner.loss(pairs_of_step(tiny.train.identities, tiny_config.seed, 1, 16)).item()
    rig.run()
    assert rig.losses()[1] == before


@pytest.mark.slow
def test_two_runs_are_equal(tiny: Dataset, tiny_config: RunConfig, tmp_path: Path) -> None:
    one, two = (Rig(tiny_config, tiny, tmp_path / name) for name in "ab")
    one.run()
    two.run()
    assert one.losses() == two.losses()
    assert all(torch.equal(a, two.weights()[name]) for name, a in one.weights().items())


@pytest.mark.slow
@pytest.mark.parametrize("pairs", ["random", "batch"])
def test_learns(tiny: Dataset, tiny_config: RunConfig, tmp_path: Path, pairs: str) -> None:
    rig = Rig(dataclasses.replace(tiny_config, epochs=8, pairs=pairs), tiny, tmp_path)
    rig.run()
    assert rig.told(ev.Evaluated)[-1].rank1 > 0.9


def test_all_pairs_of_a_batch_by_a_slow_loop(tiny: Dataset, tiny_config: RunConfig, tmp_path: Path) -> None:
    rig = Rig(dataclasses.replace(tiny_config, pairs="batch"), tiny, tmp_path)
    pairs = pairs_of_step(tiny.train.identities, tiny_config.seed, 1, 16)
    index = np.concatenate([pairs.first_P, pairs.second_P])
    points = rig.learner.network(torch.from_numpy(tiny.train.images[index]).float() / 255).detach().double()
    same, different = [], []
    for a in range(len(index)):
        for b in range(a + 1, len(index)):
            distance = float((points[a] - points[b]).norm())
            if tiny.train.identities[index[a]] == tiny.train.identities[index[b]]:
                same.append(distance**2)
            else:
                different.append(max(0.0, 1 - distance) ** 2)
    expected = (sum(same) / len(same) + sum(different) / len(different)) / 2
    assert rig.learner.loss(pairs).item() == pytest.approx(expected, rel=1e-5)


def test_steps_end_a_run_early(tiny: Dataset, tiny_config: RunConfig, tmp_path: Path) -> None:
    rig = Rig(dataclasses.replace(tiny_config, steps=11), tiny, tmp_path)
    end = rig.run()
    assert isinstance(end, ev.Finished)
    assert (end.step, end.reason) == (11, "steps")
    assert end.loss == pytest.approx(sum(rig.losses()[step] for step in (9, 10, 11)) / 3)
    assert read_manifest(manifests(tmp_path / "checkpoints")[0]).state.step == 11


@pytest.mark.slow
def test_a_checkpoint_tells_the_loss_of_the_step_that_comes_next_and_costs_no_bit(
    tiny: Dataset, tiny_config: RunConfig, tmp_path: Path
) -> None:
    saved, whole = (Rig(tiny_config, tiny, tmp_path / name) for name in "ab")
    saved.at |= {step: lambda: saved.inbox.put(cmd.Save()) for step in range(2, 24, 3)}
    saved.run()
    whole.run()
    assert saved.losses() == whole.losses()
    assert all(torch.equal(value, saved.weights()[name]) for name, value in whole.weights().items())
    states = [read_manifest(path).state for path in manifests(tmp_path / "a" / "checkpoints")]
    assert {state.step: state.loss for state in states if state.step < 24}.items() >= {
        step: pytest.approx(whole.losses()[step + 1]) for step in range(2, 24, 3)
    }.items()


@pytest.mark.slow
def test_the_last_three_the_best_and_those_asked_for_are_kept(
    tiny: Dataset, tiny_config: RunConfig, tmp_path: Path
) -> None:
    rig = Rig(dataclasses.replace(tiny_config, epochs=7), tiny, tmp_path)
    rig.at[3] = lambda: rig.inbox.put(cmd.Save())
    rig.run()
    kept = {read_manifest(path).state.step: read_manifest(path) for path in manifests(tmp_path / "checkpoints")}
    scores = {event.step: event.map for event in rig.told(ev.Evaluated) if event.images == 40}
    best = max((step for step in range(8, 57, 8)), key=lambda step: (scores[step], step))
    assert set(kept) == {3, 40, 48, 56, best}
    assert kept[3].keep
    files = {path.name for path in (tmp_path / "checkpoints").iterdir()}
    assert files == {f"step-{step:08d}.{kind}" for step in kept for kind in ("json", "safetensors")}


class TestCommands:
    def test_pause_step_resume(self, rig: Rig) -> None:
        rig.at[5] = lambda: [rig.inbox.put(command) for command in (cmd.Pause(), cmd.Step(), cmd.Step())]
        rig.on[ev.Paused] = lambda _: None
        rig.at[7] = lambda: rig.inbox.put(cmd.Resume())
        assert isinstance(rig.run(), ev.Finished)
        order = [type(e).__name__ for e in rig.events if isinstance(e, ev.Progress | ev.Paused | ev.Resumed)]
        assert order[4:9] == ["Progress", "Paused", "Progress", "Progress", "Resumed"]

    def test_margin_and_learning_rate_act_from_the_next_step_on(self, rig: Rig) -> None:
        rig.at[4] = lambda: [rig.inbox.put(command) for command in (cmd.SetMargin(1.5), cmd.SetLearningRate(2e-3))]
        rig.run()
        assert rig.told(ev.MarginChanged) == [ev.MarginChanged(step=4, old=1.0, new=1.5)]
        assert rig.told(ev.LrChanged) == [ev.LrChanged(step=4, old=1e-3, new=2e-3)]
        assert [(e.margin, e.lr) for e in rig.told(ev.Progress)][3:5] == [(1.0, 1e-3), (1.5, 2e-3)]
        assert rig.learner.optimizer.param_groups[0]["lr"] == 2e-3

    @pytest.mark.slow
    def test_the_margin_reaches_the_loss(self, tiny: Dataset, tiny_config: RunConfig, tmp_path: Path) -> None:
        turned, whole = (Rig(tiny_config, tiny, tmp_path / name) for name in "ab")
        turned.at[4] = lambda: turned.inbox.put(cmd.SetMargin(3.0))
        turned.run()
        whole.run()
        assert {s: v for s, v in turned.losses().items() if s <= 4} == {
            s: v for s, v in whole.losses().items() if s <= 4
        }
        assert turned.losses()[5] > 2 * whole.losses()[5]

    def test_presses_add_up(self, rig: Rig) -> None:
        rig.at[2] = lambda: [rig.inbox.put(cmd.ShiftMargin(0.05)) for _ in range(3)]
        rig.run()
        assert [event.new for event in rig.told(ev.MarginChanged)] == [1.05, 1.1, 1.15]

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("command", "words"),
        [
            (cmd.SetMargin(-1.0), "above 0"),
            (cmd.SetMargin(math.nan), "nan"),
            (cmd.SetMargin(1.0), "already"),
            (cmd.ShiftMargin(-1.0), "above 0"),
            (cmd.SetLearningRate(11.0), "up to 10"),
            (cmd.Step(), "paused run"),
            (cmd.Resume(), "not paused"),
        ],
    )
    def test_refusals_say_why(self, rig: Rig, command: cmd.Command, words: str) -> None:
        rig.at[2] = lambda: rig.inbox.put(command)
        rig.run()
        (refused,) = rig.told(ev.CommandRefused)
        assert words in refused.reason
        assert refused.command == ev.snake(type(command).__name__)
        assert rig.learner.margin == 1.0

    def test_pausing_twice_is_refused(self, rig: Rig) -> None:
        rig.at[2] = lambda: [rig.inbox.put(command) for command in (cmd.Pause(), cmd.Pause(), cmd.Resume())]
        rig.run()
        assert [event.command for event in rig.told(ev.CommandRefused)] == ["pause"]

    def test_save_and_evaluate(self, rig: Rig) -> None:
        rig.at[3] = lambda: [rig.inbox.put(command) for command in (cmd.Save(), cmd.Evaluate())]
        rig.run()
        assert [event.step for event in rig.told(ev.CheckpointSaved) if event.reason == "asked"] == [3]
        assert 3 in [event.step for event in rig.told(ev.Evaluated)]

    @pytest.mark.parametrize("save", [True, False])
    def test_stop(self, rig: Rig, save: bool, tmp_path: Path) -> None:
        rig.at[5] = lambda: rig.inbox.put(cmd.Stop(save=save, reason="SIGTERM"))
        end = rig.run()
        assert end == ev.Stopped(step=5, reason="SIGTERM", saved=save)
        assert len(manifests(tmp_path / "checkpoints")) == int(save)

    def test_stop_while_paused(self, rig: Rig) -> None:
        rig.at[5] = lambda: [rig.inbox.put(command) for command in (cmd.Pause(), cmd.Stop())]
        assert isinstance(rig.run(), ev.Stopped)


class TestNotFinite:
    """The weights are blown up between two steps, as a cosmic learning rate would do it."""

    def test_three_in_a_row_end_a_run_that_nobody_steers(
        self, tiny: Dataset, tiny_config: RunConfig, tmp_path: Path
    ) -> None:
        rig = Rig(tiny_config, tiny, tmp_path, steerable=False)
        rig.at[9] = lambda: blow_up(rig)
        end = rig.run()
        assert isinstance(end, ev.Diverged)
        assert (end.step, end.checkpoint) == (12, "checkpoints/step-00000008.safetensors")
        assert rig.told(ev.Progress)[-1].skipped == 3
        assert [event.code for event in rig.told(ev.Warned)] == ["step_skipped"] * 3 + ["not_scored"]

    def test_skipped_steps_do_not_reach_the_weights(self, rig: Rig) -> None:
        kept = {}

        def spoil() -> None:
            blow_up(rig)
            kept.update(rig.weights())

        def mend(_: object) -> None:
            assert all(torch.equal(value, kept[name]) for name, value in rig.weights().items())
            with torch.no_grad():
                rig.learner.network.get_parameter("fc2.weight").mul_(1e-30)
            rig.inbox.put(cmd.Resume())

        rig.at[9] = spoil
        rig.on[ev.Diverged] = mend
        assert isinstance(rig.run(), ev.Finished)
        assert rig.trainer.state().skipped == 3
        assert all(math.isfinite(loss) for step, loss in rig.losses().items() if step > 12)
        assert math.isfinite(rig.told(ev.EpochEnded)[1].loss)

    @pytest.mark.parametrize("factor", [1e30, 1e6], ids=["not finite", "exploded"])
    def test_what_it_leaves_is_never_good(
        self, tiny: Dataset, tiny_config: RunConfig, tmp_path: Path, factor: float
    ) -> None:
        """Ruined between the last step of an epoch, whose loss looked well, and the save that follows it."""
        rig = Rig(tiny_config, tiny, tmp_path)
        rig.at[16] = lambda: blow_up(rig, factor)
        rig.at[18] = lambda: [rig.inbox.put(cmd.Save()), rig.inbox.put(cmd.Stop())]
        rig.run()
        assert [(e.step, e.reason, e.good) for e in rig.told(ev.CheckpointSaved)] == [
            (8, "epoch", True),
            (16, "epoch", False),
            (18, "asked", False),
        ]
        assert rig.keeper.newest() == "checkpoints/step-00000008.safetensors"
        checkpoint, passed_over = load_latest(tmp_path / "checkpoints")
        assert (checkpoint.manifest.state.step, len(passed_over)) == (8, 1)
        assert [step_of(path) for path in manifests(tmp_path / "checkpoints")] == [18, 8]

    def test_an_average_of_the_optimiser_that_overflowed_is_not_good(self, rig: Rig) -> None:
        def overflow() -> None:
            next(iter(rig.learner.optimizer.state.values()))["exp_avg_sq"].fill_(math.inf)
            rig.inbox.put(cmd.Stop())

        rig.at[5] = overflow
        rig.run()
        assert [event.good for event in rig.told(ev.CheckpointSaved)] == [False]

    def test_it_saves_nothing_itself_and_names_nothing_where_nothing_is_good(
        self, tiny: Dataset, tiny_config: RunConfig, tmp_path: Path
    ) -> None:
        rig = Rig(tiny_config, tiny, tmp_path, steerable=False)
        rig.at[2] = lambda: blow_up(rig)
        end = rig.run()
        assert isinstance(end, ev.Diverged)
        assert (end.checkpoint, manifests(tmp_path / "checkpoints")) == ("", [])

    def test_the_count_begins_anew_with_a_checkpoint_and_after_three(
        self, tiny: Dataset, tiny_config: RunConfig, tmp_path: Path
    ) -> None:
        rig = Rig(tiny_config, tiny, tmp_path)
        state = dataclasses.replace(rig.trainer.state(), step=4, skipped_in_row=2)
        rig.trainer.restore(state, rig.learner.tensors())
        blow_up(rig)
        rig.on[ev.Diverged] = lambda event: rig.inbox.put(cmd.Resume() if event.step < 10 else cmd.Stop())
        rig.run()
        assert [event.step for event in rig.told(ev.Diverged)] == [7, 10]

    @pytest.mark.slow
    def test_three_that_were_not_finite_by_chance_leave_good_weights(
        self, rig: Rig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = Costs.of

        def spoiled(costs: Costs, batch: Batch, step: int) -> Any:
            cost = whole(costs, batch, step)
            return cost._replace(loss=cost.loss * (math.inf if at() in (9, 10, 11) else 1))

        monkeypatch.setattr(Costs, "of", spoiled)
        taken = [0]

        def at() -> int:
            taken[0] += torch.is_grad_enabled()
            return taken[0]

        rig.on[ev.Diverged] = lambda _: [rig.inbox.put(command) for command in (cmd.Save(), cmd.Resume())]
        assert isinstance(rig.run(), ev.Finished)
        saved = [(event.step, event.good) for event in rig.told(ev.CheckpointSaved)]
        assert saved == [(8, True), (11, False), (16, True), (24, True)], "not good until a step was taken"


class TestOrigins:
    def test_what_a_command_led_to_says_who_gave_it(self, rig: Rig) -> None:
        rig.at[3] = lambda: [
            rig.inbox.put(command, "attach 42") for command in (cmd.SetMargin(1.5), cmd.Save(), cmd.Step(), cmd.Stop())
        ]
        rig.run()
        signed = [type(event) for event in rig.events if event.origin == "attach 42"]
        assert [kind for kind in signed if kind is not ev.PhaseChanged] == [
            ev.MarginChanged,
            ev.CheckpointSaved,
            ev.CommandRefused,
            ev.Stopped,
        ]
        assert not any(event.origin for event in rig.told(ev.Progress))
        assert "origin" in to_json(rig.events[-1])
        assert "origin" not in to_json(rig.events[0])


class TestStopDuringAnEvaluation:
    @pytest.mark.slow
    def test_it_is_broken_off_and_made_up_for_on_resume(
        self, tiny: Dataset, tiny_config: RunConfig, tmp_path: Path
    ) -> None:
        rig = Rig(tiny_config, tiny, tmp_path / "a")
        rig.on[ev.PhaseChanged] = lambda event: (
            rig.inbox.put(cmd.Stop(reason="SIGTERM"), "SIGTERM")
            if event.phase == "evaluating" and event.step == 8
            else None
        )
        end = rig.run()
        assert isinstance(end, ev.Stopped)
        assert (end.step, end.saved, rig.events[-1].origin) == (8, True, "SIGTERM")
        assert [event.step for event in rig.told(ev.Evaluated)] == [0, 4]

        other = Rig(tiny_config, tiny, tmp_path / "a")
        checkpoint, _ = load_latest(tmp_path / "a" / "checkpoints")
        other.trainer.restore(checkpoint.manifest.state, checkpoint.tensors)
        other.run()
        assert [event.step for event in other.told(ev.Evaluated)] == [8, 12, 16, 20, 24, 24]

    def test_the_last_one_too(self, rig: Rig) -> None:
        rig.on[ev.PhaseChanged] = lambda event: (
            rig.inbox.put(cmd.Stop(reason="SIGTERM")) if event.detail == "all test images" else None
        )
        end = rig.run()
        assert isinstance(end, ev.Stopped)
        assert (end.step, end.saved) == (24, True)
        assert all(event.images == 40 for event in rig.told(ev.Evaluated))

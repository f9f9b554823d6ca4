"""What an evaluation fits reaches its event and the checkpoints, also on the way back; the map pays nothing for it."""

from __future__ import annotations

import dataclasses
import errno
from typing import TYPE_CHECKING

import pytest
import torch

from reid_tui.evaluation import fitting
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training import scoring
from reid_tui.training.checkpoint import load_latest, load_step
from tests.training.rig import Rig
from tests.training.small import divided_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from reid_tui.config import RunConfig
    from reid_tui.data.dataset import Dataset
    from reid_tui.training.card import ModelCard


@pytest.fixture
def rig(tiny: Dataset, tiny_config: RunConfig, tmp_path: Path) -> Rig:
    return Rig(dataclasses.replace(tiny_config, eval_every=0.5), tiny, tmp_path)


def card(rig: Rig, step: int | None = None) -> ModelCard:
    folder = rig.folder / "checkpoints"
    checkpoint = load_latest(folder)[0] if step is None else load_step(folder, step)
    assert checkpoint.manifest.card is not None
    return checkpoint.manifest.card


def rates(rig: Rig, index: int) -> object:
    """Thresholds of an evaluation as its event tells them."""
    return rig.told(ev.Evaluated)[index].fitted


def without_calibration(found: ModelCard) -> object:
    return found.fitted and dataclasses.replace(found.fitted, knots=())


def test_a_checkpoint_has_the_newest_fit_and_the_last_one_that_of_the_last_evaluation(rig: Rig) -> None:
    rig.at[18] = lambda: rig.inbox.put(cmd.Save())
    assert isinstance(rig.run(), ev.Finished)
    assert [event.step for event in rig.told(ev.Evaluated)] == [0, 4, 8, 12, 16, 20, 24, 24]
    asked, last = card(rig, 18), card(rig)
    assert asked.fitted_step == 16
    assert without_calibration(asked) == rates(rig, 4)
    assert last.fitted_step == 24
    assert without_calibration(last) == rates(rig, 7) != rates(rig, 6), "of all images"
    assert last.fitted
    assert last.fitted.knots
    assert (last.data, last.channels, last.identities) == ("tiny", 1, 6)
    saved = [event.step for event in rig.told(ev.CheckpointSaved)]
    assert saved == [8, 16, 18, 24], "that the last one got its thresholds later is no news"


def test_the_last_evaluation_changes_no_tensor_of_the_last_checkpoint(
    tiny: Dataset, tiny_config: RunConfig, tmp_path: Path
) -> None:
    """It moves the map's axes, which a run that goes on from there has not seen."""
    rig = Rig(dataclasses.replace(tiny_config, embedding_dim=5), tiny, tmp_path)
    before: list[bytes] = []
    path = tmp_path / "checkpoints/step-00000024.safetensors"
    rig.on[ev.PhaseChanged] = lambda event: before.append(path.read_bytes()) if path.exists() else None
    rig.run()
    assert len(before) > 2
    assert {path.read_bytes(), *before} == {before[0]}
    assert card(rig).fitted_step == 24


@pytest.mark.slow
def test_a_disk_that_does_not_take_the_last_thresholds_leaves_those_before(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(rig.keeper, "save_card", full)
    assert isinstance(rig.run(), ev.Finished)
    (warned,) = rig.told(ev.Warned)
    assert (warned.code, warned.message) == (
        "save_failed",
        "the checkpoint at step 24 keeps its older thresholds: No space left on device",
    )
    assert without_calibration(card(rig)) == rates(rig, 6)


def test_thresholds_of_an_evaluation_after_the_save_reach_the_checkpoint_of_a_run_that_stops(rig: Rig) -> None:
    rig.at[2] = lambda: [rig.inbox.put(c) for c in (cmd.Pause(), cmd.Save(), cmd.Evaluate())]
    rig.on[ev.Evaluated] = lambda event: rig.inbox.put(cmd.Stop()) if event.step else None
    rig.run()
    assert card(rig).fitted_step == 2


def test_before_the_first_evaluation_there_is_nothing_to_say(rig: Rig) -> None:
    rig.trainer.save("asked")
    assert card(rig).fitted is card(rig).fitted_step is None


def test_only_the_main_split_is_fitted(tiny_config: RunConfig, tmp_path: Path) -> None:
    rig = Rig(dataclasses.replace(tiny_config, epochs=1), divided_dataset(), tmp_path)
    rig.run()
    assert {event.split for event in rig.told(ev.Evaluated) if event.fitted} == {"unseen"}
    assert {event.split for event in rig.told(ev.Evaluated) if not event.fitted} == {"seen", "validation"}


def test_a_resumed_run_keeps_the_fit_until_it_has_a_newer_one(
    rig: Rig, tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.at[18] = lambda: rig.inbox.put(cmd.Stop(save=True))
    rig.run()
    checkpoint = load_latest(rig.folder / "checkpoints")[0]
    again = Rig(rig.config, tiny, tmp_path / "again")
    again.trainer.restore(checkpoint.manifest.state, checkpoint.tensors, card=checkpoint.manifest.card)
    again.trainer.save("asked")
    assert card(again) == card(rig)
    assert card(again).fitted_step == 16
    again.at[19] = lambda: again.inbox.put(cmd.Stop(save=True))
    again.run()
    assert card(again, 19) == card(rig)


def test_whoever_goes_back_gets_the_fit_of_there(rig: Rig) -> None:
    rig.at[18] = lambda: rig.inbox.put(cmd.GoBack(8))
    rig.on[ev.Rewound] = lambda _: found.append(card(rig, 8))
    rig.on[ev.Paused] = lambda _: rig.inbox.put(cmd.Stop(save=True))
    found: list[ModelCard] = []
    rig.run()
    (before,) = found
    saved = [event.reason for event in rig.told(ev.CheckpointSaved)]
    assert saved[-1] == "rewound"
    assert card(rig, 8) == before
    assert before.fitted_step == 8


def test_a_look_at_the_map_fits_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    fits: list[int] = []

    def counted(*given: object, **named: object) -> object:
        fits.append(int(str(named["pairs"])))
        return fitting.fit_operating_points(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(scoring, "fit_operating_points", counted)
    for _ in range(3):
        assert rig.scorer.snapshot(rig.learner.network, 1.0) is not None
    assert not fits
    rig.run()
    assert fits == [fitting.FEWER_PAIRS] * 7 + [fitting.PAIRS]


@pytest.mark.slow
def test_tensors_are_those_of_a_run_that_fits_nothing(
    rig: Rig, tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.run()
    monkeypatch.setattr(scoring, "fit_operating_points", lambda *_, **__: None)
    without = Rig(rig.config, tiny, tmp_path / "without")
    without.run()
    assert card(without).fitted is None
    assert without.losses() == rig.losses()
    for name, value in load_latest(rig.folder / "checkpoints")[0].tensors.items():
        assert torch.equal(value, load_latest(without.folder / "checkpoints")[0].tensors[name]), name

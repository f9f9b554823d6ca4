"""Which checkpoints of a run are good, in which order they stand, and what is removed of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reid_tui.config import LIMITS
from reid_tui.errors import CheckpointError
from reid_tui.training.checkpoint import load_latest, load_step, manifests, prune
from reid_tui.training.manifest import EXPLODED, read_manifest
from reid_tui.training.saved import good, rewinds_from, step_of
from tests.training.small import save_small

BAD: dict[str, dict[str, Any]] = {
    "after a step that was skipped": {"skipped_in_row": 1},
    "a loss that has exploded": {"loss": 1.1 * EXPLODED},
    "a loss that is not finite": {"loss": 3.4e38},
}
OLD: dict[str, dict[str, Any]] = {
    "a running mean that has exploded": {"epoch_loss_sum": 1e19, "epoch_pairs": 64},
    "after a step that was skipped": {"skipped_in_row": 3},
}


def steps(folder: Path) -> list[int]:
    return [step_of(path) for path in manifests(folder)]


def older(folder: Path, step: int) -> None:
    """Rewrite a manifest as a version before this one would have written it."""
    path = folder / f"step-{step:08d}.json"
    value = json.loads(path.read_text())
    for name in ("rank1", "loss", "rewinds"):
        del value["state"][name]
    del value["digest"]
    path.write_text(json.dumps(value))


@pytest.mark.parametrize("bad", BAD.values(), ids=list(BAD))
def test_what_a_divergence_left_is_passed_over_and_that_is_said(bad: dict[str, Any], tmp_path: Path) -> None:
    for step in (8, 16):
        save_small(tmp_path, step, step)
    save_small(tmp_path, 24, 24, **bad)
    checkpoint, passed_over = load_latest(tmp_path)
    assert checkpoint.manifest.state.step == 16
    assert passed_over == ["step-00000024.safetensors: left by a divergence, its weights are ruined"]
    assert [manifest.state.step for manifest in good(tmp_path)] == [16, 8]


@pytest.mark.parametrize("bad", OLD.values(), ids=list(OLD))
def test_an_older_manifest_says_by_its_own_fields_what_it_is_worth(bad: dict[str, Any], tmp_path: Path) -> None:
    save_small(tmp_path, 16, 16)
    save_small(tmp_path, 24, 24, **bad)
    save_small(tmp_path, 32, 32, "diverged")
    for step in (16, 24, 32):
        older(tmp_path, step)
    assert [manifest.state.step for manifest in good(tmp_path)] == [16]
    assert load_latest(tmp_path)[0].manifest.state.step == 16


def test_a_known_loss_counts_more_than_what_the_epoch_went_through(tmp_path: Path) -> None:
    save_small(tmp_path, 16, 16, loss=0.1, epoch_loss_sum=1e19)
    assert good(tmp_path)


def test_a_loss_far_above_the_margin_is_none_that_has_exploded(tmp_path: Path) -> None:
    """That of distances for which the largest margin was, with the smallest one."""
    save_small(tmp_path, 16, 16, loss=9.0 * LIMITS["margin"].high ** 2, margin=1e-3)
    assert good(tmp_path)


def test_where_nothing_is_good_the_reasons_are_told(tmp_path: Path) -> None:
    save_small(tmp_path, 8, 8, skipped_in_row=2)
    with pytest.raises(CheckpointError, match=r"no usable checkpoint .*left by a divergence.*start a new run"):
        load_latest(tmp_path)


def test_what_a_divergence_left_evicts_none_and_is_one_file(tmp_path: Path) -> None:
    for step in (8, 16, 24):
        save_small(tmp_path, step, step)
    for step in (25, 26, 27, 28):
        save_small(tmp_path, step, step, skipped_in_row=1)
        prune(tmp_path, step)
        assert steps(tmp_path) == [step, 24, 16, 8]
    save_small(tmp_path, 29, 29, "asked", skipped_in_row=1)
    prune(tmp_path, 29)
    assert steps(tmp_path) == [29, 24, 16, 8]
    save_small(tmp_path, 32, 32)
    prune(tmp_path, 32)
    assert steps(tmp_path) == [32, 29, 24, 16], "one that a person asked for stays"


def test_the_best_is_one_of_the_good(tmp_path: Path) -> None:
    save_small(tmp_path, 8, 8, map=0.5)
    for step in (16, 24, 32, 40):
        save_small(tmp_path, step, step, map=0.4)
    save_small(tmp_path, 41, 41, skipped_in_row=1, map=0.9)
    save_small(tmp_path, 42, 42, skipped_in_row=1)
    prune(tmp_path, 42)
    assert steps(tmp_path) == [42, 40, 32, 24, 8]


def test_no_good_checkpoint_is_overwritten_by_what_a_divergence_left(tmp_path: Path) -> None:
    save_small(tmp_path, 8, 8)
    with pytest.raises(CheckpointError, match="a good checkpoint of step 8 is there"):
        save_small(tmp_path, 8, 99, skipped_in_row=1)
    assert load_latest(tmp_path)[0].tensors["a"].tolist() == [8, 8, 8]


def test_the_future_that_a_run_went_back_from_is_not_its_newest(tmp_path: Path) -> None:
    for step in (8, 16, 24):
        save_small(tmp_path, step, step)
    assert rewinds_from(tmp_path, 24) == 0
    assert rewinds_from(tmp_path, 8) == 1
    save_small(tmp_path, 8, 8, "rewound", rewinds=1)
    assert steps(tmp_path) == [8, 24, 16]
    assert load_latest(tmp_path)[0].manifest.state.step == 8
    save_small(tmp_path, 12, 12, rewinds=1)
    prune(tmp_path, 12)
    assert steps(tmp_path) == [12, 8, 24, 16], "what lies ahead neither counts nor goes"
    save_small(tmp_path, 16, 99, rewinds=1)
    assert steps(tmp_path) == [16, 12, 8, 24]
    save_small(tmp_path, 32, 32, rewinds=1)
    prune(tmp_path, 32)
    assert steps(tmp_path) == [32, 16, 12], "passed, it is older than all that came since"


def test_one_that_cannot_be_read_counts_as_of_the_present(tmp_path: Path) -> None:
    save_small(tmp_path, 8, 8, rewinds=3)
    save_small(tmp_path, 24, 24)
    (tmp_path / "step-00000016.json").write_text("{")
    assert steps(tmp_path) == [16, 8, 24]
    assert rewinds_from(tmp_path, 8) == 4


def test_a_save_that_was_cut_short_over_the_future_leaves_it_the_future(tmp_path: Path) -> None:
    """The new manifest is in place, the tensors are those of before: they are not what the run has come to."""
    save_small(tmp_path, 16, 16)
    before = (tmp_path / "step-00000016.safetensors").read_bytes()
    save_small(tmp_path, 8, 8, rewinds=1)
    save_small(tmp_path, 16, 99, rewinds=1)
    assert load_latest(tmp_path)[0].tensors["a"].tolist() == [99, 99, 99]
    (tmp_path / "step-00000016.safetensors").write_bytes(before)
    checkpoint, passed_over = load_latest(tmp_path)
    assert (checkpoint.manifest.state.step, passed_over) == (8, [])


def test_a_step_is_chosen_whatever_it_is_worth(tmp_path: Path) -> None:
    for step in (8, 16):
        save_small(tmp_path, step, step)
    save_small(tmp_path, 24, 24, skipped_in_row=1)
    assert load_step(tmp_path, 24).tensors["a"].tolist() == [24, 24, 24]
    with pytest.raises(CheckpointError, match=r"no checkpoint of step 9 in .*; there are 8, 16 and 24"):
        load_step(tmp_path, 9)
    tensors = tmp_path / "step-00000016.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=r"bytes instead of .*; there are 8 and 24"):
        load_step(tmp_path, 16)


def test_scores_and_loss_stand_in_the_manifest(tmp_path: Path) -> None:
    save_small(tmp_path, 8, 8, map=0.5, rank1=0.7, loss=0.1, rewinds=2)
    state = read_manifest(tmp_path / "step-00000008.json").state
    assert (state.map, state.rank1, state.loss, state.rewinds) == (0.5, 0.7, 0.1, 2)

"""What is scored when: samples, splits, and which of them chooses."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from reid_tui.data.dataset import Dataset, ImageSet
from reid_tui.evaluation.labels import DISTRACTOR, GALLERY, QUERY
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training import scoring
from reid_tui.training.checkpoint import manifests, read_manifest
from reid_tui.training.scoring import ROOM, ranks_on
from tests.training.rig import Rig
from tests.training.small import divided_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from reid_tui.config import RunConfig


@pytest.fixture(scope="module")
def divided() -> Dataset:
    return divided_dataset()


@pytest.fixture
def config(tiny_config: RunConfig) -> RunConfig:
    """A sample of 24 images of the main split, and of 12 of each other."""
    return dataclasses.replace(tiny_config, eval_images=24)


def test_every_split_at_every_evaluation_the_main_one_last_and_at_the_end_all_of_them(
    divided: Dataset, config: RunConfig, tmp_path: Path
) -> None:
    rig = Rig(config, divided, tmp_path)
    assert isinstance(rig.run(), ev.Finished)
    told = [(event.step, event.split, event.images) for event in rig.told(ev.Evaluated)]
    sampled = [("validation", 12), ("seen", 12), ("unseen", 24)]
    whole = [("validation", 30), ("seen", 60), ("unseen", 30)]
    assert told == [(step, *split) for step in range(0, 25, 4) for split in sampled] + [(24, *split) for split in whole]
    assert [bool(event.intervals) for event in rig.told(ev.Evaluated)[-3:]] == [False, True, True], (
        "of what is reported"
    )
    drawn = rig.told(ev.EmbeddingsReady) + rig.told(ev.DistancesReady)
    assert {event.split for event in drawn} == {"unseen"}


@pytest.mark.slow
def test_the_best_checkpoint_is_chosen_by_the_validation(divided: Dataset, config: RunConfig, tmp_path: Path) -> None:
    rig = Rig(dataclasses.replace(config, epochs=7), divided, tmp_path)
    rig.run()
    sampled = [event for event in rig.told(ev.Evaluated) if event.images in (12, 24)]
    maps = {split: {e.step: e.map for e in sampled if e.split == split} for split in ("validation", "seen", "unseen")}
    states = [read_manifest(path).state for path in manifests(tmp_path / "checkpoints")]
    assert {state.step: state.map for state in states} == {s.step: maps["validation"][s.step] for s in states}
    assert {state.split for state in states} == {"validation"}
    assert any(maps["validation"][s.step] != maps["unseen"][s.step] for s in states)
    best = max(range(8, 57, 8), key=lambda step: (maps["validation"][step], step))
    assert {state.step for state in states} == {40, 48, 56, best}


@pytest.mark.slow
def test_what_else_is_scored_changes_neither_weights_nor_scores_nor_map(
    divided: Dataset, config: RunConfig, tmp_path: Path
) -> None:
    config = dataclasses.replace(config, embedding_dim=5)  # the map has axes of its own
    alone = dataclasses.replace(divided, seen=None, validation=None)
    one, two = Rig(config, divided, tmp_path / "a"), Rig(config, alone, tmp_path / "b")
    one.run()
    two.run()
    assert one.losses() == two.losses()
    assert [event for event in one.told(ev.Evaluated) if event.split == "unseen"] == two.told(ev.Evaluated)
    for a, b in zip(one.told(ev.EmbeddingsReady), two.told(ev.EmbeddingsReady), strict=True):
        np.testing.assert_array_equal(a.points, b.points)


def test_a_stop_while_one_split_is_scored_tells_of_none(divided: Dataset, config: RunConfig, tmp_path: Path) -> None:
    rig = Rig(config, divided, tmp_path)
    scored = []
    whole = rig.scorer._measured

    def measured(network: torch.nn.Module, split: object, *rest: object, **more: object) -> object:
        if rig.trainer.step == 4 and scored[-1:] == ["validation"]:
            rig.inbox.put(cmd.Stop())
        scored.append(split.name)  # type: ignore[attr-defined]
        return whole(network, split, *rest, **more)  # type: ignore[arg-type]

    rig.scorer._measured = measured  # type: ignore[method-assign, assignment]
    assert isinstance(rig.run(), ev.Stopped)
    assert scored[-2:] == ["validation", "seen"]
    assert {event.step for event in rig.told(ev.Evaluated)} == {0}
    (state,) = [read_manifest(path).state for path in manifests(tmp_path / "checkpoints")]
    assert (state.step, state.map) == (4, None), "it is scored when the run goes on"


@pytest.mark.slow
def test_a_resumed_run_goes_on_as_if_it_had_never_stopped(divided: Dataset, config: RunConfig, tmp_path: Path) -> None:
    whole, first, second = (Rig(config, divided, tmp_path / name) for name in ("whole", "cut", "cut"))
    whole.run()
    first.at[13] = lambda: first.inbox.put(cmd.Stop())
    first.run()
    checkpoint = first.keeper.load(13)
    second.trainer.restore(checkpoint.manifest.state, checkpoint.tensors)
    assert isinstance(second.run(), ev.Finished)
    assert first.losses() | second.losses() == whole.losses()
    assert first.told(ev.Evaluated) + second.told(ev.Evaluated) == whole.told(ev.Evaluated)


def with_roles(divided: Dataset) -> Dataset:
    """Of each unseen identity two queries; seven images of the gallery are distractors."""
    labels, roles = divided.test.identities.copy(), np.full(30, GALLERY, np.int8)
    for identity in range(3):
        roles[np.flatnonzero(labels == identity)[:2]] = QUERY
    labels[np.flatnonzero(roles == GALLERY)[:7]] = DISTRACTOR
    return dataclasses.replace(divided, test=ImageSet(divided.test.images, labels, roles=roles))


def test_queries_have_their_gallery_in_the_sample_and_distractors_are_no_points(
    divided: Dataset, config: RunConfig, tmp_path: Path
) -> None:
    dataset = with_roles(divided)
    rig = Rig(dataclasses.replace(config, steps=4, eval_images=20), dataset, tmp_path)
    assert isinstance(rig.run(), ev.Finished)
    first, *_, last = [event for event in rig.told(ev.Evaluated) if event.split == "unseen"]
    assert (last.images, last.queries, last.gallery) == (30, 6, 24)
    assert (first.images, first.queries, first.queries_without_match) == (20, 6, 0)
    assert first.protocol == last.protocol == "query and gallery"
    assert dict(last.intervals).keys() >= {"rank1", "map"}
    assert first.intervals == ()
    shown = rig.told(ev.EmbeddingsReady)[-1]
    assert len(shown.points) == len(shown.identities) == 23
    assert shown.identities.min() == 0


@pytest.mark.parametrize("roles", [False, True])
def test_of_very_many_images_the_sample_is_shown_at_the_end(
    divided: Dataset, config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, roles: bool
) -> None:
    monkeypatch.setattr(scoring, "MOST_POINTS", 25)
    dataset = with_roles(divided) if roles else divided
    rig = Rig(dataclasses.replace(config, steps=1, eval_images=20), dataset, tmp_path)
    assert isinstance(rig.run(), ev.Finished)
    sampled, whole = rig.told(ev.EmbeddingsReady)
    assert rig.told(ev.Evaluated)[-1].images == 30
    assert sampled.identities.tolist() == whole.identities.tolist() if not roles else len(whole.points) == 18


def test_queries_that_all_lack_a_match_end_no_run(divided: Dataset, config: RunConfig, tmp_path: Path) -> None:
    labels = divided.test.identities.copy()
    roles = np.where(labels == 0, QUERY, GALLERY).astype(np.int8)
    labels[np.flatnonzero(roles == GALLERY)[:12]] = DISTRACTOR
    dataset = dataclasses.replace(divided, test=ImageSet(divided.test.images, labels, roles=roles))
    rig = Rig(dataclasses.replace(config, steps=4), dataset, tmp_path)
    assert isinstance(rig.run(), ev.Finished)
    maps = {event.map for event in rig.told(ev.Evaluated) if event.split == "unseen"}
    assert all(math.isnan(value) for value in maps)


@pytest.mark.parametrize(
    ("device", "free", "there"), [("cuda", ROOM, True), ("cuda:1", ROOM - 1, False), ("cpu", ROOM, False)]
)
def test_embeddings_are_ranked_on_a_gpu_that_has_memory_to_spare(
    device: str, free: int, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, 80 * 2**30))
    assert ranks_on(torch.device(device)) == there

"""The bundle says what its parts say."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from reid_tui.evaluation.evaluate import evaluate
from reid_tui.evaluation.labels import Labels
from reid_tui.evaluation.retrieval import retrieval_scores
from reid_tui.evaluation.verification import verification_pairs, verification_scores
from reid_tui.training.events import Evaluated


@pytest.mark.parametrize("cameras", [None, np.arange(120) % 4])
def test_bundles_its_parts(cameras: np.ndarray | None) -> None:
    identities = np.arange(120) // 12
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(10, 3, generator=generator)[identities] + torch.randn(120, 3, generator=generator)
    scores, histogram = dataclasses.astuple(
        evaluate(embeddings, Labels(identities, cameras), seed=5, margin=1.0, pairs=999)
    )
    retrieval = retrieval_scores(
        embeddings, torch.from_numpy(identities), None if cameras is None else torch.from_numpy(cameras)
    )
    pairs = verification_pairs(identities, cameras, 999, seed=5)
    distances = (embeddings[pairs.first_P] - embeddings[pairs.second_P]).norm(dim=1).numpy()
    verification = dataclasses.astuple(verification_scores(distances, pairs.same_P))
    assert scores == (120, retrieval.rank1, retrieval.map, *verification)
    assert sum(histogram.same) == 499
    assert sum(histogram.different) == 500


def test_every_score_has_its_field_in_the_event() -> None:
    scores = evaluate(torch.eye(4), Labels(np.array([0, 0, 1, 1])), seed=0, margin=1.0).scores
    event = Evaluated(step=1, epoch=1, split="test", **dataclasses.asdict(scores))
    assert event.images == 4


def test_one_identity_and_only_strangers() -> None:
    embeddings = torch.randn(6, 2)
    one = evaluate(embeddings, Labels(np.zeros(6, dtype=np.int64)), seed=0, margin=1.0)
    assert (one.scores.rank1, one.scores.map) == (1.0, 1.0)
    assert math.isnan(one.scores.auc)
    assert sum(one.histogram.different) == 0
    strangers = evaluate(embeddings, Labels(np.arange(6)), seed=0, margin=1.0)
    assert math.isnan(strangers.scores.rank1)
    assert math.isnan(strangers.scores.eer)
    assert sum(strangers.histogram.same) == 0
    single = evaluate(embeddings[:1], Labels(np.zeros(1, dtype=np.int64)), seed=0, margin=1.0)
    assert math.isnan(single.scores.map)


def test_refuses_what_is_not_finite() -> None:
    with pytest.raises(ValueError, match="finite"):
        evaluate(torch.full((4, 2), math.nan), Labels(np.array([0, 0, 1, 1])), seed=0, margin=1.0)

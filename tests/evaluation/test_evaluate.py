"""The bundle says what its parts say."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from reid_tui.evaluation.evaluate import Scores, evaluate
from reid_tui.evaluation.intervals import retrieval_intervals, verification_intervals
from reid_tui.evaluation.labels import Labels
from reid_tui.evaluation.retrieval import query_scores, retrieval_scores
from reid_tui.evaluation.verification import verification_pairs, verification_scores
from reid_tui.training.events import Evaluated


@pytest.mark.parametrize("cameras", [None, np.arange(120) % 4])
@pytest.mark.parametrize("intervals", [False, True])
def test_bundles_its_parts(cameras: np.ndarray | None, intervals: bool) -> None:
    labels = Labels(np.arange(120) // 12, cameras)
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(10, 3, generator=generator)[labels.identities_N] + torch.randn(120, 3, generator=generator)
    scores, histogram = dataclasses.astuple(
        evaluate(embeddings, labels, seed=5, margin=1.0, pairs=999, intervals=intervals)
    )
    queries = query_scores(embeddings, labels)
    first, second, same = verification_pairs(labels, 999, seed=5)
    distances = (embeddings[first] - embeddings[second]).norm(dim=1).numpy()
    trust = {}
    if intervals:
        pairs = labels.identities_N[np.stack((first, second), axis=1)]
        trust = retrieval_intervals(queries, 5) | verification_intervals(distances, same, pairs, 5)
        assert set(trust) == {"rank1", "map", "minp", "auc", "eer"}
    expected = {
        "images": 120,
        **dataclasses.asdict(retrieval_scores(queries, labels)),
        **dataclasses.asdict(verification_scores(distances, same)),
        "intervals": tuple(trust.items()),
    }
    names = [field.name for field in dataclasses.fields(Scores)]
    assert dict(zip(names, scores, strict=True)) == expected
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

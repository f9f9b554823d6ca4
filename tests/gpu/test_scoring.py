"""What is scored on the card is scored as on the CPU, and there where the card is full."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from reid_tui.config import RunOptions, resolve
from reid_tui.data.dataset import Dataset
from reid_tui.evaluation.evaluate import Evaluation, evaluate
from reid_tui.training import scoring
from reid_tui.training.learner import Learner
from reid_tui.training.scoring import ROOM, Scorer
from tests.conftest import IDENTITIES
from tests.gpu.card import filled

pytestmark = pytest.mark.gpu


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where each of the evaluations computes; each is held against the CPU's."""
    seen = []

    def both(embeddings_ND: torch.Tensor, *args: Any, **kwargs: Any) -> Evaluation:
        seen.append(embeddings_ND.device.type)
        found, expected = (evaluate(points, *args, **kwargs) for points in (embeddings_ND, embeddings_ND.cpu()))
        for name in ("rank1", "rank5", "map", "minp", "auc", "eer", "threshold"):
            assert getattr(found.scores, name) == pytest.approx(getattr(expected.scores, name), abs=1e-4), name
        return found

    monkeypatch.setattr(scoring, "evaluate", both)
    return seen


@pytest.mark.parametrize(("left", "device"), [(None, "cuda"), (ROOM // 4, "cpu")])
def test_scores_of_the_card_are_those_of_the_cpu(
    left: int | None, device: str, devices: list[str], tiny: Dataset, cuda: torch.device
) -> None:
    config = dataclasses.replace(resolve(RunOptions(seed=4), "fashion-mnist", IDENTITIES), precision="fp32")
    learner, scorer = Learner(config, tiny.train, cuda), Scorer(tiny, config, cuda)
    if left is None:
        found = scorer.evaluate(learner.scored, 1.0, everything=True)
    else:
        with filled(left):
            found = scorer.evaluate(learner.scored, 1.0, everything=True)
    assert found is not None
    assert found.fitted is not None
    assert set(devices) == {device}

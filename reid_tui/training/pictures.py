"""What a scored set of embeddings tells: the events that its numbers, its map and its distances become."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from reid_tui.training.events import DistancesReady, EmbeddingsReady, Evaluated
from reid_tui.training.scoring import LookedAt

if TYPE_CHECKING:
    from reid_tui.evaluation.evaluate import Evaluation
    from reid_tui.evaluation.operating import Fitted
    from reid_tui.training.scoring import Picture


def scores_of(evaluation: Evaluation, fitted: Fitted | None = None, *, step: int, epoch: int, split: str) -> Evaluated:
    """Its numbers, with the thresholds that were fitted to it."""
    scores = dataclasses.asdict(evaluation.scores)
    rates = fitted and dataclasses.replace(fitted, knots=())
    return Evaluated(step=step, epoch=epoch, split=split, **scores, fitted=rates)


def map_of(picture: Picture, *, step: int, split: str, path: str) -> EmbeddingsReady:
    """Its points, which lie at `path` too, or nowhere else where that is empty."""
    looked_at = LookedAt(picture.points, picture.identities, picture.gallery)
    return snapshot_of(looked_at, step=step, split=split, path=path)


def snapshot_of(shown: LookedAt, *, step: int, split: str, path: str) -> EmbeddingsReady:
    """Embeddings that were not scored, or need not have been."""
    arrays = {} if shown.gallery is None else shown.gallery._asdict()
    return EmbeddingsReady(
        step=step,
        split=split,
        path=path,
        full=shown.gallery is not None,
        points=shown.points,
        identities=shown.identities,
        **arrays,
    )


def distances_of(picture: Picture, *, step: int, split: str) -> DistancesReady:
    """Its histogram."""
    histogram = picture.evaluation.histogram
    return DistancesReady(
        step=step,
        split=split,
        edges=histogram.edges,
        same=histogram.same,
        different=histogram.different,
        threshold=picture.evaluation.scores.threshold,
    )

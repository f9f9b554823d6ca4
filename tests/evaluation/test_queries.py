from __future__ import annotations

import numpy as np
import pytest
import torch

from reid_tui.evaluation import queries as module
from reid_tui.evaluation.labels import GALLERY, QUERY, Labels
from reid_tui.evaluation.queries import first_ranks, ranked
from reid_tui.evaluation.retrieval import query_scores

RNG = np.random.default_rng(3)
IDENTITIES = RNG.integers(0, 30, 200)
CAMERAS = RNG.integers(0, 3, 200)
ROLES = RNG.choice([QUERY, GALLERY, QUERY + GALLERY], 200).astype(np.int8)
KINDS = {
    "leave-one-out": Labels(IDENTITIES),
    "cameras": Labels(IDENTITIES, CAMERAS),
    "roles": Labels(IDENTITIES, CAMERAS, ROLES),
}


def embeddings(*, tied: bool) -> np.ndarray:
    points = RNG.normal(0, 1, (200, 4)) + IDENTITIES[:, None] * 0.1
    return (np.round(points) if tied else points).astype(np.float32)


@pytest.mark.parametrize("labels", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("tied", [False, True])
def test_first_ranks_are_those_of_the_scores(labels: Labels, tied: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CELLS", 1000)
    points = embeddings(tied=tied)
    found = first_ranks(points, labels)
    wanted = query_scores(torch.from_numpy(points), labels)
    order = np.argsort(found.queries)
    assert (found.ranks[order] == wanted.first_Q).all()
    assert (np.diff(found.ranks) <= 0).all()


@pytest.mark.parametrize("labels", KINDS.values(), ids=KINDS)
def test_what_is_found_equals_a_slow_loop(labels: Labels) -> None:
    points = embeddings(tied=True)
    gallery = set(labels.gallery.tolist())
    for query in labels.queries[:20].tolist():
        rest = []
        for other in gallery - {query}:
            same = IDENTITIES[other] == IDENTITIES[query]
            if labels.cameras_N is not None and same and CAMERAS[other] == CAMERAS[query]:
                continue
            rest.append((float(np.linalg.norm(points[other] - points[query])), bool(same), other))
        found = ranked(points, labels, query, 7)
        assert found.distances == pytest.approx([d for d, _, _ in sorted(rest)[:7]])
        right = [bool(IDENTITIES[place] == IDENTITIES[query]) for place in found.places]
        assert right == [same for _, same, _ in sorted(rest)[:7]]
        assert query not in found.places


def test_the_first_right_answer_stands_at_its_rank() -> None:
    points = embeddings(tied=False)
    labels = KINDS["cameras"]
    found = first_ranks(points, labels)
    for query, rank in zip(found.queries[:30].tolist(), found.ranks[:30].tolist(), strict=True):
        right = IDENTITIES[ranked(points, labels, query, 200).places] == IDENTITIES[query]
        assert right.argmax() + 1 == rank


def test_for_a_new_picture_nothing_is_left_out() -> None:
    points = embeddings(tied=False)
    found = ranked(points, KINDS["cameras"], points[5].copy(), 3)
    assert (int(found.places[0]), float(found.distances[0])) == (5, 0)


def test_without_a_query_there_is_nothing_to_rank() -> None:
    assert len(first_ranks(np.zeros((3, 2), np.float32), Labels(np.arange(3))).queries) == 0

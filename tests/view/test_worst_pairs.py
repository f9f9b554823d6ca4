"""The worst pairs against a slow obvious loop."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from reid_tui.view import worst_pairs as module
from reid_tui.view.worst_pairs import worst_pairs


def slowly(
    embeddings: np.ndarray, identities: np.ndarray, cameras: np.ndarray | None, margin: float
) -> dict[str, list[tuple[int, int, float, float]]]:
    found: dict[str, list[tuple[int, int, float]]] = {"same": [], "different": []}
    seen = set() if cameras is None else set(zip(identities.tolist(), cameras.tolist(), strict=True))
    across = any(sum(who == identity for who, _ in seen) > 1 for identity in set(identities.tolist()))
    for a, b in itertools.combinations(range(len(identities)), 2):
        same = identities[a] == identities[b]
        if same and across and cameras is not None and cameras[a] == cameras[b]:
            continue
        distance = math.dist(embeddings[a].tolist(), embeddings[b].tolist())
        found["same" if same else "different"].append((a, b, distance))
    result = {}
    for kind, pairs in found.items():
        cost = {(a, b): d**2 if kind == "same" else max(0.0, margin - d) ** 2 for a, b, d in pairs}
        pairs.sort(key=lambda pair: -pair[2] if kind == "same" else pair[2])
        used: set[int] = set()
        chosen = []
        for a, b, distance in pairs:
            if not {a, b} & used:
                used |= {a, b}
                chosen.append((a, b, distance, cost[a, b] / sum(cost.values())))
        result[kind] = chosen[: module.COUNT]
    return result


@pytest.mark.parametrize("cameras", [None, 1, 3])
@pytest.mark.parametrize("block", [7, 512])
@pytest.mark.parametrize("dim", [2, 9])
def test_they_are_those_of_a_loop(cameras: int | None, block: int, dim: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    rng = np.random.default_rng(dim)
    embeddings = (100 + rng.normal(size=(97, dim))).astype(np.float32)
    identities = rng.integers(0, 5, 97)
    seen_by = None if cameras is None else rng.integers(0, cameras, 97)
    expected = slowly(embeddings, identities, seen_by, 1.5)
    for kind, pairs in worst_pairs(embeddings, identities, seen_by, 1.5)._asdict().items():
        a, b, distance, share = zip(*expected[kind], strict=True)
        assert (pairs.first_P.tolist(), pairs.second_P.tolist()) == (list(a), list(b))
        np.testing.assert_allclose(pairs.distance_P, distance, rtol=1e-6)
        np.testing.assert_allclose(pairs.share_P, share, rtol=1e-4)


def test_one_that_is_far_from_all_is_told_once_and_the_pool_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POOL", 300)
    embeddings = np.zeros((200, 2), np.float32)
    embeddings[:, 0] = np.arange(200) / 1000
    embeddings[17] = 9.0
    same = worst_pairs(embeddings, np.zeros(200, np.int64), None, math.nan).same
    assert (same.first_P[0], same.second_P[0]) == (0, 17)
    images = [*same.first_P.tolist(), *same.second_P.tolist()]
    assert len(images) == len(set(images)) > 2


def test_what_forms_no_pair() -> None:
    found = worst_pairs(np.zeros((2, 2), np.float32), np.array([0, 1]), None, math.nan)
    assert len(found.same.first_P) == 0
    assert found.different.distance_P.tolist() == [0.0]
    assert np.isnan(found.different.share_P).all()
    assert len(worst_pairs(np.zeros((0, 2), np.float32), np.zeros(0, np.int64), None, 1.0).different.first_P) == 0

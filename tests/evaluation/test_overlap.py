from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from reid_tui.evaluation.overlap import MOST_IMAGES, MOST_IN_TABLE, WORST, overlaps


def data(images: int, identities: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, identities, images) * 3
    return (rng.normal(0, 1, (images, 5)) + 0.3 * kinds[:, None] + 40).astype(np.float32), kinds.astype(np.int64)


@pytest.mark.parametrize(("images", "identities"), [(2, 1), (40, 4), (600, 2), (600, 20), (300, 60), (260, 140)])
def test_it_equals_a_slow_loop(images: int, identities: int) -> None:
    embeddings, kinds = data(images, identities)
    found = overlaps(embeddings, kinds, 2.0)
    distances: dict[tuple[int, int], list[float]] = {}
    exact = embeddings.astype(np.float64)
    away = np.sqrt(np.square(exact[:, None] - exact).sum(axis=2))
    for i, j in itertools.permutations(range(images), 2):
        distances.setdefault((int(kinds[i]), int(kinds[j])), []).append(float(away[i, j]))
    tell = {pair: (np.mean(some), np.mean(np.array(some) <= 2.0)) for pair, some in distances.items()}
    worst = sorted((-closer, mean) for (a, b), (mean, closer) in tell.items() if a < b)[:WORST]
    assert [(-pair.closer, pair.mean) for pair in found.worst] == [pytest.approx(w, rel=1e-4) for w in worst]
    for pair in found.worst:
        assert (pair.mean, pair.closer) == pytest.approx(tell[pair.first, pair.second], rel=1e-4)
    assert found.identities.tolist() == sorted(set(kinds.tolist()))
    assert (found.mean_KK is not None) == (len(found.identities) <= MOST_IN_TABLE)
    if found.mean_KK is not None and found.closer_KK is not None:
        for (a, b), (mean, closer) in tell.items():
            place = np.searchsorted(found.identities, [a, b])
            assert found.mean_KK[tuple(place)] == pytest.approx(mean, rel=1e-4)
            assert found.closer_KK[tuple(place)] == pytest.approx(closer)


def test_an_identity_with_one_image_has_no_pair_of_its_own() -> None:
    found = overlaps(np.eye(2, dtype=np.float32), np.array([4, 7]), 1.0)
    assert found.mean_KK is not None
    assert np.isnan(found.mean_KK.diagonal()).all()
    assert found.mean_KK[0, 1] == pytest.approx(math.sqrt(2))


def test_without_a_threshold_the_nearest_are_the_worst() -> None:
    points = np.array([[0.0], [5.0], [1.0], [20.0]], np.float32)
    found = overlaps(points, np.arange(4), math.nan)
    assert [(pair.first, pair.second) for pair in found.worst][:2] == [(0, 2), (1, 2)]
    assert all(math.isnan(pair.closer) for pair in found.worst)


def test_images_that_lie_on_each_other_are_closer_than_any_threshold() -> None:
    found = overlaps(np.full((300, 3), 7.7, np.float32), np.arange(300) % 3, 1e-3)
    assert found.closer_KK is not None
    assert (found.closer_KK == 1).all()


def test_of_many_images_the_first_are_compared() -> None:
    found = overlaps(np.zeros((MOST_IMAGES + 1, 2), np.float32), np.arange(MOST_IMAGES + 1) // MOST_IMAGES, 1.0)
    assert (found.images, found.identities.tolist()) == (MOST_IMAGES, [0])

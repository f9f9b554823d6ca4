"""The nearest of a gallery are the nearest, whatever float32 products make of them."""

from __future__ import annotations

import numpy as np
import pytest

from reid_tui.using import nearest as module
from reid_tui.using.nearest import Near, distances, nearest


def slow(query_D: np.ndarray, gallery_ND: np.ndarray, count: int, unseen: set[int]) -> tuple[list[int], list[float]]:
    """One pair after the other."""
    pairs = [
        (float(distances(query_D, gallery_ND, np.array([row]))[0]), row)
        for row in range(len(gallery_ND))
        if row not in unseen
    ]
    best = sorted(pairs)[:count]
    return [row for _, row in best], [distance for distance, _ in best]


def check(queries_QD: np.ndarray, gallery_ND: np.ndarray, count: int, without: list[list[int]] | None = None) -> None:
    unseen = without or [[] for _ in queries_QD]
    found = list(nearest(queries_QD, gallery_ND, count, [np.array(rows, dtype=np.int64) for rows in unseen]))
    assert len(found) == len(queries_QD)
    for (rows_K, distances_K), query_D, rows in zip(found, queries_QD, unseen, strict=True):
        assert (rows_K.tolist(), distances_K.tolist()) == slow(query_D, gallery_ND, count, set(rows))


@pytest.mark.parametrize("dimensions", [1, 2, 7, 64])
@pytest.mark.parametrize("scale", [1e-30, 1e-18, 1e-3, 1.0, 1e6, 1e25])
def test_as_the_slow_way_at_every_scale(dimensions: int, scale: float) -> None:
    rng = np.random.default_rng(dimensions)
    points = (rng.standard_normal((90, dimensions)) * scale).astype(np.float32)
    check(points[:6], points[6:], 7)


def test_equal_distances_keep_the_order_of_the_gallery() -> None:
    rng = np.random.default_rng(0)
    lattice = rng.integers(-1, 2, size=(200, 2)).astype(np.float32)
    for count in (1, 5, 60, 200, 500):
        check(lattice[:4], lattice, count)


def test_what_float32_confuses_is_told_apart() -> None:
    rng = np.random.default_rng(1)
    centre = rng.standard_normal(32) * 50
    points = (centre + rng.standard_normal((400, 32)) * 1e-3).astype(np.float32)
    query, gallery = points[:1], points[1:]
    hasty = np.argsort((gallery**2).sum(axis=1) - 2 * (gallery @ query[0]), kind="stable")[:5].tolist()
    assert hasty != slow(query[0], gallery, 5, set())[0]
    check(query, gallery, 5)


def test_a_collapsed_network() -> None:
    check(np.ones((2, 8), np.float32), np.ones((3000, 8), np.float32), 3)


def test_rows_that_a_query_does_not_see() -> None:
    rng = np.random.default_rng(2)
    points = rng.standard_normal((40, 3)).astype(np.float32)
    near = np.argsort(distances(points[0], points, np.arange(40)))[:6].tolist()
    check(points[:2], points, 5, [near, []])
    check(points[:2], points, 39, [[0], list(range(38))])
    check(points[:1] * 1e25, points * 1e25, 5, [near])


def test_a_gallery_of_nothing_but_the_query() -> None:
    one = np.ones((1, 4), np.float32)
    ((rows_K, distances_K),) = nearest(one, one, 3, [np.array([0])])
    assert (len(rows_K), len(distances_K)) == (0, 0)


def test_queries_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    points = rng.standard_normal((50, 5)).astype(np.float32)

    def found() -> list[Near]:
        return list(nearest(points[:7], points, 4))

    whole = found()
    monkeypatch.setattr(module, "CHUNK_BYTES", 2 * 4 * len(points))
    for one, other in zip(whole, found(), strict=True):
        assert one.rows_K.tolist() == other.rows_K.tolist()


def test_distances_are_those_of_a_library_and_zero_between_equals() -> None:
    rng = np.random.default_rng(4)
    points = rng.standard_normal((3000, 16)).astype(np.float32)
    found = distances(points[0], points, np.arange(len(points)))
    np.testing.assert_allclose(found, np.linalg.norm(points.astype(np.float64) - points[0], axis=1), rtol=1e-12)
    assert found[0] == 0

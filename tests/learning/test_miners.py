from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from reid_tui.learning.miners import Candidates, Chosen, distance_weighted, hardest, relations, semihard
from tests.learning.batches import batch, points

SEEDS = pytest.mark.parametrize("seed", range(5))
MARGIN = 1.0


def candidates(seed: int, *, beyond_same: bool = False) -> Candidates:
    points_ND, labels_N, images_N = batch(seed)
    distance_NN = torch.cdist(points_ND, points_ND)
    edge_NN = distance_NN + MARGIN if beyond_same else torch.full_like(distance_NN, MARGIN)
    return Candidates(distance_NN, *relations(labels_N, images_N), edge_NN, points_ND.shape[1], seed)


def triplets(chosen: Chosen) -> set[tuple[int, int, int]]:
    formed = chosen.is_same_NW & chosen.is_different_NW
    return {(a, int(chosen.same_NW[a, w]), int(chosen.different_NW[a, w])) for a, w in formed.nonzero().tolist()}


def same_of(given: Candidates, anchor: int) -> list[int]:
    return given.same_NN[anchor].nonzero().flatten().tolist()


def different_of(given: Candidates, anchor: int) -> list[int]:
    return given.different_NN[anchor].nonzero().flatten().tolist()


def test_an_image_is_no_pair_of_its_own_however_often_it_comes() -> None:
    same_NN, different_NN = relations(torch.tensor([0, 0, 0, 1]), torch.tensor([5, 6, 5, 7]))
    assert same_NN.tolist() == [
        [False, True, False, False],
        [True, False, True, False],
        [False, True, False, False],
        [False] * 4,
    ]
    assert different_NN.tolist() == [[False, False, False, True]] * 3 + [[True, True, True, False]]


@SEEDS
def test_hardest_is_the_farthest_same_and_the_nearest_different(seed: int) -> None:
    given = candidates(seed)
    chosen = hardest(given)
    for anchor, row in enumerate(given.distance_NN):
        same, different = same_of(given, anchor), different_of(given, anchor)
        assert bool(chosen.is_same_NW[anchor]) == bool(same)
        assert bool(chosen.is_different_NW[anchor]) == bool(different)
        if same:
            assert row[chosen.same_NW[anchor, 0]] == max(row[index] for index in same)
            assert int(chosen.same_NW[anchor, 0]) in same
        assert int(chosen.different_NW[anchor, 0]) == min(different, key=lambda index: row[index])


@SEEDS
@pytest.mark.parametrize("beyond_same", [False, True])
def test_semihard_is_the_nearest_that_is_farther_but_still_costs_something(seed: int, beyond_same: bool) -> None:
    given = candidates(seed, beyond_same=beyond_same)
    expected, fallbacks = set(), 0
    for anchor, row in enumerate(given.distance_NN.tolist()):
        for same in same_of(given, anchor):
            edge = row[same] + MARGIN if beyond_same else MARGIN
            different = sorted(different_of(given, anchor), key=lambda index: row[index])
            between = [index for index in different if row[same] < row[index] < edge]
            fallbacks += not between
            expected.add((anchor, same, (between or different)[0]))

    def distances(found: set[tuple[int, int, int]]) -> list[tuple[int, int, float]]:
        return sorted((a, p, given.distance_NN[a, n].item()) for a, p, n in found)  # an image that comes twice ties

    assert distances(triplets(semihard(given))) == distances(expected)
    assert fallbacks or beyond_same


@SEEDS
def test_distance_takes_every_same_pair_and_what_still_costs_something(seed: int) -> None:
    given = candidates(seed)
    found = triplets(distance_weighted(given))
    assert {(a, p) for a, p, _ in found} == {(a, p) for a in range(24) for p in same_of(given, a)}
    for anchor, _, different in found:
        assert different in different_of(given, anchor)
        inside = [index for index in different_of(given, anchor) if given.distance_NN[anchor, index] < MARGIN]
        assert different in inside or not inside


def expected_shares(distance: Tensor, different: Tensor, anchor: int, dim: int) -> Tensor:
    squares = [distance[a, b].item() ** 2 for a, b in different.nonzero().tolist()]
    unit = math.sqrt(2 / (sum(squares) / len(squares)))
    weights = torch.zeros(len(distance), dtype=torch.float64)
    for index in different[anchor].nonzero().flatten().tolist():
        d = min(max(distance[anchor, index].item() * unit, 0.5), 1.4)
        weights[index] = 1 / (d ** (dim - 2) * (1 - d * d / 4) ** ((dim - 3) / 2))
    return weights / weights.sum()


@pytest.mark.parametrize("dim", [2, 3, 8])
def test_distance_draws_by_one_over_the_density_on_the_sphere(dim: int) -> None:
    points_ND = points(16, dim, seed=3, scale=2)
    labels_N = torch.arange(16) // 8
    distance_NN = torch.cdist(points_ND, points_ND)
    related = relations(labels_N, torch.arange(16))
    counts = torch.zeros(16, dtype=torch.float64)
    for seed in range(300):
        chosen = distance_weighted(Candidates(distance_NN, *related, torch.full_like(distance_NN, 1e9), dim, seed))
        counts += torch.bincount(chosen.different_NW[0][chosen.is_same_NW[0]], minlength=16)
    shares, total = expected_shares(distance_NN, related[1], 0, dim), counts.sum()
    assert total == 300 * 7
    assert ((counts - shares * total).abs() <= 4.5 * (shares * total).sqrt() + 1e-9).all()


def test_what_is_drawn_depends_on_the_seed_alone() -> None:
    given = candidates(0)
    there = triplets(distance_weighted(given))
    torch.rand(3)
    assert triplets(distance_weighted(given)) == there
    assert triplets(distance_weighted(given._replace(seed=1))) != there


@pytest.mark.parametrize("miner", [hardest, semihard, distance_weighted])
@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2], [0]])
def test_nothing_to_choose_is_nothing_chosen(miner: type, labels: list[int]) -> None:
    distance_NN = torch.cdist(points(len(labels), 2), points(len(labels), 2))
    related = relations(torch.tensor(labels), torch.arange(len(labels)))
    assert not triplets(miner(Candidates(distance_NN, *related, torch.ones_like(distance_NN), 2, 0)))

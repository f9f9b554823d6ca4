"""Intervals over identities: against scores of repeated images, and against what is known of their width."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_tui.evaluation import intervals as module
from reid_tui.evaluation.intervals import DRAWS, rate_intervals, retrieval_intervals, verification_intervals
from reid_tui.evaluation.labels import DISTRACTOR, Labels
from reid_tui.evaluation.retrieval import QueryScores, query_scores, retrieval_scores
from reid_tui.evaluation.verification import verification_scores


def ranked(identities: np.ndarray, seed: int = 0) -> tuple[QueryScores, Labels]:
    generator = torch.Generator().manual_seed(seed)
    count = int(identities.max()) + 1
    points = torch.randn(count, 4, generator=generator)[identities]
    labels = Labels(identities)
    return query_scores(points + torch.randn(len(identities), 4, generator=generator), labels), labels


@settings(max_examples=60, deadline=None)
@given(
    weights=st.lists(st.integers(0, 3), min_size=4, max_size=4),
    seed=st.integers(0, 999),
    ties=st.booleans(),
)
def test_a_draw_scores_as_if_its_pairs_were_there_so_often(weights: list[int], seed: int, ties: bool) -> None:
    generator = np.random.default_rng(seed)
    identities_P2 = generator.integers(0, 4, (60, 2))
    same_P = identities_P2[:, 0] == identities_P2[:, 1]
    distances_P = generator.random(60) + 0.3 * ~same_P
    distances_P = distances_P.round(1) if ties else distances_P
    weight_4 = np.array(weights)
    times_P = np.where(same_P, weight_4[identities_P2[:, 0]], weight_4[identities_P2].prod(axis=1))
    expected = verification_scores(np.repeat(distances_P, times_P), np.repeat(same_P, times_P))
    curve = module._Curve(distances_P, same_P, identities_P2)
    auc, eer = curve.scores(weight_4[:, None].astype(np.float64))
    assert (auc[0], eer[0]) == pytest.approx((expected.auc, expected.eer), rel=1e-12, abs=1e-15, nan_ok=True)


def test_retrieval_is_drawn_with_all_queries_of_an_identity() -> None:
    queries, labels = ranked(np.repeat(np.arange(30), 10))
    told = retrieval_intervals(queries, seed=3)
    scores = retrieval_scores(queries, labels)
    # As the theory has it: the spread of the identities' means, divided by the root of their number.
    for name, values in (("map", queries.precision_Q), ("minp", queries.inverse_penalty_Q)):
        spread = values.reshape(30, 10).mean(axis=1).std() / np.sqrt(30)
        low, high = told[name]
        assert low < getattr(scores, name) < high
        assert high - low == pytest.approx(2 * 1.96 * spread, rel=0.15)
    assert told["rank1"][0] < scores.rank1 < told["rank1"][1]


def test_identities_count_by_their_queries() -> None:
    # One identity finds all of its 9 queries, the other none of its 1: draws of both give 0.9, of one alone 1 or 0.
    queries = QueryScores(
        np.array([4] * 9 + [7]), np.array([1] * 9 + [5]), np.ones(10), np.ones(10), np.array([1.0] * 9 + [0.0])
    )
    assert retrieval_intervals(queries, seed=0) == {"rank1": (0.0, 1.0), "map": (1.0, 1.0), "minp": (0.0, 1.0)}


def test_verification_intervals_hold_the_score_and_narrow_with_more_identities() -> None:
    widths = []
    for count in (10, 160):
        generator = np.random.default_rng(1)
        place_K = generator.normal(size=(count, 3))
        identities_P2 = generator.integers(0, count, (4000, 2))
        identities_P2[::2, 1] = identities_P2[::2, 0]
        same_P = identities_P2[:, 0] == identities_P2[:, 1]
        points = place_K[identities_P2] + 0.8 * generator.normal(size=(4000, 2, 3))
        distances_P = np.linalg.norm(points[:, 0] - points[:, 1], axis=1)
        told = verification_intervals(distances_P, same_P, identities_P2, seed=0)
        scores = verification_scores(distances_P, same_P)
        assert told["auc"][0] < scores.auc < told["auc"][1]
        assert told["eer"][0] < scores.eer < told["eer"][1]
        widths.append(told["auc"][1] - told["auc"][0])
    assert widths[1] < widths[0] / 2


def test_distractors_are_not_drawn() -> None:
    # The pairs with a distractor are right, that of two people is wrong. Drawn once each they are 2 and 1; one drawn
    # twice brings 2 right ones and leaves no wrong one.
    identities_P2 = np.array([[0, 0], [1, 1], [0, DISTRACTOR], [1, DISTRACTOR], [0, 1]])
    distances_P, same_P = np.array([1.0, 1.0, 2.0, 2.0, 0.5]), np.arange(5) < 2
    told = verification_intervals(distances_P, same_P, identities_P2, seed=0)
    assert told["auc"] == pytest.approx((2 / 3, 1))
    alone = identities_P2[:, 0] == 0
    alone[4] = False
    assert verification_intervals(distances_P[alone], same_P[alone], identities_P2[alone], seed=0) == {}


def test_the_seed_alone_decides() -> None:
    queries, _ = ranked(np.repeat(np.arange(8), 4))
    assert retrieval_intervals(queries, seed=1) == retrieval_intervals(queries, seed=1)
    assert retrieval_intervals(queries, seed=1) != retrieval_intervals(queries, seed=2)
    (weights_BK,) = module._draws(5, 2**63, DRAWS, DRAWS)
    assert weights_BK.shape == (DRAWS, 5)
    assert (weights_BK.sum(axis=1) == 5).all()


def test_draws_are_the_same_in_parts_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, parts = (list(module._draws(9, 4, 50, size)) for size in (50, 7))
    assert [len(part) for part in parts] == [7] * 7 + [1]
    np.testing.assert_array_equal(np.concatenate(parts), whole[0])
    queries, _ = ranked(np.repeat(np.arange(9), 4))
    at_once = retrieval_intervals(queries, seed=1)
    monkeypatch.setattr(module, "WEIGHTS", 9 * 30)
    for name, ends in retrieval_intervals(queries, seed=1).items():
        assert ends == pytest.approx(at_once[name], rel=1e-12)


def test_fewer_than_two_identities_have_none() -> None:
    queries, _ = ranked(np.zeros(6, dtype=np.int64))
    assert retrieval_intervals(queries, seed=0) == {}
    pairs = np.zeros((6, 2), dtype=np.int64)
    assert verification_intervals(np.ones(6), np.ones(6, dtype=bool), pairs, seed=0) == {}
    two = np.array([[0, 0], [1, 1]])
    assert verification_intervals(np.ones(2), np.ones(2, dtype=bool), two, seed=0) == {}
    assert verification_intervals(np.zeros(0), np.zeros(0, dtype=bool), two[:0], seed=0) == {}


def drawn_rates(wrong_P: np.ndarray, same_P: np.ndarray, identities_P2: np.ndarray, weights: np.ndarray) -> list[float]:
    """False acceptance and rejection where each identity is there so often, and nobody once."""
    weight_P2 = np.where(identities_P2 < 0, 1, weights[identities_P2])
    times_P = np.where(same_P, weight_P2[:, 0], weight_P2.prod(axis=1))
    kinds = (~same_P, same_P)
    return [float((times_P * wrong_P)[kind].sum() / times_P[kind].sum()) for kind in kinds]


def test_rates_are_drawn_with_all_pairs_of_an_identity() -> None:
    rng = np.random.default_rng(5)
    identities_P2 = rng.integers(-1, 12, (2000, 2))
    identities_P2[::2] = rng.integers(0, 12, (1000, 1))
    same_P = identities_P2[:, 0] == identities_P2[:, 1]
    identities_P2[(identities_P2 < 0).all(axis=1), 0] = 0
    same_P = identities_P2[:, 0] == identities_P2[:, 1]
    wrong_P = rng.random(2000) < 0.1 + 0.02 * identities_P2[:, 0]
    told = rate_intervals([wrong_P, ~wrong_P], same_P, identities_P2, seed=3)
    (weights_BK,) = module._draws(12, 3, module.PAIR_DRAWS, module.PAIR_DRAWS)
    drawn = np.array([drawn_rates(wrong_P, same_P, identities_P2, weights) for weights in weights_BK])
    for kind in (0, 1):
        low, high = np.quantile(drawn[:, kind], (0.025, 0.975))
        assert told[kind] == [pytest.approx((low, high)), pytest.approx((1 - high, 1 - low))]


def test_rates_of_very_many_identities_are_drawn_by_groups_of_them() -> None:
    """As wide as by one at a time: each group is one of many then."""
    rng = np.random.default_rng(5)
    count = 4 * module.GROUPS
    identities_P2 = rng.integers(0, count, (20_000, 2))
    identities_P2[::2, 1] = identities_P2[::2, 0]
    same_P = identities_P2[:, 0] == identities_P2[:, 1]
    wrong_P = rng.random(20_000) < rng.random(count)[identities_P2[:, 0]]
    told = rate_intervals([wrong_P], same_P, identities_P2, seed=0)
    (weights_BK,) = module._draws(count, 1, module.PAIR_DRAWS, module.PAIR_DRAWS)
    drawn = np.array([drawn_rates(wrong_P, same_P, identities_P2, weights) for weights in weights_BK])
    for kind in (0, 1):
        ((low, high),) = told[kind]
        assert low < drawn[:, kind].mean() < high
        assert high - low == pytest.approx(4 * drawn[:, kind].std(), rel=0.25)


def test_rates_of_one_identity_may_be_anything() -> None:
    pairs = np.zeros((3, 2), dtype=np.int64), np.ones(3, dtype=bool)
    assert rate_intervals([pairs[1]], pairs[1], pairs[0], seed=0) == ([(0.0, 1.0)], [(0.0, 1.0)])

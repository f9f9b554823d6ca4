"""Everything that is told of embeddings, against cases by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from reid_tui.evaluation.detailed import Mistake, detailed
from reid_tui.evaluation.evaluate import measure
from reid_tui.evaluation.fitting import fit_operating_points
from reid_tui.evaluation.labels import Labels
from reid_tui.evaluation.reranking import Reranking
from reid_tui.evaluation.retrieval import query_scores, retrieval_scores


def clouds(identities: int, each: int, spread: float = 0.8) -> tuple[np.ndarray, Labels]:
    rng = np.random.default_rng(4)
    centres = rng.normal(size=(identities, 4)).repeat(each, axis=0)
    points = centres + spread * rng.normal(size=centres.shape)
    return points.astype(np.float32), Labels(np.repeat(np.arange(identities), each))


def on_a_line(places: list[float], identities: list[int]) -> tuple[np.ndarray, Labels]:
    return np.array(places, np.float32)[:, None], Labels(np.array(identities))


def test_the_curves_go_through_the_scores() -> None:
    points, labels = clouds(40, 6)
    found = detailed(points, labels, seed=0)
    assert found.cmc_K[[0, 4, 9, 19]].tolist() == [
        found.scores.rank1,
        found.scores.rank5,
        found.scores.rank10,
        found.scores.rank20,
    ]
    far_U, tar_U = found.roc
    assert (far_U[-1], tar_U[-1]) == (1.0, 1.0)
    assert far_U[0] == pytest.approx(10 / 25_000)
    assert (np.diff(tar_U) >= 0).all()
    at_rate = dict(found.scores.tar_at_far)
    assert np.interp(math.log(1e-2), np.log(far_U), tar_U) == pytest.approx(at_rate[1e-2], abs=0.01)


def test_rates_at_a_threshold_cross_at_the_equal_error() -> None:
    found = detailed(*clouds(40, 6), seed=0)
    far, frr = found.rates(found.scores.threshold)
    assert far == pytest.approx(found.scores.eer, abs=2e-3)
    assert frr == pytest.approx(found.scores.eer, abs=2e-3)
    assert found.rates(-1.0) == (0.0, 1.0)


def test_one_more_rate_is_told_among_the_others() -> None:
    points, labels = clouds(40, 6)
    rates = detailed(points, labels, seed=0, far=0.05).scores.tar_at_far
    assert [far for far, _ in rates] == [0.05, 1e-2, 1e-3, 1e-4]
    assert rates[0][1] > rates[1][1]
    assert math.isnan(dict(detailed(points, labels, seed=0, far=1e-5).scores.tar_at_far)[1e-5])  # 0.25 pairs
    same = detailed(points, labels, seed=0, far=0.01).scores
    assert same == measure(torch.from_numpy(points), labels, seed=0, intervals=True).scores


def test_the_hardest_identity_is_told_with_whom_it_is_taken_for() -> None:
    # 7 lies among 5: its queries find 5 first. 9 is far from both.
    points, labels = on_a_line([0, 1, 2, 3, 1.4, 2.4, 50, 51], [5, 5, 5, 5, 7, 7, 9, 9])
    first, *_, last = detailed(points, labels, seed=0).hardest
    assert (first.identity, first.queries, first.taken_for, first.rank1) == (7, 2, 5, 0.0)
    assert first.map < last.map
    assert (last.identity, last.map, last.rank1) == (9, 1.0, 1.0)


def test_mistakes_are_the_farthest_same_and_the_closest_different_pairs() -> None:
    points, labels = on_a_line([0, 10, 11, 20, 20.5, 33], [0, 0, 1, 1, 2, 2])
    found = detailed(points, labels, seed=0).mistakes
    assert found[:2] == (Mistake(4, 5, 12.5, True), Mistake(0, 1, 10.0, True))
    assert [each for each in found if not each.same][:2] == [Mistake(3, 4, 0.5, False), Mistake(1, 2, 1.0, False)]


def test_an_outlier_does_not_fill_the_list() -> None:
    points, labels = clouds(5, 8)
    points[0] += 100
    found = detailed(points, labels, seed=0).mistakes
    assert [each.same for each in found] == [True] * 5 + [False] * 5
    for same in (True, False):
        shown = [place for each in found if each.same == same for place in (each.query, each.found)]
        assert len(shown) == len(set(shown)) == 10


def test_re_ranked_scores_stand_beside_the_others_where_asked_for() -> None:
    points, labels = clouds(30, 6)
    found = detailed(points, labels, seed=0, rerank=True)
    tensor = torch.from_numpy(points)
    expected = retrieval_scores(query_scores(tensor, labels, distances=Reranking(tensor, labels)), labels)
    assert found.reranked == expected
    plain = detailed(points, labels, seed=0)
    assert plain.reranked is None
    assert plain.scores == found.scores


@pytest.mark.parametrize("identities", [[0], [0, 0], [0, 1, 2], [-1, -1]])
def test_little_to_say_is_no_error(identities: list[int]) -> None:
    found = detailed(np.zeros((len(identities), 2), np.float32), Labels(np.array(identities)), seed=0, rerank=True)
    assert found.scores.images == len(identities)
    assert len(found.roc.far_U) == 0 or len(identities) == 3


def test_thresholds_are_fitted_to_the_same_images() -> None:
    points, labels = clouds(40, 6)
    found = detailed(points, labels, seed=0)
    assert found.fitted == fit_operating_points(torch.from_numpy(points), labels, seed=0)
    assert found.fitted is not None
    assert found.fitted.threshold == pytest.approx(found.scores.threshold, rel=0.05)


def test_what_is_done_is_told() -> None:
    told: list[str] = []
    detailed(*clouds(10, 4), seed=0, rerank=True, tell=told.append)
    assert list(dict.fromkeys(told)) == [
        "ranking the gallery",
        "looking for mistakes",
        "ranking again by mutual neighbours",
        "fitting thresholds",
    ]

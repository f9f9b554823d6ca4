"""Pairs by their rules, and AUC, EER and d-prime against slow loops and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from reid_tui.evaluation.labels import DISTRACTOR, GALLERY, JUNK, QUERY, Labels
from reid_tui.evaluation.verification import equal_error, tar_at_far, verification_pairs, verification_scores

PINNED = (
    ([1, 2, 1, 4, 0, 1, 4, 1, 4, 4], [3, 5, 3, 6, 6, 2, 2, 6, 7, 1]),
    ([3, 2, 3, 6, 0, 4, 5, 3, 6, 3], [1, 5, 1, 4, 4, 5, 6, 2, 2, 4]),
)
LABELS = np.repeat(np.arange(10), 20)


def slow_auc(same: list[float], different: list[float]) -> float:
    wins = sum((d > s) + (d == s) / 2 for s in same for d in different)
    return wins / (len(same) * len(different))


def slow_eer(same: list[float], different: list[float]) -> float:
    """Walk along the curve of both rates until they cross."""
    before = (0.0, 1.0)
    for at in sorted({*same, *different}):
        accepted = sum(d <= at for d in different) / len(different)
        rejected = sum(s > at for s in same) / len(same)
        if accepted >= rejected:
            part = (before[1] - before[0]) / ((before[1] - before[0]) + (accepted - rejected))
            return before[0] + part * (accepted - before[0])
        before = (accepted, rejected)
    raise AssertionError("beyond the largest distance everything is accepted")


def mixed(seed: int, count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    same = generator.random(count) < 0.5
    return np.abs(generator.normal(np.where(same, 0.5, 1.5), 0.7)), same


def test_pairs_are_what_they_say() -> None:
    first, second, same = verification_pairs(Labels(LABELS), 5001, seed=3)
    assert len(first) == len(second) == len(same) == 5001
    assert same.sum() == 2500
    assert (first != second).all()
    np.testing.assert_array_equal(LABELS[first] == LABELS[second], same)


def test_pairs_depend_on_the_seed_alone() -> None:
    one, again, other = (verification_pairs(Labels(LABELS), 400, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(one.first_P, again.first_P)
    np.testing.assert_array_equal(one.second_P, again.second_P)
    assert not np.array_equal(one.first_P, other.first_P)
    verification_pairs(Labels(LABELS), 4, seed=2**63 - 1)


def test_every_partner_is_equally_likely() -> None:
    identities = np.array([0, 0, 0, 1, 1, 2])
    first, second, same = verification_pairs(Labels(identities), 60_000, seed=0)
    # Same: 5 anchors, of identity 0 with 2 partners each, of identity 1 with 1. Different: 6 anchors.
    expected = {
        True: {(a, b): 1 / 5 / (sum(identities == identities[a]) - 1) for a in range(5) for b in range(5)},
        False: {(a, b): 1 / 6 / sum(identities != identities[a]) for a in range(6) for b in range(6)},
    }
    for kind in (True, False):
        pairs, counts = np.unique(np.stack((first, second))[:, same == kind], axis=1, return_counts=True)
        right = {
            (a, b): share
            for (a, b), share in expected[kind].items()
            if a != b and (identities[a] == identities[b]) == kind
        }
        assert {(a, b) for a, b in pairs.T.tolist()} == set(right)
        for (a, b), seen in zip(pairs.T.tolist(), counts / (same == kind).sum(), strict=True):
            assert seen == pytest.approx(right[a, b], abs=0.012)


def test_same_pairs_go_across_cameras() -> None:
    generator = np.random.default_rng(0)
    identities, cameras = generator.integers(0, 12, 300), generator.integers(0, 4, 300)
    cameras[identities == 5] = 2
    first, second, same = verification_pairs(Labels(identities, cameras), 4000, seed=1)
    np.testing.assert_array_equal(identities[first] == identities[second], same)
    assert (cameras[first] != cameras[second])[same].all()
    assert not (identities[first][same] == 5).any()
    assert (cameras[first] == cameras[second])[~same].any()


def test_same_pairs_stay_within_the_only_camera() -> None:
    first, second, same = verification_pairs(Labels(LABELS, np.zeros(200, dtype=np.int64)), 100, seed=1)
    assert same.sum() == 50
    assert (first != second).all()


def test_pairs_without_roles_are_these() -> None:
    identities, cameras = np.array([2, 0, 1, 0, 2, 1, 2, 0]), np.array([0, 1, 0, 0, 1, 1, 0, 1])
    for labels, expected in zip((Labels(identities), Labels(identities, cameras)), PINNED, strict=True):
        first, second, _ = verification_pairs(labels, 10, seed=4)
        assert (first.tolist(), second.tolist()) == expected


def test_junk_is_in_no_pair_and_two_distractors_form_none() -> None:
    identities = np.random.default_rng(0).choice([JUNK, DISTRACTOR, DISTRACTOR, 0, 1, 2], 400)
    first, second, same = verification_pairs(Labels(identities), 4000, seed=1)
    assert (identities[first] >= 0).all()
    assert not (identities[second] == JUNK).any()
    np.testing.assert_array_equal(identities[first] == identities[second], same)
    assert set(identities[second][~same].tolist()) == {DISTRACTOR, 0, 1, 2}


@pytest.mark.parametrize("with_cameras", [False, True])
def test_with_roles_a_pair_is_a_query_and_an_image_of_the_gallery(with_cameras: bool) -> None:
    generator = np.random.default_rng(0)
    identities, cameras = generator.integers(0, 12, 300), generator.integers(0, 3, 300)
    roles = generator.choice([QUERY, GALLERY, QUERY + GALLERY], 300).astype(np.int8)
    labels = Labels(identities, cameras if with_cameras else None, roles)
    first, second, same = verification_pairs(labels, 4000, seed=1)
    assert (roles[first] & QUERY > 0).all()
    assert (roles[second] & GALLERY > 0).all()
    assert (first != second).all()
    np.testing.assert_array_equal(identities[first] == identities[second], same)
    assert same.sum() == 2000
    assert (cameras[first] != cameras[second])[same].all() == with_cameras


def test_a_query_that_is_not_in_the_gallery_is_no_hole_in_it() -> None:
    labels = Labels(np.zeros(4, dtype=np.int64), None, np.array([GALLERY, GALLERY, QUERY, QUERY], dtype=np.int8))
    first, second, _ = verification_pairs(labels, 200, seed=0)
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == {(2, 0), (2, 1), (3, 0), (3, 1)}


@pytest.mark.parametrize(
    ("identities", "kinds"), [([4, 4, 4], {True}), ([0, 1, 2], {False}), ([3], set()), ([], set())]
)
def test_a_kind_that_cannot_be_formed_is_left_out(identities: list[int], kinds: set[bool]) -> None:
    pairs = verification_pairs(Labels(np.array(identities, dtype=np.int64)), 10, seed=0)
    assert set(pairs.same_P.tolist()) == kinds
    assert len(pairs.first_P) == len(pairs.second_P) == 5 * len(kinds)


def test_hand_computed_scores() -> None:
    # Same at 1, 2, 3, 4; different at 3, 5, 6, 7. Of 16 comparisons 14 are right, one is a tie.
    scores = verification_scores(np.array([1.0, 2, 3, 4, 3, 5, 6, 7]), np.repeat([True, False], 4))
    assert scores.auc == 14.5 / 16
    # At 3 one in four is accepted wrongly and one in four rejected wrongly, and so it stays until 4.
    assert scores.eer == 0.25
    assert scores.threshold == 3
    assert scores.d_prime == pytest.approx((5.25 - 2.5) / math.sqrt((1.25 + 2.1875) / 2))


def test_known_values_with_ties_and_a_gap() -> None:
    same = np.array([0.0, 0, 1, 1, 2, 2, 5, 5, 9, 9])
    different = np.array([3.0, 3, 4, 4, 6, 6, 7, 7, 8, 8])
    scores = verification_scores(np.concatenate((same, different)), np.repeat([True, False], 10))
    assert (scores.auc, scores.eer) == (0.72, 0.4)
    assert scores.threshold == 4
    assert ((different <= 4).mean(), (same > 4).mean()) == (0.4, 0.4)
    assert equal_error(same, different) == (0.4, 4, 5)
    assert tar_at_far(same, different, 0.1) == 0.6


def test_the_crossing_between_two_distances_is_interpolated() -> None:
    # Rates (accepted, rejected): at 1 (0, 1/2), at 2 (1, 1/2): they meet half way, at 1/2.
    scores = verification_scores(np.array([1.0, 3.0, 2.0]), np.array([True, True, False]))
    assert scores.eer == 0.5
    assert scores.threshold == 1.5


def test_separated_and_reversed_distances() -> None:
    same = np.array([True, True, False, False])
    apart = verification_scores(np.array([0.1, 0.2, 0.8, 0.9]), same)
    assert (apart.auc, apart.eer) == (1.0, 0.0)
    assert apart.threshold == pytest.approx(0.2)
    assert equal_error(np.array([0.1, 0.2]), np.array([0.8, 0.9])) == (0, 0.2, 0.8)
    wrong = verification_scores(np.array([0.8, 0.9, 0.1, 0.2]), same)
    assert (wrong.auc, wrong.eer) == (0.0, 1.0)


def test_equal_distances_tell_nothing() -> None:
    scores = verification_scores(np.full(6, 0.7), np.array([True, False] * 3))
    assert (scores.auc, scores.eer) == (0.5, 0.5)
    assert scores.threshold == pytest.approx(0.7)
    assert math.isnan(scores.d_prime)


@pytest.mark.parametrize("seed", range(5))
def test_equals_scikit_learn(seed: int) -> None:
    distances, same = mixed(seed)
    scores = verification_scores(distances, same)
    assert scores.auc == pytest.approx(roc_auc_score(~same, distances), rel=1e-12)
    accepted_wrong, accepted_right, _ = roc_curve(same, -distances, drop_intermediate=False)
    gap = accepted_wrong - (1 - accepted_right)
    after = int(np.argmax(gap >= 0))
    part = -gap[after - 1] / (gap[after] - gap[after - 1])
    crossing = accepted_wrong[after - 1] + part * (accepted_wrong[after] - accepted_wrong[after - 1])
    assert scores.eer == pytest.approx(crossing, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(
    same=st.lists(st.integers(0, 9).map(float), min_size=1, max_size=15),
    different=st.lists(st.integers(0, 9).map(float), min_size=1, max_size=15),
    seed=st.integers(0, 99),
    power=st.integers(-6, 6),
)
def test_equals_the_loops_in_any_order_and_scale(
    same: list[float], different: list[float], seed: int, power: int
) -> None:
    distances = np.array(same + different)
    kinds = np.repeat([True, False], [len(same), len(different)])
    scores = verification_scores(distances, kinds)
    assert scores.auc == pytest.approx(slow_auc(same, different), rel=1e-12)
    assert scores.eer == pytest.approx(slow_eer(same, different), rel=1e-9, abs=1e-12)
    assert 0 <= scores.auc <= 1
    assert 0 <= scores.eer <= 1
    assert distances.min() <= scores.threshold <= distances.max()
    order = np.random.default_rng(seed).permutation(len(distances))
    moved = verification_scores(distances[order] * 2.0**power, kinds[order])
    assert (moved.auc, moved.eer) == (scores.auc, scores.eer)
    assert moved.threshold == pytest.approx(scores.threshold * 2.0**power)
    assert moved.d_prime == pytest.approx(scores.d_prime, nan_ok=True)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("decimals", [1, 9])
def test_true_acceptances_equal_scikit_learn(seed: int, decimals: int) -> None:
    distances, same = mixed(seed, 3000)
    distances = distances.round(decimals)
    accepted_wrong, accepted_right, _ = roc_curve(same, -distances, drop_intermediate=False)
    for rate in (0.0, 1e-4, 1e-2, 0.05, 0.3, 1.0):
        expected = accepted_right[accepted_wrong <= rate].max()
        assert tar_at_far(np.sort(distances[same]), np.sort(distances[~same]), rate) == expected


def test_true_acceptances_by_hand() -> None:
    # At 1 % one of 100 may be accepted, at 29 % 29: their share is no larger, though 0.29 * 100 is below 29.
    different = np.arange(100.0)
    assert tar_at_far(np.array([0.5, 1.0, 2.0, 28.5]), different, 0.01) == 0.25
    assert tar_at_far(np.array([0.5, 1.0, 28.5, 30.0]), different, 0.29) == 0.75
    # Of those at one distance all are accepted or none.
    assert tar_at_far(np.array([1.0, 3.0]), np.array([2.0, 2.0, 2.0, 5.0]), 0.5) == 0.5
    assert tar_at_far(np.array([9.0]), different[:5], 1.0) == 1.0


def test_rates_that_would_accept_fewer_than_ten_are_not_told() -> None:
    distances, _ = mixed(0, 1100)
    same = np.arange(1100) < 100
    told = verification_scores(distances, same).tar_at_far
    assert [far for far, _ in told] == [1e-2, 1e-3, 1e-4]
    assert [math.isfinite(share) for _, share in told] == [True, False, False]
    assert told[0][1] == tar_at_far(np.sort(distances[same]), np.sort(distances[~same]), 1e-2)
    one_less = verification_scores(distances[:-1], same[:-1]).tar_at_far
    assert all(math.isnan(share) for _, share in one_less)


@pytest.mark.parametrize("kind", [True, False])
def test_one_kind_alone_is_undefined(kind: bool) -> None:
    scores = verification_scores(np.array([0.1, 0.2]), np.array([kind, kind]))
    assert all(math.isnan(value) for value in (scores.auc, scores.eer, scores.threshold, scores.d_prime))


def test_refuses_what_is_not_finite() -> None:
    with pytest.raises(ValueError, match="finite"):
        verification_scores(np.array([0.1, math.nan]), np.array([True, False]))

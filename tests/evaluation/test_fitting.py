"""Thresholds and calibration against plain loops over all pairs, an oracle, and identities that fitted nothing."""

from __future__ import annotations

import dataclasses
import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.isotonic import IsotonicRegression
from torch import Tensor

from reid_tui.evaluation import fitting
from reid_tui.evaluation.fitting import fit_operating_points, halves
from reid_tui.evaluation.labels import DISTRACTOR, GALLERY, JUNK, QUERY, Labels
from reid_tui.evaluation.operating import Fitted
from reid_tui.evaluation.verification import verification_scores
from reid_tui.training.card import card_from, card_json
from tests.training.test_card import CARD


def people(count: int, each: int, seed: int = 0, spread: float = 0.5) -> tuple[Tensor, Labels]:
    """`each` images of every identity, about a place of its own in eight dimensions."""
    generator = torch.Generator().manual_seed(seed)
    identities = np.repeat(np.arange(count), each)
    places = torch.randn(count, 8, generator=generator)[torch.from_numpy(identities)]
    return places + spread * torch.randn(count * each, 8, generator=generator), Labels(identities)


def fit(embeddings: Tensor, labels: Labels, pairs: int = 20_000) -> Fitted:
    fitted = fit_operating_points(embeddings, labels, seed=0, pairs=pairs)
    assert fitted is not None
    return fitted


def all_pairs(embeddings: Tensor, labels: Labels, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances of all same and of all different pairs of some images, ascending."""
    distances = torch.pdist(embeddings[torch.from_numpy(places)]).numpy()
    first, second = np.triu_indices(len(places), 1)
    same = labels.identities_N[places][first] == labels.identities_N[places][second]
    return np.sort(distances[same]), np.sort(distances[~same])


def tenth_of(part: tuple[np.ndarray, np.ndarray]) -> float:
    """Half way between the first different pair that is one too many and whatever lies before it."""
    refused = float(part[1][int(0.1 * len(part[1]))])
    return (refused + max(float(distance) for kind in part for distance in kind if distance < refused)) / 2


class TestHalves:
    def test_they_share_no_identity_and_hold_every_image_that_can_be_compared(self) -> None:
        rng = np.random.default_rng(3)
        labels = Labels(rng.integers(-2, 40, 600))
        first, second = halves(labels, seed=0)
        known = [set(labels.identities_N[places].tolist()) - {DISTRACTOR} for places in (first, second)]
        assert not known[0] & known[1]
        together = np.sort(np.concatenate((first, second)))
        assert np.array_equal(together, np.flatnonzero(labels.identities_N != JUNK))
        distracting = [(labels.identities_N[places] == DISTRACTOR).sum() for places in (first, second)]
        assert min(distracting) > 0
        assert abs(distracting[0] - distracting[1]) <= 1

    def test_they_find_about_as_many_matches_however_unlike_the_identities_are(self) -> None:
        counts = [100, 90, 30, 29, 28, 10, 9, 8, 5, 5, 4, 3, 2, 2, 2, 2, 1, 1]
        labels = Labels(np.repeat(np.arange(len(counts)), counts))
        for seed in range(5):
            found = [int(labels.of(places).matches().sum()) for places in halves(labels, seed)]
            assert max(found) < 1.3 * min(found)

    def test_labels_and_seed_decide_alone(self) -> None:
        labels = people(20, 4)[1]
        assert all(np.array_equal(a, b) for a, b in zip(halves(labels, 1), halves(labels, 1), strict=True))
        assert not all(np.array_equal(a, b) for a, b in zip(halves(labels, 1), halves(labels, 2), strict=True))

    def test_no_half_is_left_without_a_match_across_cameras(self) -> None:
        """Its same pairs would be of one camera, and much closer together than those of the other half."""
        cameras = np.array([0, 1, 0, 0, 0, 0, 0, 0])
        (everything,) = halves(Labels(np.repeat(np.arange(4), 2), cameras), seed=0)
        assert everything.tolist() == list(range(8))
        assert len(halves(Labels(np.repeat(np.arange(4), 2), np.zeros(8, dtype=np.int64)), seed=0)) == 2


class TestThresholds:
    def test_each_half_is_judged_by_what_the_other_fits(self) -> None:
        embeddings, labels = people(12, 6, spread=0.9)
        fitted = fit(embeddings, labels)
        parts = [all_pairs(embeddings, labels, places) for places in halves(labels, 0)]
        counts = [sum(len(part[kind]) for part in parts) for kind in (0, 1)]
        assert fitted.fitted == fitted.reported == (12, *counts)
        assert fitted.apart
        assert [point.asked for point in fitted.points] == [None, 0.1]
        fits = [
            verification_scores(np.concatenate(part), np.arange(sum(map(len, part))) < len(part[0])) for part in parts
        ]
        equal, tenth = fitted.points
        wrong = [(part[1] <= other.threshold).sum() for part, other in zip(parts, reversed(fits), strict=True)]
        missed = [(part[0] > other.threshold).sum() for part, other in zip(parts, reversed(fits), strict=True)]
        assert equal.far == pytest.approx(sum(wrong) / counts[1])
        assert equal.frr == pytest.approx(sum(missed) / counts[0])
        # The largest that accepts no more than a tenth, whatever lies between two distances.
        pooled = np.sort(np.concatenate([part[1] for part in parts]))
        allowed = int(0.1 * len(pooled))
        assert pooled[allowed - 1] <= tenth.threshold < pooled[allowed]
        taken = sum(int((part[1] <= tenth_of(other)).sum()) for part, other in zip(parts, reversed(parts), strict=True))
        assert tenth.far == pytest.approx(taken / counts[1])
        for point in fitted.points:
            assert point.far_interval[0] <= point.far <= point.far_interval[1]
            assert point.frr_interval[0] <= point.frr <= point.frr_interval[1]

    def test_a_rate_that_the_pairs_of_a_half_do_not_support_is_not_given(self) -> None:
        embeddings, labels = people(40, 12)  # 26,000 different pairs in a half
        assert [point.asked for point in fit(embeddings, labels).points] == [None, 0.1, 0.01]
        assert [point.asked for point in fit(embeddings, labels, 60_000).points] == [None, 0.1, 0.01, 0.001]

    def test_a_pair_drawn_twice_counts_once(self) -> None:
        embeddings, labels = people(4, 3)
        assert fit(embeddings, labels, 50_000).fitted == (4, 12, 18)

    def test_different_pairs_at_one_distance_are_not_split(self) -> None:
        same, different = np.zeros(4), np.repeat([1.0, 2.0, 3.0], [5, 30, 65])
        assert fitting._threshold(same, different, 0.1) == 1.5, "30 more would be accepted at 2"
        assert fitting._threshold(same, np.repeat([0.0, 3.0], [30, 70]), 0.1) is None, "nothing refuses them"
        assert fitting._threshold(np.full(4, 9.0), np.full(100, 5.0), 0.1) == 2.5
        assert fitting._threshold(same, different[:99], 0.1) is None, "nine pairs are chance"

    @pytest.mark.parametrize(
        ("identities", "apart"), [([0, 0, 1, 1], False), ([0, 0, 1, 1, 2, 2], False), ([0, 0, 1, 1, 2, 2, 3, 3], True)]
    )
    def test_too_few_identities_are_judged_by_what_they_fitted(self, identities: list[int], apart: bool) -> None:
        labels = Labels(np.array(identities))
        fitted = fit(people(4, 2)[0][: len(labels)], labels)
        assert fitted.apart == apart
        assert fitted.fitted.identities == len(set(identities))

    @pytest.mark.parametrize("identities", [[0, 0, 0], [0, 1, 2], [0], [], [JUNK, 0, DISTRACTOR]])
    def test_without_pairs_of_both_kinds_there_is_nothing_to_fit(self, identities: list[int]) -> None:
        labels = Labels(np.array(identities, dtype=np.int64))
        assert fit_operating_points(torch.randn(len(labels), 2), labels, seed=0) is None

    def test_queries_galleries_cameras_and_distractors(self) -> None:
        embeddings, labels = people(16, 8)
        identities = labels.identities_N.copy()
        identities[::8] = DISTRACTOR
        roles = np.where(np.arange(128) % 8 == 1, QUERY, GALLERY).astype(np.int8)
        fitted = fit(embeddings, Labels(identities, np.arange(128) % 4, roles))
        # One query each, six images to find; of these one was taken by the query's camera.
        assert fitted.fitted.identities == 16
        assert fitted.fitted.same == 16 * 5
        assert fitted.fitted.different == 16 * (7 * 6 + 8), "others of its half, and the distractors of that"

    def test_nothing_else_moves_it(self) -> None:
        embeddings, labels = people(10, 6)
        before = torch.random.get_rng_state(), np.random.get_state()[1].tolist()
        assert fit(embeddings, labels) == fit(embeddings, labels)
        assert torch.equal(before[0], torch.random.get_rng_state())
        assert before[1] == np.random.get_state()[1].tolist()


class TestCalibration:
    @pytest.mark.parametrize("spread", [0.0, 0.2, 0.9, 5.0])
    def test_it_falls_and_is_never_certain(self, spread: float) -> None:
        fitted = fit(*people(12, 6, spread=spread))
        assert 1 <= len(fitted.knots) <= 2 * fitting.KNOTS
        for before, after in pairwise(fitted.knots):
            assert before.distance < after.distance
            assert before.probability >= after.probability
        rates = np.array(fitted.knots)[:, 1:]
        assert (rates >= 0).all()
        assert (rates[-1, :2] == 1).all()
        assert ((rates[:, 2] > 0.01) & (rates[:, 2] < 0.99)).all(), "66 pairs of identities cannot make surer"

    def test_a_collapsed_network_says_that_it_does_not_know(self) -> None:
        fitted = fit(torch.zeros(40, 2), Labels(np.repeat(np.arange(8), 5)))
        assert fitted.probability(np.array([0.0, 1.0])).tolist() == [0.5, 0.5]
        assert (fitted.threshold, len(fitted.points)) == (0.0, 1)
        assert (fitted.points[0].far, fitted.points[0].frr) == (1.0, 0.0)

    @pytest.mark.parametrize("seed", range(5))
    def test_equals_scikit_learn(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        same, different = rng.random(60), rng.random(60).round(1)
        same[rng.random(60) < 0.3] = 0
        expected = IsotonicRegression(increasing=False).fit_transform(
            np.arange(60), same / (same + different + 1e-300), sample_weight=same + different + 1e-300
        )
        keep = same + different > 0
        assert fitting._falling(same[keep], different[keep]) == pytest.approx(expected[keep], abs=1e-9)

    def test_it_holds_for_identities_that_fitted_nothing(self) -> None:
        embeddings, labels = people(240, 8, spread=0.8)
        known = labels.identities_N < 120
        fitted = fit(embeddings[known], labels.of(np.flatnonzero(known)))
        same, different = all_pairs(embeddings, labels, np.flatnonzero(~known))
        for point in fitted.points[1:]:
            assert 1 / 2 < (different <= point.threshold).mean() / (point.asked or 1) < 2
        told = fitted.probability(np.concatenate((same, different)))
        is_same = np.arange(len(told)) < len(same)
        weight = np.where(is_same, 1 / len(same), 1 / len(different)) / 2
        bins = np.minimum((10 * told).astype(int), 9)
        assert np.abs(np.bincount(bins, weight * (told - is_same))).sum() < 0.05, "the expected calibration error"

    def test_a_real_one_travels_in_a_card(self) -> None:
        fitted = fit(*people(12, 6))
        card = dataclasses.replace(CARD, fitted=fitted)
        assert card_from(json.loads(json.dumps(card_json(card)))) == card

"""Known queries and strangers against cases by hand, and against a gallery that is looked through image by image."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor

from reid_tui.evaluation import ranking
from reid_tui.evaluation.labels import DISTRACTOR, GALLERY, JUNK, QUERY, Labels
from reid_tui.evaluation.neighbours import NOBODY, Neighbours, neighbours
from reid_tui.evaluation.open_set import EACH_HALF, WITHOUT_MATCH, open_set_scores, sides, tpir_at_fpir

NEAREST = np.array([0.1, 0.2, 0.3, 0.4])
RIGHT = np.array([True, True, False, True])
STRANGERS = np.array([0.5, 0.25, 0.6, 0.35])


@pytest.mark.parametrize(("fpir", "tpir"), [(0.0, 0.5), (0.25, 0.5), (0.5, 0.75), (0.49, 0.5), (1.0, 0.75)])
def test_known_values(fpir: float, tpir: float) -> None:
    assert tpir_at_fpir(NEAREST, RIGHT, STRANGERS, fpir) == tpir


def test_at_one_distance_with_a_stranger_nobody_is_found() -> None:
    assert tpir_at_fpir(np.array([0.3, 0.3]), np.array([True, True]), np.array([0.3, 0.3, 0.9]), 1 / 3) == 0.0
    assert tpir_at_fpir(np.array([0.3, 0.3]), np.array([True, True]), np.array([0.3, 0.3, 0.9]), 2 / 3) == 1.0


def slow_nearest(points: Tensor, labels: Labels, query: int, among: np.ndarray) -> tuple[float, bool]:
    """Distance and match of the nearest image of a part of the gallery, image by image."""
    found = [(math.inf, False)]
    for other in np.flatnonzero(among):
        same = labels.identities_N[other] == labels.identities_N[query]
        own = labels.cameras_N is not None and labels.cameras_N[other] == labels.cameras_N[query]
        role = QUERY + GALLERY if labels.roles_N is None else labels.roles_N[other]
        if other == query or labels.identities_N[other] == JUNK or not role & GALLERY or (same and own):
            continue
        found.append((math.dist(points[query].tolist(), points[other].tolist()), bool(same)))
    return min(found)  # False sorts before True


@settings(max_examples=100, deadline=None)
@given(
    points=hnp.arrays(np.int64, (14, 2), elements=st.integers(0, 3)),
    identities=hnp.arrays(np.int64, 14, elements=st.sampled_from([JUNK, DISTRACTOR, 0, 0, 1, 2, 3])),
    cameras=st.none() | hnp.arrays(np.int64, 14, elements=st.integers(0, 1)),
    roles=st.none() | hnp.arrays(np.int8, 14, elements=st.sampled_from([QUERY, GALLERY, QUERY + GALLERY])),
    divided=st.booleans(),
)
def test_neighbours_are_those_that_a_look_at_every_image_finds(
    points: np.ndarray, identities: np.ndarray, cameras: np.ndarray | None, roles: np.ndarray | None, divided: bool
) -> None:
    labels, at = Labels(identities, cameras, roles), torch.tensor(points, dtype=torch.float32)
    part = np.where(identities >= 0, identities % 2, NOBODY) if divided else np.full(14, NOBODY)
    found = neighbours(at, labels, part.astype(np.int8))
    for place, query in enumerate(found.queries):
        own = (part == part[query]) | (part == NOBODY)
        other = (part != part[query]) | (part == NOBODY)
        for side, among in ((found.known, own), (found.strange, other)):
            expected = slow_nearest(at, labels, query, among)
            assert (side.distance_Q[place], side.match_Q[place]) == (pytest.approx(expected[0]), expected[1])
        wrong = slow_nearest(at, labels, query, identities != identities[query])
        assert found.wrong.distance_Q[place] == pytest.approx(wrong[0])
        matches = [
            slow_nearest(at, labels, query, np.arange(14) == other)[0]
            for other in np.flatnonzero(identities == identities[query])
        ]
        farthest = max((d for d in matches if math.isfinite(d)), default=math.inf)
        assert found.right.distance_Q[place] == pytest.approx(farthest)
        for side in (found.wrong, found.right):
            if math.isfinite(side.distance_Q[place]):
                there = (at[query] - at[side.place_Q[place]]).norm()
                assert float(there) == pytest.approx(side.distance_Q[place])


def scored(points: Tensor, labels: Labels, seed: int = 0) -> tuple[Neighbours, np.ndarray]:
    part = sides(labels, seed)
    return neighbours(points, labels, part), part


def clouds(identities: int, each: int, spread: float) -> tuple[Tensor, Labels]:
    generator = torch.Generator().manual_seed(3)
    centres = torch.randn(identities, 3, generator=generator).repeat_interleave(each, 0)
    points = centres + spread * torch.randn(identities * each, 3, generator=generator)
    return points, Labels(np.repeat(np.arange(identities), each))


def test_without_strangers_each_half_is_strange_to_the_other() -> None:
    points, labels = clouds(60, 4, 1e-3)
    found, part = scored(points, labels)
    of_identity = part.reshape(60, 4)
    assert (of_identity == of_identity[:, :1]).all()
    assert np.bincount(of_identity[:, 0]).tolist() == [30, 30]
    scores = open_set_scores(found, labels, part)
    assert (scores.protocol, scores.known, scores.strangers) == (EACH_HALF, 240, 240)
    (fpir, tpir), (small, untold) = scores.tpir_at_fpir
    assert (fpir, small) == (0.1, 0.01)
    assert tpir == 1.0
    assert math.isnan(untold)  # 2.4 strangers
    assert (sides(labels, 0) == part).all()
    assert (sides(labels, 1) != part).any()


def test_distractors_are_in_both_galleries() -> None:
    labels = Labels(np.concatenate((np.repeat(np.arange(60), 4), [DISTRACTOR] * 20, [JUNK] * 5)))
    part = sides(labels, 0)
    assert (part[:240] >= 0).all()
    assert (part[240:] == NOBODY).all()


def test_queries_without_a_match_are_strangers_where_they_are_enough() -> None:
    points, labels = clouds(150, 2, 1e-3)
    alone = np.ones(300, bool)
    alone[1:240:2] = False  # 120 identities keep one image
    labels, points = labels.of(np.flatnonzero(alone)), points[torch.from_numpy(alone)]
    found, part = scored(points, labels)
    scores = open_set_scores(found, labels, part)
    assert (part == NOBODY).all()
    assert (scores.protocol, scores.known, scores.strangers) == (WITHOUT_MATCH, 60, 120)
    assert scores.tpir_at_fpir[0][1] > 0.9


def test_a_collapsed_network_finds_nobody() -> None:
    labels = clouds(60, 4, 0)[1]
    found, part = scored(torch.full((240, 3), 0.5), labels)
    assert open_set_scores(found, labels, part).tpir_at_fpir[0][1] == 0.0


@pytest.mark.parametrize("identities", [[], [0, 0, 0], [JUNK, JUNK], [0, 1, 2]])
def test_nobody_to_ask_about_is_told_as_such(identities: list[int]) -> None:
    labels = Labels(np.array(identities, np.int64))
    found, part = scored(torch.zeros(len(identities), 2), labels)
    assert all(math.isnan(tpir) for _, tpir in open_set_scores(found, labels, part).tpir_at_fpir)


def test_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    points, labels = clouds(40, 4, 0.5)
    whole, _ = scored(points, labels)
    monkeypatch.setattr(ranking, "CHUNK_LIMIT", 7)
    parts, _ = scored(points, labels)
    for one, other in zip(
        (whole.wrong, whole.right, whole.known), (parts.wrong, parts.right, parts.known), strict=True
    ):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))

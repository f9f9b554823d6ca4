from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reid_tui.evaluation.hub import Hub, hub_of
from reid_tui.evaluation.labels import GALLERY, JUNK, QUERY, Labels
from tests.evaluation.crowds import KINDS, crowd


def swallowed() -> tuple[Tensor, Labels]:
    """Identities 1 to 3 on a circle, beside each image one of identity 4; in the middle those of identity 0."""
    angles = np.arange(16) * np.pi / 8
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    identities = np.arange(16) % 4
    circle[identities == 0] = (0.0, 0.0)
    circle[identities == 0] += 1e-3 * np.arange(4)[:, None]
    points = np.concatenate([circle, circle[identities != 0] * 1.01])
    labels = Labels(np.concatenate([identities, np.full(12, 4)]).astype(np.int64))
    return torch.from_numpy(points.astype(np.float32)), labels


def test_the_identity_that_is_nearest_to_the_others() -> None:
    hub = hub_of(*swallowed())
    assert hub is not None
    assert (hub.identity, hub.share) == (4, 12 / 16)
    assert hub.errors == pytest.approx(12 / 24)  # those of 4 are nearest to the twelve in turn


def test_all_answers_right_is_no_hub() -> None:
    identities = np.repeat(np.arange(4), 5).astype(np.int64)
    points = torch.from_numpy((identities[:, None] + 0.01 * np.random.default_rng(0).normal(size=(20, 3))).astype("f4"))
    assert hub_of(points, Labels(identities)) is None


def test_a_collapsed_network_has_none() -> None:
    identities = np.repeat(np.arange(4), 5).astype(np.int64)
    assert hub_of(torch.full((20, 3), 0.3), Labels(identities)) is None


def test_two_identities_have_none() -> None:
    identities = np.array([0, 1] * 10, np.int64)
    assert hub_of(torch.randn(20, 2, generator=torch.Generator().manual_seed(0)), Labels(identities)) is None


def slow_hub(points: Tensor, labels: Labels) -> Hub | None:
    """Image by image."""
    asked, answers = [], []
    for query in labels.queries.tolist():
        best, answer = np.inf, JUNK
        for other in labels.gallery.tolist():
            same = labels.identities_N[other] == labels.identities_N[query]
            camera = labels.cameras_N is not None and labels.cameras_N[other] == labels.cameras_N[query]
            distance = float(torch.dist(points[query], points[other]))
            if other != query and not (same and camera) and distance < best:
                best, answer = distance, int(labels.identities_N[other])
        if 0 < best < np.inf:
            asked.append(int(labels.identities_N[query]))
            answers.append(answer)
    wrong = [b for a, b in zip(asked, answers, strict=True) if a != b]
    named = sorted({answer for answer in wrong if answer >= 0})
    if not named or len(set(labels.identities_N[labels.gallery].tolist())) < 3:
        return None
    hub = max(named, key=wrong.count)
    return Hub(hub, wrong.count(hub) / sum(one != hub for one in asked), wrong.count(hub) / len(wrong))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(5, 60))
def test_like_the_slow_way(seed: int, images: int) -> None:
    points, labels = crowd(seed, images, 5, "clouds")
    assert hub_of(points, labels) == slow_hub(points, labels)


@pytest.mark.parametrize("kind", KINDS)
def test_any_embedding(kind: str) -> None:
    for seed in range(4):
        hub = hub_of(*crowd(seed, 80, 3, kind))
        assert hub is None or (0 < hub.share <= 1 and 0 < hub.errors <= 1 and hub.identity >= 0)


def test_a_large_gallery_is_looked_through_in_part() -> None:
    generator = torch.Generator().manual_seed(0)
    identities = np.arange(5000, dtype=np.int64) % 7
    roles = np.full(5000, QUERY + GALLERY, np.int8)
    hub = hub_of(torch.randn(5000, 2, generator=generator), Labels(identities, roles_N=roles))
    assert hub is not None
    assert 0 < hub.share < 0.3

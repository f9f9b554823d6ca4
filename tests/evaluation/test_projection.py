"""The map: the embedding itself, or principal components that neither flip nor spin."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from reid_tui.evaluation.projection import Projection


def cloud(images: int = 300, dim: int = 8, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    scales = torch.tensor([4.0, 2.0, *[0.5] * (dim - 2)])
    mixing = torch.linalg.qr(torch.randn(dim, dim, generator=generator)).Q
    return torch.randn(images, dim, generator=generator) * scales @ mixing + 3


def test_two_dimensions_stay_as_they_are() -> None:
    points = torch.randn(20, 2)
    projection = Projection(2)
    np.testing.assert_array_equal(projection.points(points), points.numpy())
    np.testing.assert_array_equal(projection.state()["basis"], np.eye(2))
    np.testing.assert_array_equal(projection.state()["mean"], np.zeros(2))


def test_equals_scikit_learn_with_the_sign_rule() -> None:
    embeddings = cloud()
    oracle = PCA(2).fit(embeddings.double().numpy())
    axes = oracle.components_.T
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
    projection = Projection(8)
    points = projection.points(embeddings)
    np.testing.assert_allclose(points, oracle.transform(embeddings.double().numpy()) * signs, atol=1e-5)
    basis, mean = projection.state()["basis"], projection.state()["mean"]
    assert (basis[np.abs(basis).argmax(axis=0), [0, 1]] > 0).all()
    np.testing.assert_allclose(points, (embeddings.numpy() - mean) @ basis, atol=1e-5)


def test_a_mirrored_axis_gives_the_mirrored_map_only_at_the_start() -> None:
    # The sign rule makes a first map of x and of -x the same picture.
    embeddings = cloud() - cloud().mean(dim=0)
    np.testing.assert_allclose(Projection(8).points(embeddings), -Projection(8).points(-embeddings), atol=1e-4)


def test_the_map_of_turning_embeddings_neither_flips_nor_jumps() -> None:
    # The variances of two axes cross, where bare components change places, while all turns slowly in eight dimensions.
    generator = torch.Generator().manual_seed(3)
    raw = torch.randn(200, 8, generator=generator)
    skew = torch.randn(8, 8, generator=generator)
    skew = skew - skew.T
    aligned = Projection(8)
    previous = None
    bare_jumps = 0
    for moment in torch.linspace(0, 1, 21):
        scales = torch.tensor([3.0 - moment, 2.0 + moment, *[0.3] * 6])
        embeddings = (raw * scales) @ torch.matrix_exp(0.2 * moment * skew)
        points = aligned.points(embeddings)
        bare = Projection(8).points(embeddings)
        if previous is not None:
            moved = np.linalg.norm(points - previous[0], axis=1)
            assert moved.max() < 0.35 * np.abs(points).max()
            bare_jumps += np.linalg.norm(bare - previous[1], axis=1).max() > np.abs(points).max()
        previous = points, bare
    assert bare_jumps > 0, "the case does not show what the alignment is for"


def test_the_same_embeddings_give_the_same_map_again() -> None:
    projection = Projection(8)
    first = projection.points(cloud())
    np.testing.assert_allclose(projection.points(cloud()), first, atol=1e-5)


def test_a_stored_state_goes_on_as_if_never_stopped() -> None:
    projection = Projection(8)
    projection.points(cloud(seed=1))
    restored = Projection(8, projection.state())
    np.testing.assert_array_equal(restored.points(cloud(seed=2)), projection.points(cloud(seed=2)))
    assert Projection(8).state() == {}
    assert Projection(8, {}).state() == {}


def test_states_and_points_are_not_shared() -> None:
    projection = Projection(8)
    points = projection.points(cloud())
    with pytest.raises(ValueError, match="read-only"):
        points[0, 0] = 1
    projection.state()["basis"][:] = 0
    assert np.abs(projection.state()["basis"]).sum() > 0


@pytest.mark.parametrize(
    "embeddings", [torch.ones(1, 4), torch.ones(30, 4), torch.arange(12.0)[:, None] * torch.ones(4)]
)
def test_points_and_lines_are_normal_cases(embeddings: Tensor) -> None:
    projection = Projection(4)
    for _ in range(2):
        points = projection.points(embeddings)
        assert points.shape == (len(embeddings), 2)
        assert np.isfinite(points).all()
        assert np.ptp(points[:, 1]) == pytest.approx(0, abs=1e-4)
    np.testing.assert_allclose(projection.state()["basis"].T @ projection.state()["basis"], np.eye(2), atol=1e-9)


def test_refuses_what_cannot_be_shown() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        Projection(1)
    with pytest.raises(ValueError, match="state"):
        Projection(4, Projection(2).state())
    with pytest.raises(ValueError, match=r"\(N, 4\)"):
        Projection(4).points(torch.zeros(3, 5))
    with pytest.raises(ValueError, match="finite"):
        Projection(2).points(torch.full((3, 2), math.nan))

from __future__ import annotations

import pytest
import torch

from reid_tui.evaluation import distances
from reid_tui.evaluation.distances import euclidean


@pytest.mark.parametrize("dims", [1, 2, 4, 5, 64])
def test_equals_torch_in_float64(dims: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "BLOCK", 100)
    generator = torch.Generator().manual_seed(dims)
    first, second = (torch.randn(count, dims, generator=generator) for count in (7, 31))
    second[3] = first[2]
    found = euclidean(first, second)
    torch.testing.assert_close(found.double(), torch.cdist(first.double(), second.double()), rtol=1e-6, atol=1e-6)
    assert found[2, 3] == 0
    pairs = torch.cartesian_prod(torch.arange(7), torch.arange(31))
    one_by_one = euclidean(first[pairs[:, 0], None], second[pairs[:, 1], None])
    assert torch.equal(found.flatten(), one_by_one.flatten())


def test_none_of_none() -> None:
    assert euclidean(torch.zeros(0, 2), torch.zeros(3, 2)).shape == (0, 3)
    assert euclidean(torch.zeros(2, 2), torch.zeros(0, 2)).shape == (2, 0)

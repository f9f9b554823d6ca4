from __future__ import annotations

import pytest
import torch
from torch import nn

from reid_tui.errors import UsageError
from reid_tui.learning.networks import build_network, parameter_count, to_input


def test_the_tutorials_parameters() -> None:
    assert parameter_count(build_network("tutorial", 1, 28, 28, 2, seed=0)) == 315_010


@pytest.mark.parametrize(("channels", "height", "width", "dim"), [(1, 28, 28, 2), (3, 64, 32, 64), (1, 16, 16, 8)])
def test_shapes(channels: int, height: int, width: int, dim: int) -> None:
    network = build_network("tutorial", channels, height, width, dim, seed=0)
    images = torch.zeros(3, channels, height, width, dtype=torch.uint8)
    assert network(to_input(images)).shape == (3, dim)


def test_too_small_and_unknown() -> None:
    with pytest.raises(UsageError, match="at least 16x16"):
        build_network("tutorial", 1, 15, 40, 2, seed=0)
    with pytest.raises(UsageError, match="'resnet'"):
        build_network("resnet", 1, 28, 28, 2, seed=0)


def test_seed_decides_the_weights_and_leaves_the_process_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, two, other = (build_network("tutorial", 1, 28, 28, 2, seed=s) for s in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not torch.equal(next(one.parameters()), next(other.parameters()))


def test_one_forward_over_both_branches_is_the_siamese_network() -> None:
    network = build_network("tutorial", 1, 28, 28, 2, seed=0)
    images = torch.randint(0, 256, (8, 1, 28, 28), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    both = network(to_input(images))
    first, second = network(to_input(images[:4])), network(to_input(images[4:]))
    torch.testing.assert_close(both, torch.cat([first, second]))


def test_pooling_before_relu_is_the_same_network() -> None:
    network = build_network("tutorial", 1, 28, 28, 2, seed=0)
    parts = dict(network.named_children())
    order = ("conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "flatten", "fc1", "relu3", "fc2")
    textbook = nn.Sequential(*[parts[name] for name in order])
    images = to_input(torch.randint(0, 256, (8, 1, 28, 28), generator=torch.Generator().manual_seed(0)).to(torch.uint8))
    assert torch.equal(network(images), textbook(images))

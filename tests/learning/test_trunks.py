from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from reid_tui.config import MODELS, NetworkOptions
from reid_tui.errors import UsageError
from reid_tui.learning.networks import build_network, to_input
from reid_tui.learning.trunks import Pixels, trunk_names

FAMILIES = ("resnet18", "mobilenet_v3_small", "regnet_y_400mf", "shufflenet_v2_x0_5", "squeezenet1_1")


def some_images(channels: int, side: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return to_input(torch.randint(0, 256, (4, channels, side, side), generator=generator).to(torch.uint8))


def test_names_of_classification_networks_only() -> None:
    names = trunk_names()
    assert {*FAMILIES, "resnet50", "efficientnet_b0", "vit_b_16"} <= set(names)
    assert not {*MODELS, "fcn_resnet50", "r3d_18", "raft_small"} & set(names)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_a_trunk_with_an_embedding(name: str) -> None:
    network = build_network(NetworkOptions(name, 16), 1, 64, 64, seed=3)
    grey = some_images(1, 64)
    assert torch.equal(network(grey), network(grey)), "nothing is drawn while it computes"
    points = network(grey)
    points.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters()), "the optimiser has state for each"
    tested = network.eval()(grey)
    assert points.shape == tested.shape == (4, 16)
    assert torch.equal(network(grey.expand(-1, 3, -1, -1)), tested), "grey is three equal channels"


def test_one_seed_one_network_and_the_process_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, two, other = (build_network(NetworkOptions("squeezenet1_1", 8), 3, 64, 64, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not torch.equal(next(one.parameters()), next(other.parameters()))


def test_pixels_are_what_imagenets_networks_take() -> None:
    from torchvision.transforms.functional import normalize  # type: ignore[import-untyped]

    images = torch.rand(2, 3, 5, 7)
    expected = normalize(images, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    torch.testing.assert_close(Pixels()(images), expected)
    assert not Pixels().state_dict()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("resnet18", "images of 28x28 are too small for resnet18: at least 33x33 is needed"),  # else one place is left
        ("densenet121", "too small for densenet121: at least 61x61 is needed"),  # nothing is left to be pooled
    ],
)
def test_a_trunk_too_deep_for_the_images(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        build_network(NetworkOptions(name, 2), 1, 28, 28, seed=0)


@pytest.mark.parametrize("side", [28, 448])
def test_a_trunk_for_one_size_only(side: int) -> None:
    said = f"vit_b_32 takes images of 224x224, not {side}x{side}; give pictures in files --image-size 224x224"
    with pytest.raises(UsageError, match=said), torch.device("meta"):
        build_network(NetworkOptions("vit_b_32", 2), 1, side, side, seed=0)


def test_the_size_that_was_told_is_taken() -> None:
    assert build_network(NetworkOptions("resnet18", 2), 1, 33, 33, seed=0)(some_images(1, 33)).shape == (4, 2)
    assert build_network(NetworkOptions("resnet18", 2), 1, 64, 32, seed=0)(torch.rand(4, 1, 64, 32)).shape == (4, 2)


def depended_on(result: torch.Tensor) -> set[torch.Tensor]:
    """The leaves that a backward pass would give a gradient."""
    found, seen, ahead = set(), set(), [result.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is not None and node not in seen:
            seen.add(node)
            ahead += [before for before, _ in node.next_functions]
            if hasattr(node, "variable"):
                found.add(node.variable)
    return found


@pytest.mark.slow
def test_every_trunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shapes only, on a device without memory: an embedding that depends on every parameter."""
    from torchvision.models.regnet import BlockParams  # type: ignore[import-untyped]

    widths_of = BlockParams.from_init_params

    def with_values(**settings: Any) -> Any:
        """Regnets compute their widths with tensors, which on the meta device have no values."""
        with torch.device("cpu"):
            return widths_of(**settings)

    monkeypatch.setattr(BlockParams, "from_init_params", with_values)
    for name in trunk_names():
        with torch.device("meta"):
            network = build_network(NetworkOptions(name, 64, bnneck=True, normalize=True), 3, 224, 224, seed=0)
        points = network(torch.zeros(2, 3, 224, 224, device="meta"))
        assert points.shape == (2, 64), name
        assert depended_on(points) >= set(network.parameters()), name
        assert all(module.p == 0 for module in network.modules() if isinstance(module, nn.Dropout)), name

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

import pytest
import torch
from torch import nn

import reid_tui.learning
from reid_tui.config import MODELS, NetworkOptions
from reid_tui.errors import UsageError
from reid_tui.learning.networks import build_network, parameter_count, to_input


def own(
    model: str = "tutorial", channels: int = 1, height: int = 28, width: int = 28, dim: int = 2, seed: int = 0
) -> nn.Module:
    return build_network(NetworkOptions(model, dim), channels, height, width, seed)


def some_images(channels: int = 1, height: int = 28, width: int = 28) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return to_input(torch.randint(0, 256, (8, channels, height, width), generator=generator).to(torch.uint8))


@pytest.mark.parametrize(
    ("model", "channels", "height", "width", "dim", "parameters"),
    [
        ("tutorial", 1, 28, 28, 2, 315_010),
        ("bn", 1, 28, 28, 2, 315_010 + 32 + 64 + 256),  # a norm has two a feature, and the bias before it is gone
        ("small", 1, 28, 28, 2, 203_808 + 2 * 97),
        ("small", 3, 64, 32, 64, 203_808 + 2 * 9 * 32 + 64 * (4 * 96 + 1)),  # an embedding of four stripes' maxima
        # convolutions, a fully connected layer over 3x3 or 7x7 places, two for each that is normalised, the embedding
        ("vgg5", 1, 28, 28, 2, 9 * (16 + 16 * 64 + 64 * 128) + 9 * 128 * 128 + 2 * (16 + 64 + 128 + 128) + 2 * 129),
        ("vgg8", 1, 28, 28, 2, 9 * (32 * 33 + 64 * 96 + 128 * 192) + 49 * 128 * 128 + 4 * 224 + 2 * 128 + 2 * 129),
    ],
)
def test_parameters_of_our_own(model: str, channels: int, height: int, width: int, dim: int, parameters: int) -> None:
    assert parameter_count(own(model, channels, height, width, dim)) == parameters


@pytest.mark.parametrize(
    ("channels", "height", "width", "dim", "seed", "digest"),
    [
        (1, 28, 28, 2, 0, "3b9195d75502bf88e545c44ca4d9395e1cdeb74ffaa907454612eebd2079edda"),
        (3, 64, 32, 64, 7, "a4a1c15bf1079b64da7437808787ab479447d2cb48e0c32069f2df787fb11003"),
    ],
)
def test_the_tutorials_names_and_first_weights_are_for_ever(
    channels: int, height: int, width: int, dim: int, seed: int, digest: str
) -> None:
    found = hashlib.sha256()
    for name, value in own("tutorial", channels, height, width, dim, seed).state_dict().items():
        found.update(name.encode())
        found.update(value.contiguous().numpy().tobytes())
    assert found.hexdigest() == digest


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("channels", "height", "width", "dim"), [(1, 28, 28, 2), (3, 64, 32, 64), (1, 16, 16, 8)])
@pytest.mark.parametrize("more", [{}, {"bnneck": True}, {"bnneck": True, "normalize": True}])
def test_shapes(model: str, channels: int, height: int, width: int, dim: int, more: dict[str, bool]) -> None:
    network = build_network(NetworkOptions(model, dim, **more), channels, height, width, seed=0)
    images = some_images(channels, height, width)
    trained = network(images)
    tested = network.eval()(images)
    assert trained.shape == tested.shape == (8, dim)
    if more.get("normalize"):
        torch.testing.assert_close(tested.norm(dim=1), torch.ones(8))
    trained.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters()), "the optimiser has state for each"


def test_the_neck_scales_and_does_not_shift() -> None:
    network = build_network(NetworkOptions("tutorial", 4, bnneck=True), 1, 28, 28, seed=0)
    points = network(some_images())
    torch.testing.assert_close(points.mean(0), torch.zeros(4), atol=1e-6, rtol=0)
    assert [name for name, _ in network.named_parameters() if name.startswith("neck")] == ["neck.weight"]


@pytest.mark.parametrize("options", [{"normalize": True}, {"bnneck": True}])
def test_bfloat16_on_the_way(options: dict[str, bool]) -> None:
    network = build_network(NetworkOptions("small", 4, **options), 1, 28, 28, seed=0)
    with torch.autocast("cpu", torch.bfloat16):
        points = network(some_images())
    points.float().square().sum().backward()
    assert all(
        bool(parameter.grad.isfinite().all()) for parameter in network.parameters() if parameter.grad is not None
    )


def test_four_stripes_where_pictures_are_tall() -> None:
    square, tall = own("small", 1, 30, 21), own("small", 1, 30, 20)
    assert (square.get_submodule("embedding").in_features, tall.get_submodule("embedding").in_features) == (96, 384)
    images = some_images(1, 64, 32)
    body = own("small", 1, 64, 32)[:-1].eval()  # type: ignore[index]
    changed = images.clone()
    changed[:, :, 48:] = 0
    before, after = body(images).view(8, 96, 4), body(changed).view(8, 96, 4)
    assert torch.equal(before[:, :, :2], after[:, :, :2]), "what changes at the feet leaves the head's features alone"
    assert not torch.equal(before[:, :, 3], after[:, :, 3])


@pytest.mark.parametrize(
    ("model", "height", "width", "least"),
    [
        ("tutorial", 15, 40, "16x16"),
        ("bn", 40, 15, "16x16"),
        ("small", 3, 3, "4x4"),
        ("small", 12, 8, "16x4"),
        ("vgg5", 7, 9, "8x8"),
        ("vgg8", 3, 9, "4x4"),
    ],
)
def test_too_small(model: str, height: int, width: int, least: str) -> None:
    with pytest.raises(UsageError, match=f"images of {height}x{width} are too small .* at least {least}"):
        own(model, 1, height, width)
    high, wide = (int(side) for side in least.split("x"))
    assert own(model, 1, high, wide)(some_images(1, high, wide)).shape == (8, 2)


def test_unknown() -> None:
    with pytest.raises(UsageError, match=r"tutorial, bn, small, vgg5, vgg8 or .*, not 'resnet'"):
        own("resnet")


@pytest.mark.parametrize("model", MODELS)
def test_none_of_ours_is_pretrained(model: str) -> None:
    with pytest.raises(UsageError, match=f"there are none for --model {model}"):
        build_network(NetworkOptions(model, 2, pretrained=True), 1, 28, 28, seed=0)


@pytest.mark.parametrize("model", MODELS)
def test_seed_decides_the_weights_and_leaves_the_process_alone(model: str) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, two, other = (own(model, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not torch.equal(next(one.parameters()), next(other.parameters()))


def test_ours_are_built_without_torchvision() -> None:
    """Its import takes longer than the first epoch of a small run, so it stands in functions only."""
    for path in Path(reid_tui.learning.__file__).parent.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            assert not isinstance(node, ast.Import | ast.ImportFrom) or "torchvision" not in ast.unparse(node), path


def test_one_forward_over_both_branches_is_the_siamese_network() -> None:
    network = own()
    images = some_images()
    both = network(images)
    first, second = network(images[:4]), network(images[4:])
    torch.testing.assert_close(both, torch.cat([first, second]))


@pytest.mark.parametrize(
    ("model", "order"),
    [
        ("tutorial", "conv1 relu1 pool1 conv2 relu2 pool2 flatten fc1 relu3 fc2"),
        ("bn", "conv1 norm1 relu1 pool1 conv2 norm2 relu2 pool2 flatten fc1 norm3 relu3 fc2"),
    ],
)
def test_pooling_before_relu_is_the_same_network(model: str, order: str) -> None:
    network = own(model)
    parts = dict(network.named_children())
    textbook = nn.Sequential(*[parts[name] for name in order.split()])
    assert torch.equal(network(some_images()), textbook(some_images()))
    assert len(textbook) == len(parts)

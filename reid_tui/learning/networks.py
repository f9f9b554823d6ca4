"""Embedding networks by name. A Siamese pair is one network applied to both images.

A network is a body, which gives features, and a head, which makes an embedding of them.
Legend: N images, C channels, H x W pixels, D embedding dimensions.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from reid_tui.config import MODELS, check_network
from reid_tui.errors import UsageError
from reid_tui.learning.trunks import trunk_body, trunk_names

if TYPE_CHECKING:
    from reid_tui.config import NetworkOptions

KERNEL: Final = 5
POOL: Final = 2
SMALLEST_SIDE: Final = 16
SMALL_WIDTHS: Final = (32, 64, 96)
STRIPES: Final = 4
HIDDEN: Final = 128
"""Width of their fully connected layer."""

Body = tuple[OrderedDict[str, nn.Module], int]
"""The layers up to the features, and how many features an image has."""


class Vgg(NamedTuple):
    """What tells one of these networks from the other."""

    convolutions: int
    """In each stage."""
    widths: tuple[int, ...]
    """Channels after each stage."""
    pooled: int
    """Stages, from the first on, that end in a pooling."""


VGG: Final = {"vgg5": Vgg(1, (16, 64, 128), 3), "vgg8": Vgg(2, (32, 64, 128), 2)}


class Neck(nn.BatchNorm1d):
    """BNNeck: batch normalisation without shift, so that the embeddings stay about the origin.

    Source:
        Luo et al. (2019), "Bag of tricks and a strong baseline for deep person re-identification", section 3.6.
    """

    def __init__(self, features: int) -> None:
        super().__init__(features)
        self.register_parameter("bias", None)  # one that is only frozen would have no state in the optimiser


class UnitLength(nn.Module):
    """Brings embeddings to length 1."""

    def forward(self, points_ND: Tensor) -> Tensor:
        """Divide by the length, in float32 also where the rest computes in bfloat16."""
        return normalize(points_ND.float())


def _after_convolutions(side: int) -> int:
    """Side length that is left after both convolutions and poolings of the tutorial's network."""
    for _ in range(2):
        side = (side - KERNEL + 1) // POOL
    return side


def _check_size(height: int, width: int, least_height: int, least_width: int) -> None:
    if height < least_height or width < least_width:
        raise UsageError(
            f"images of {height}x{width} are too small for this network: at least {least_height}x{least_width} is "
            "needed; give pictures in files a larger --image-size, or take another --model"
        )


def tutorial_body(channels: int, height: int, width: int, *, norms: bool) -> Body:
    """conv5x5(32)-pool-conv5x5(64)-pool-fc256, with ReLU between.

    Pooling comes before the ReLU: the maximum of the rectified values is the rectified maximum, and a quarter of the
    values has to be rectified. A normalisation comes before the pooling, since it is over all places.

    Args:
        channels: 1 or 3.
        height: of the images, at least 16.
        width: of the images, at least 16.
        norms: normalise over the batch after each convolution and fc256.

    Raises:
        UsageError: the images are too small.
    """
    _check_size(height, width, SMALLEST_SIDE, SMALLEST_SIDE)
    flat = 64 * _after_convolutions(height) * _after_convolutions(width)
    layers = OrderedDict[str, nn.Module](
        conv1=nn.Conv2d(channels, 32, KERNEL, bias=not norms),
        norm1=nn.BatchNorm2d(32),
        pool1=nn.MaxPool2d(POOL),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(32, 64, KERNEL, bias=not norms),
        norm2=nn.BatchNorm2d(64),
        pool2=nn.MaxPool2d(POOL),
        relu2=nn.ReLU(),
        flatten=nn.Flatten(),
        fc1=nn.Linear(flat, 256, bias=not norms),
        norm3=nn.BatchNorm1d(256),
        relu3=nn.ReLU(),
    )
    return OrderedDict((name, layer) for name, layer in layers.items() if norms or not name.startswith("norm")), 256


def small_body(channels: int, height: int, width: int) -> Body:
    """Three stages of two 3x3 convolutions (32-64-96) with batch normalisation, then the maximum over all places.

    Where pictures are at least half as tall again as wide, as people are, the maximum is taken in each of four
    horizontal stripes: head, chest, legs and feet have features of their own.

    Raises:
        UsageError: the images are too small.
    """
    stripes = STRIPES if 2 * height >= 3 * width else 1
    _check_size(height, width, POOL**2 * stripes, POOL**2)
    layers = OrderedDict[str, nn.Module]()
    before = channels
    for stage, after in enumerate(SMALL_WIDTHS, 1):
        last = stage == len(SMALL_WIDTHS)
        layers[f"conv{stage}a"] = nn.Conv2d(before, after, 3, padding=1, bias=False)
        layers[f"norm{stage}a"] = nn.BatchNorm2d(after)
        layers[f"relu{stage}a"] = nn.ReLU()
        layers[f"conv{stage}b"] = nn.Conv2d(after, after, 3, padding=1, bias=False)
        layers[f"norm{stage}b"] = nn.BatchNorm2d(after)
        layers[f"pool{stage}"] = nn.AdaptiveMaxPool2d((stripes, 1)) if last else nn.MaxPool2d(POOL)
        layers[f"relu{stage}b"] = nn.ReLU()
        before = after
    layers["flatten"] = nn.Flatten()
    return layers, before * stripes


def vgg_body(vgg: Vgg, channels: int, height: int, width: int) -> Body:
    """Stages of 3x3 convolutions, most of which end in a pooling, and a fully connected layer over all places left.

    As the networks of Simonyan and Zisserman (2015), and counted as theirs are, by layers with weights, the embedding
    among them; with batch normalisation, which comes after a pooling, since then a quarter of the values is left.

    Args:
        vgg: which of them.
        channels: 1 or 3.
        height: of the images.
        width: of the images.

    Raises:
        UsageError: the images are too small.
    """
    least = POOL**vgg.pooled
    _check_size(height, width, least, least)
    layers = OrderedDict[str, nn.Module]()
    before = channels
    for stage, after in enumerate(vgg.widths, 1):
        for number in range(vgg.convolutions):
            name = f"{stage}{'abc'[number]}"
            layers[f"conv{name}"] = nn.Conv2d(before, after, 3, padding=1, bias=False)
            if stage <= vgg.pooled and number == vgg.convolutions - 1:
                layers[f"pool{stage}"] = nn.MaxPool2d(POOL)
            layers[f"norm{name}"] = nn.BatchNorm2d(after)
            layers[f"relu{name}"] = nn.ReLU()
            before = after
    layers["flatten"] = nn.Flatten()
    layers["fc1"] = nn.Linear(before * (height // least) * (width // least), HIDDEN, bias=False)
    layers["norm4"] = nn.BatchNorm1d(HIDDEN)
    layers["relu4"] = nn.ReLU()
    return layers, HIDDEN


def _body(wanted: NetworkOptions, channels: int, height: int, width: int) -> Body:
    match wanted.model:
        case "tutorial" | "bn":
            return tutorial_body(channels, height, width, norms=wanted.model == "bn")
        case "small":
            return small_body(channels, height, width)
        case "vgg5" | "vgg8":
            return vgg_body(VGG[wanted.model], channels, height, width)
    if wanted.model in trunk_names():
        return trunk_body(wanted.model, height, width, pretrained=wanted.pretrained)
    raise UsageError(
        f"--model must be {', '.join(MODELS)} or the name of a torchvision classification network such as resnet18, "
        f"not {wanted.model!r}"
    )


def _head(wanted: NetworkOptions, features: int) -> OrderedDict[str, nn.Module]:
    """The embedding layer, and what follows it; the tutorial calls it fc2."""
    name = "fc2" if wanted.model in ("tutorial", "bn") else "embedding"
    layers = OrderedDict[str, nn.Module]({name: nn.Linear(features, wanted.embedding_dim)})
    if wanted.bnneck:
        layers["neck"] = Neck(wanted.embedding_dim)
    if wanted.normalize:
        layers["unit"] = UnitLength()
    return layers


def build_network(wanted: NetworkOptions, channels: int, height: int, width: int, seed: int) -> nn.Module:
    """Build a network with weights drawn from `seed`; the process-wide generators are left as they were.

    Weights lie in channels-last order, in which the CPU convolves small images almost twice as fast. `tutorial` has
    315,010 of them for 28x28 grey and two dimensions.

    Args:
        wanted: which network.
        channels: 1 or 3.
        height: of the images.
        width: of the images.
        seed: of the weights.

    Returns:
        A module from (N, C, H, W) float in 0..1 to (N, D) float.

    Raises:
        UsageError: unknown model, images it cannot take, or torchvision's weights for it cannot be had.
    """
    check_network(wanted, margin=None)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        layers, features = _body(wanted, channels, height, width)
        layers.update(_head(wanted, features))
    return nn.Sequential(layers).to(memory_format=torch.channels_last)


def layout_on(device: torch.device, precision: str) -> torch.memory_format:
    """In which order weights and images lie: cuDNN has its fast deterministic kernels of float32 for planes alone."""
    planes = device.type == "cuda" and precision == "fp32"
    return torch.contiguous_format if planes else torch.channels_last


def to_input(
    images_NCHW: Tensor, out: Tensor | None = None, *, layout: torch.memory_format = torch.channels_last
) -> Tensor:
    """Images as the networks take them.

    Args:
        images_NCHW: uint8.
        out: where to put them: float32.
        layout: of what is made where there is no `out`.

    Returns:
        float32 in 0..1.
    """
    if out is None:
        out = torch.empty_like(images_NCHW, dtype=torch.float32, memory_format=layout)
    return torch.div(images_NCHW, 255.0, out=out)


def parameter_count(network: nn.Module) -> int:
    """Trainable scalars."""
    return sum(parameter.numel() for parameter in network.parameters())

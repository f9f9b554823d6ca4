"""torchvision's classification networks as trunks: all but the layer that gives the classes.

Nothing in them is drawn while they compute, so that a resumed run repeats bit for bit: dropout and stochastic depth are
off. torchvision is imported only where a trunk is asked for, because that takes longer than to build a network of ours.
"""

from __future__ import annotations

import bisect
from collections import OrderedDict
from typing import Any, Final

import torch
from torch import Tensor, nn

from reid_tui.errors import UsageError
from reid_tui.evaluation.embed import evaluating
from reid_tui.learning.weights import load_pretrained, published_weights

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)
USUAL_SIDE: Final = 224
"""Of the images that the trunks were made for: all take that size."""
_AUXILIARY: Final = {"aux_logits": False, "init_weights": True, "transform_input": True}
_SETTINGS: Final[dict[str, dict[str, bool]]] = {"googlenet": _AUXILIARY, "inception_v3": _AUXILIARY}
"""No second classifiers; pixels in a scale of their own, as their weights want it; silent about how they begin."""


class Pixels(nn.Module):
    """From 0..1, grey or RGB, to what ImageNet's networks take: three channels about 0."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        # Not persistent: they are no weights, and a checkpoint need not know them.
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """(N, 3, H, W) float; grey is repeated."""
        return (images_NCHW.expand(-1, 3, -1, -1) - self.mean) / self.std


def trunk_names() -> list[str]:
    """What `--model` takes besides our own networks; none is built."""
    from torchvision import models  # type: ignore[import-untyped]

    return list(models.list_models(models))


def trunk_body(name: str, height: int, width: int, *, pretrained: bool) -> tuple[OrderedDict[str, nn.Module], int]:
    """A network of torchvision without its last layer, from pixels in 0..1 to features.

    What it has between its last feature map and the classes stays: pooling, and in some further layers.

    Args:
        name: one of `trunk_names()`.
        height: of the images.
        width: of the images.
        pretrained: take torchvision's best weights for it, from the cache or fetched.

    Returns:
        The layers by name, and how many features an image has.

    Raises:
        UsageError: it cannot take images of this size, or the weights cannot be had.
    """
    from torchvision import models

    settings: dict[str, Any] = dict(_SETTINGS.get(name, {}))
    if pretrained and name.startswith("vit_"):  # the only ones whose weights depend on the size
        settings["image_size"] = published_weights(name).side
    trunk: nn.Module = models.get_model(name, weights=None, **settings)
    if pretrained:
        load_pretrained(trunk, name)
    features = _without_classes(trunk)
    _without_chance(trunk)
    _check_size(trunk, name, height, width)
    return OrderedDict(pixels=Pixels(), trunk=trunk), features


def _without_classes(trunk: nn.Module) -> int:
    """Take the last linear layer out, or the last convolution where there is none; returns how many features it had."""
    found: dict[type[nn.Module], str] = {}
    for name, module in trunk.named_modules():
        found[type(module)] = name
    place = found.get(nn.Linear, found[nn.Conv2d])
    last = trunk.get_submodule(place)
    trunk.set_submodule(place, nn.Identity())
    return last.in_features if isinstance(last, nn.Linear) else int(last.in_channels)  # type: ignore[arg-type]


def _without_chance(trunk: nn.Module) -> None:
    from torchvision.ops import StochasticDepth  # type: ignore[import-untyped]

    for module in trunk.modules():
        if isinstance(module, nn.Dropout | StochasticDepth):
            module.p = 0.0


def _fits(trunk: nn.Module, height: int, width: int) -> bool:
    """Whether such images can be computed with, and the last feature map has more than one place left."""
    places = 0

    def look(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal places
        feature_map = inputs[0] if isinstance(module, nn.AdaptiveAvgPool2d) else output
        places = feature_map.shape[-2:].numel()

    layers = [module for module in trunk.modules() if isinstance(module, nn.Conv2d | nn.AdaptiveAvgPool2d)]
    hooks = [layer.register_forward_hook(look) for layer in layers]
    try:
        with evaluating(trunk):
            trunk(torch.zeros(1, 3, height, width))
    except (RuntimeError, AssertionError):
        return False
    finally:
        for hook in hooks:
            hook.remove()
    return places > 1


def _check_size(trunk: nn.Module, name: str, height: int, width: int) -> None:
    """Find out by trying what no table of ours could say of all trunks.

    Raises:
        UsageError: with the smallest size that does.
    """
    if _fits(trunk, height, width):
        return
    own = getattr(trunk, "image_size", USUAL_SIDE)
    side = 1 + bisect.bisect_left(range(1, own), True, key=lambda side: _fits(trunk, side, side))
    if not _fits(trunk, 2 * side, 2 * side):  # it has its own size, give or take a few pixels
        raise UsageError(
            f"{name} takes images of {own}x{own}, not {height}x{width}; "
            f"give pictures in files --image-size {own}x{own}, or take another --model"
        )
    raise UsageError(
        f"images of {height}x{width} are too small for {name}: at least {side}x{side} is needed; "
        "give pictures in files a larger --image-size, or take another --model"
    )

"""Thresholds by hand, options, and networks that count what they compute."""

from __future__ import annotations

import dataclasses
from typing import Any

from reid_tui.config import DataOptions
from reid_tui.data.dataset import UInt8Array
from reid_tui.evaluation.operating import Fitted, Knot, OperatingPoint, Pairs
from reid_tui.using.model import Model


def quiet(text: str, done: int = 0, total: int = 0) -> None:
    """Nobody listens."""


def options(data: object, **more: Any) -> DataOptions:
    return DataOptions(data=str(data), **more)


def by_hand(threshold: float, **at_far: float) -> Fitted:
    """Thresholds of the equal error and by rate: `by_hand(1.0, far_01=0.5)` for a rate of 0.1."""

    def point(asked: float | None, value: float) -> OperatingPoint:
        return OperatingPoint(asked, value, far=0.05, frr=0.05, far_interval=(0.04, 0.06), frr_interval=(0.04, 0.06))

    rates = {float(f"0.{name.removeprefix('far_0')}"): value for name, value in at_far.items()}
    knots = (Knot(0.0, 0.0, 0.0, 1.0), Knot(threshold, 0.05, 0.95, 0.5), Knot(4 * threshold, 1.0, 1.0, 0.0))
    points = (point(None, threshold), *(point(far, value) for far, value in rates.items()))
    return Fitted(points, Pairs(8, 100, 1000), Pairs(8, 100, 1000), knots)


class Counting:
    """A network that computes as another one, and counts its pictures."""

    def __init__(self, model: Model) -> None:
        self.computed = 0
        self._network = model.network

    def __call__(self, images_NCHW: UInt8Array) -> Any:
        self.computed += len(images_NCHW)
        return self._network(images_NCHW)


def counted(model: Model, **card: Any) -> tuple[Model, Counting]:
    """The same network with a counter; `card` changes what it takes."""
    network = Counting(model)
    changed = dataclasses.replace(model.card, **card)
    return Model(network, name=model.name, step=model.step, card=changed, digest=model.digest), network

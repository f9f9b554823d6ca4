"""Which precision a run computes in on this processor: some steps of each are timed, and their values compared.

bf16 is a bet on a CPU. Some processors win four-fold by it, some lose ten-fold and more, and there were kernels that
gave wrong values.
"""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Final, NamedTuple

import torch

from reid_tui.config import PRECISIONS
from reid_tui.errors import cause
from reid_tui.text import printable
from reid_tui.training.learner import Learner
from reid_tui.training.steps import build_steps
from reid_tui.training.steps.batches import Batches
from reid_tui.training.steps.costs import Costs
from reid_tui.training.steps.precision import computing_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from reid_tui.config import RunConfig
    from reid_tui.data.dataset import ImageSet
    from reid_tui.data.pairs import EpochPairs
    from reid_tui.training.steps.parts import Parts

BUDGET_S: Final = 0.5
"""For timing whole batches; before that a small network takes about 0.2 s to be built and compared."""
LONGEST_STEP_S: Final = 0.06
"""About what a timed step may take: with a large network part of a batch is timed."""
PILOT: Final = 4
"""Pairs of the first steps of each precision."""
HOPELESS: Final = 3.0
"""A precision this many times as slow with the pilot's pairs is not tried with more."""
ROUNDS: Final = (2, 8)
"""How often each precision is timed, at least and at most."""
LEAST_GAIN: Final = 1.05
"""Below it the difference is noise, and fp32 stays."""
LOSS_TOLERANCE: Final = 0.03
"""Of the loss, how far from fp32's."""
GRADIENT_TOLERANCE: Final = 0.5
"""Of the gradient's norm, how far from fp32's, where both have the same gradient by the embeddings to go on with.

Rounding makes 0.02 to 0.1 with the tutorial's network and 0.35 with deep ones at their start, wrong values 1 and more.
"""
FP32: Final = "fp32"
LONGEST: Final = 400
"""Characters of what is said of it."""


class _Answer(NamedTuple):
    """What a precision makes of a batch."""

    loss: float
    asked_ND: Tensor
    """Gradient of the loss by the embeddings."""
    gradient: Tensor
    """By the network's weights, of what was asked of the embeddings."""


class _Way:
    """One precision, tried."""

    def __init__(self, parts: Parts, precision: str) -> None:
        self.precision = precision
        self._parts = dataclasses.replace(parts, config=dataclasses.replace(parts.config, precision=precision))
        self._steps = build_steps(self._parts)
        self.seconds = float("inf")
        self.note = ""
        """How its values are, for people."""
        self.good = True

    def __str__(self) -> str:
        took = f"{self.seconds * 1000:.1f} ms" if self.good else "not"
        return f"{self.precision} {took}{f' ({self.note})' if self.note else ''}"

    def refuse(self, note: str) -> None:
        """It is not to be chosen."""
        self.good, self.note = False, note

    def pilot(self, pairs: EpochPairs, clock: Callable[[], float]) -> None:
        """Take a first step, in which kernels are built, and one that tells something."""
        for _ in range(2):
            self.time(pairs, clock)

    def time(self, pairs: EpochPairs, clock: Callable[[], float]) -> None:
        """Take a step, and keep the shortest time."""
        before = clock()
        self._steps.take([pairs], 0, [0.0])  # it costs what a step costs, and leaves the weights
        self.seconds = min(self.seconds, clock() - before)

    def answer(self, pairs: EpochPairs, asked_ND: Tensor | None = None) -> _Answer:
        """Loss and gradient of a batch.

        Args:
            pairs: of the batch.
            asked_ND: gradient by the embeddings to go on with; None for that of the loss.
        """
        batch, costs = Batches(self._parts).of(pairs, 0), Costs(self._parts)
        weights = list(self._parts.network.parameters())
        with computing_in(self.precision):
            points_ND = costs.points(batch)
            loss = costs.of_points(points_ND, batch, 0).loss
            if asked_ND is None:
                (asked_ND,) = torch.autograd.grad(loss, points_ND, retain_graph=True)
            # with `grad_outputs` torch imports sympy, for seconds
            parts = torch.autograd.grad((points_ND * asked_ND).sum(), weights)
        return _Answer(loss.item(), asked_ND, torch.cat([part.flatten() for part in parts]))

    def compare(self, right: _Answer, pairs: EpochPairs) -> None:
        """Hold its values against the right ones."""
        mine = self.answer(pairs, right.asked_ND)
        loss = abs(mine.loss - right.loss) / max(abs(right.loss), torch.finfo(torch.float32).tiny)
        norm = right.gradient.norm().clamp(min=torch.finfo(torch.float32).tiny)
        gradient = ((mine.gradient - right.gradient).norm() / norm).item()
        self.note = f"loss {_percent(loss)} off, gradient {_percent(gradient)}"
        if not (loss <= LOSS_TOLERANCE and gradient <= GRADIENT_TOLERANCE):  # so of what is no number
            self.refuse(f"wrong values: {self.note}")


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def with_fastest_precision(
    config: RunConfig, train: ImageSet, clock: Callable[[], float] = time.thread_time
) -> RunConfig:
    """The config with the fastest precision that is right on the CPU, and why it is that one.

    A network of its own is tried: the run begins as it would have without.

    Args:
        config: of the run.
        train: its images, to try it with.
        clock: in seconds. By default the processor's time of this thread, which is what a step takes on a machine that
            has nothing else to do.
    """
    trial = dataclasses.replace(config, precision=FP32, pretrained=False, init=None, compile=False)
    learner = Learner(trial, train, torch.device("cpu"))
    pairs = learner.draw(0)[: config.batch_size]
    fp32, *others = ways = [_Way(learner.parts, name) for name in PRECISIONS if name != "auto"]
    few = pairs[:PILOT]
    fp32.pilot(few, clock)
    pairs = pairs[: max(PILOT, int(PILOT * LONGEST_STEP_S / fp32.seconds))]
    right = fp32.answer(pairs)
    for way in others:
        try:
            way.pilot(few, clock)
            if way.seconds > HOPELESS * fp32.seconds:
                way.refuse(f"{way.seconds / fp32.seconds:.0f} times as slow with {PILOT} pairs")
            else:
                way.compare(right, pairs)
        except RuntimeError as error:  # a kernel that there is not
            way.refuse(cause(error))
    good = [way for way in ways if way.good]
    _time_in_turn(good, pairs, clock)
    fastest = min(good, key=lambda way: way.seconds)
    gain = fp32.seconds / fastest.seconds
    best, gain = (fastest, gain) if gain >= LEAST_GAIN else (fp32, 1.0)
    why = f"{len(pairs)} pairs took {', '.join(map(str, ways))}"
    return dataclasses.replace(
        config, precision=best.precision, precision_gain=round(gain, 2), precision_why=printable(why, LONGEST)
    )


def _time_in_turn(ways: list[_Way], pairs: EpochPairs, clock: Callable[[], float]) -> None:
    """Steps of each, one after the other, so that what else the machine does meets all alike."""
    for way in ways:
        way.seconds = float("inf")
    end = time.perf_counter() + BUDGET_S
    least, most = ROUNDS
    for count in range(most):
        if count >= least and time.perf_counter() >= end:
            return
        for way in ways:
            way.time(pairs, clock)

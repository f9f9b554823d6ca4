"""Whether torch's compiler makes the steps of a run faster: it is tried, and left off where it does not."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import TYPE_CHECKING, Final

from reid_tui.training.learner import Learner

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from reid_tui.config import RunConfig
    from reid_tui.data.dataset import ImageSet

ROUNDS: Final = 8
LEAST_GAIN: Final = 1.02
"""Below it the difference is noise."""


def compiled_where_it_pays(
    config: RunConfig, train: ImageSet, device: torch.device, clock: Callable[[], float] = time.perf_counter
) -> RunConfig:
    """The config, compiled only if a step is faster for it, and how much it is.

    Networks of their own are tried: the run begins as it would have without.

    Args:
        config: of a run that is to be compiled.
        train: its images.
        device: where it computes.
        clock: in seconds.

    Raises:
        UsageError: there is no compiler that works.
    """
    trial = dataclasses.replace(config, pretrained=False, init=None)
    ways = {
        compiled: Learner(dataclasses.replace(trial, compile=compiled), train, device) for compiled in (True, False)
    }
    pairs = ways[False].draw(0)[: config.batch_size]
    seconds = dict.fromkeys(ways, math.inf)
    for count in range(1 + ROUNDS):
        for on, learner in ways.items():
            learner.lr = 0.0
            before = clock()
            learner.step(pairs)
            if count:  # in the first it is compiled
                seconds[on] = min(seconds[on], clock() - before)
    pays = seconds[False] >= LEAST_GAIN * seconds[True]
    took = f"{seconds[True] * 1000:.1f} ms a step, {seconds[False] * 1000:.1f} without"
    return dataclasses.replace(config, compile=pays, compile_why=f"{'' if pays else 'not '}compiled: {took}")

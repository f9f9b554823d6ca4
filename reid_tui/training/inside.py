"""How many of a step's different pairs lie inside the margin: what is left of what teaches without the same pairs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reid_tui.config import RunConfig


def inside_margin(config: RunConfig, teaching: float, same_P: NDArray[np.bool_]) -> float:
    """Share of the different pairs, or triplets, of a step that cost something; same pairs always do.

    Args:
        config: of the run; says which pairs a step forms.
        teaching: share of all of them that cost something.
        same_P: which of the drawn pairs show one identity; where a batch forms others they are not looked at.

    Returns:
        0..1, NaN where the loss has no margin, no pair is a different one, or that is not known.
    """
    if config.loss != "contrastive":
        return teaching
    if config.pairs == "random":
        same = float(np.count_nonzero(same_P) / len(same_P))
    elif config.images_per_identity is None:  # of older versions: who is in a batch is left to chance
        return math.nan
    elif config.miner in ("all", "margin"):
        same = (config.images_per_identity - 1) / (2 * config.batch_size - 1)
    else:
        same = 0.5  # one of each kind for every choice
    return max(0.0, (teaching - same) / (1 - same)) if same < 1 else math.nan

"""What another margin would do to the pairs of the last evaluation, from the histogram of their distances alone.

Within a bin distances count as evenly spread. What the last bin takes from beyond it counts as lying in it.

Legend: B bins.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from reid_tui.view.text import UNKNOWN, amount, plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reid_tui.config import RunConfig
    from reid_tui.training.events import DistancesReady

    Floats = NDArray[np.float64]

_NOT_OF_PAIRS: Final = {
    "triplet": "triplet counts its margin from the same image on: distances of pairs do not tell what it does",
    "margin": "this loss counts its margin from a distance that it learns: distances of pairs do not tell what it does",
}
"""Losses with a margin that is no distance of a pair."""


_WHOLE: Final = ("all", "margin")
"""Miners that take all pairs, or all that cost something."""


class WhatIf(NamedTuple):
    """What a margin means to the pairs of an evaluation. NaN where they cannot tell."""

    costing: float
    """Share of the different pairs that cost something."""
    loss: float
    """Expected of the run's loss."""
    pushing: float
    """Share of the different pairs in the gradient, by its size on the distances; the rest belongs to the same ones."""


def what_if(distances: DistancesReady, margin: float, *, loss: str, miner: str) -> WhatIf:
    """Hold the distances against a margin.

    Of randomly drawn pairs half are expected to show one identity, and in a batch both kinds weigh half: one formula
    for both. With `--miner margin` only those different pairs count that cost something. Other miners choose pairs by
    their distance, so that the expected loss does not follow from pairs that nobody chose.

    Args:
        distances: of an evaluation.
        margin: in units of distance, > 0.
        loss: of the run, one of `config.LOSSES`.
        miner: of the run, one of `config.MINERS`.
    """
    edges = np.array(distances.edges, np.float64)
    same, different = _shares(edges, distances.same), _shares(edges, distances.different)
    if loss != "contrastive" or same is None or different is None or not math.isfinite(margin):
        return WhatIf(math.nan, math.nan, math.nan)
    low, high = edges[:-1], edges[1:]
    inside = np.clip((margin - low) / (high - low), 0.0, 1.0)
    costing = float(different @ inside)
    if miner not in _WHOLE:
        return WhatIf(costing, math.nan, math.nan)
    # Over the part of each bin that lies inside: how far it is from the margin at its ends.
    far, near = np.maximum(margin - low, 0.0), np.maximum(margin - high, 0.0)
    push = float(different @ (inside * (far + near) / 2))
    cost = float(different @ (inside * (far**2 + far * near + near**2) / 3))
    if miner == "margin" and costing > 0:
        push, cost = push / costing, cost / costing
    pull = float(same @ ((low + high) / 2))
    expected = (float(same @ ((low**2 + low * high + high**2) / 3)) + cost) / 2
    return WhatIf(costing, expected, push / (pull + push) if pull + push > 0 else math.nan)


def half_teach(distances: DistancesReady | None, config: RunConfig) -> float:
    """The margin at which half of the different pairs still cost something: their median distance.

    Returns:
        In three digits, within the run's limit; NaN where there is none.
    """
    if distances is None or config.loss != "contrastive":
        return math.nan
    edges = np.array(distances.edges, np.float64)
    shares = _shares(edges, distances.different)
    if shares is None:
        return math.nan
    median = float(np.interp(0.5, np.concatenate([[0.0], np.cumsum(shares)]), edges))
    value = min(float(f"{median:.3g}"), config.margin_limit.high)
    return value if value > 0 else math.nan


def why_not_half(distances: DistancesReady | None, config: RunConfig) -> str:
    """Why `half_teach` has no number, as a clause; empty where it has one, or the loss has no margin at all."""
    if config.loss in _NOT_OF_PAIRS:
        return _NOT_OF_PAIRS[config.loss]
    if distances is None:
        return "distances of pairs come with the first evaluation"
    return "" if half_teach(distances, config) > 0 else "the different pairs of the last evaluation are not apart"


def what_if_lines(distances: DistancesReady | None, config: RunConfig, now: float, then: float) -> list[str]:
    """What a margin would do beside what the present one does: rows of at most 30 cells, and sentences to be wrapped.

    Args:
        distances: of the last evaluation; None before the first.
        config: of the run.
        now: the present margin.
        then: the one that is considered; not finite while none is.
    """
    if distances is None or config.loss in _NOT_OF_PAIRS:
        return [why_not_half(distances, config)]
    before, after = (what_if(distances, margin, loss=config.loss, miner=config.miner) for margin in (now, then))
    rows = [
        ("margin", amount(now), amount(then)),
        ("different cost", _percent(before.costing), _percent(after.costing)),
    ]
    told = config.miner in _WHOLE
    if told:
        rows += [
            ("expected loss", plain(before.loss), plain(after.loss)),
            ("gradient, same", _percent(1 - before.pushing), _percent(1 - after.pushing)),
            ("gradient, diff.", _percent(before.pushing), _percent(after.pushing)),
        ]
    half = half_teach(distances, config)
    return [
        f"on the pairs of step {distances.step:,}:",
        *(f"{label:<16}{first:>6} {second:>7}" for label, first, second in rows),
        *([] if told else [f"loss and gradient follow from what {config.miner} chooses, not from all pairs"]),
        *([f"half at {amount(half)}: M takes it"] if half > 0 else []),
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if math.isfinite(share) else UNKNOWN


def _shares(edges: Floats, counts: tuple[int, ...]) -> Floats | None:
    """(B,) of all pairs of a kind; None where there are none, or the bins are none."""
    total = sum(counts)
    if total <= 0 or len(counts) != len(edges) - 1 or not (np.isfinite(edges).all() and (np.diff(edges) > 0).all()):
        return None
    shares: Floats = np.asarray(counts, np.float64) / total
    return shares

"""The mean loss of an epoch while it goes on."""

from __future__ import annotations

import math


class EpochLoss:
    """What the steps of an epoch add up to; before its first step the mean is that of the epoch before."""

    def __init__(self, loss_sum: float = 0.0, pairs: int = 0) -> None:
        """Begin, or go on in the middle of an epoch with what a checkpoint holds."""
        self.loss_sum = loss_sum
        """Over pairs."""
        self.pairs = pairs
        self._before = math.nan

    @property
    def mean(self) -> float:
        """Over pairs; NaN where there was none."""
        return self.loss_sum / self.pairs if self.pairs else self._before

    def add(self, loss: float, pairs: int) -> None:
        """A step's mean over its pairs."""
        self.loss_sum += loss * pairs
        self.pairs += pairs

    def close(self) -> float:
        """End the epoch; returns its mean."""
        self._before = self.mean
        self.loss_sum, self.pairs = 0.0, 0
        return self._before

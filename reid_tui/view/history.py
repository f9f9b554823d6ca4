"""The curves of a run in bounded memory: losses by step, epoch means, scores, and what was turned when.

Outward everything is immutable. Inside, successive histories share one growing buffer: each sees its first n entries,
and entries that somebody sees are never written again.

Legend: N loss points, E evaluations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reid_tui.training.events import Evaluated

MAX_POINTS: Final = 20_000
MAX_RARE: Final = 2_000
"""Bound for what comes per epoch or per key press."""

FloatArray = NDArray[np.float64]
StepArray = NDArray[np.int64]
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class EpochMean:
    """Mean loss over the pairs of one epoch, which ended at `step`."""

    epoch: int
    step: int
    loss: float


@dataclass(frozen=True, slots=True)
class Mark:
    """From the step after `step` on, the margin or the learning rate was `new`."""

    step: int
    kind: Literal["margin", "lr"]
    old: float
    new: float
    ramp: bool = False
    """One of the stairs of a schedule's straight line, not the last."""


@dataclass(frozen=True, slots=True)
class ScorePoints:
    """Scores of one split over the steps, (E,) each, read-only, in 0..1."""

    steps: StepArray
    rank1: FloatArray
    map: FloatArray
    auc: FloatArray
    eer: FloatArray


class _Buffer:
    """Two growing columns of which the first `used` rows are final."""

    __slots__ = ("averages", "losses", "steps", "used")

    def __init__(self, steps: StepArray, losses: FloatArray, capacity: int) -> None:
        self.used = len(steps)
        self.averages: dict[float, _Average] = {}
        self.steps = np.empty(max(capacity, self.used), np.int64)
        self.losses = np.empty(max(capacity, self.used), np.float64)
        self.steps[: self.used] = steps
        self.losses[: self.used] = losses

    def append(self, steps: StepArray, losses: FloatArray) -> None:
        end = self.used + len(steps)
        self.steps[self.used : end] = steps
        self.losses[self.used : end] = losses
        self.used = end


class _Average:
    """The bias-corrected moving average of a buffer's rows, which goes on where it ended: no row is gone over twice."""

    __slots__ = ("done", "total", "values", "weight")

    def __init__(self, capacity: int) -> None:
        self.values = np.empty(capacity, np.float64)
        self.done = 0
        self.total = self.weight = 0.0

    def until(self, end: int, buffer: _Buffer, smoothing: float) -> FloatArray:
        """(end,) the average at each of the first rows."""
        if end > self.done:
            before = buffer.steps[self.done - 1] if self.done else buffer.steps[0] - 1
            gaps = np.diff(buffer.steps[self.done : end], prepend=before)
            kept_per_point = smoothing ** gaps.astype(np.float64)
            out = []
            for kept, loss in zip(kept_per_point.tolist(), buffer.losses[self.done : end].tolist(), strict=True):
                self.total = kept * self.total + (1.0 - kept) * loss
                self.weight = kept * self.weight + (1.0 - kept)
                out.append(self.total / self.weight)
            self.values[self.done : end] = out
            self.done = end
        return self.values[:end]


def _empty_buffer() -> _Buffer:
    return _Buffer(np.empty(0, np.int64), np.empty(0, np.float64), 256)


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What the curves are drawn from; the methods return a new history and leave the old one as it was."""

    epochs: tuple[EpochMean, ...] = ()
    evaluations: tuple[Evaluated, ...] = ()
    marks: tuple[Mark, ...] = ()
    resolution: int = 1
    """Steps for which one loss point stands; doubled whenever `MAX_POINTS` is reached."""
    length: int = 0
    _buffer: _Buffer = field(default_factory=_empty_buffer, repr=False)

    @property
    def steps(self) -> StepArray:
        """(N,) read-only, strictly rising: the steps whose loss is kept."""
        return _read_only(self._buffer.steps[: self.length])

    @property
    def losses(self) -> FloatArray:
        """(N,) read-only, finite: the loss of each step's batch."""
        return _read_only(self._buffer.losses[: self.length])

    def with_losses(self, steps: Sequence[int], losses: Sequence[float]) -> History:
        """Append a batch; what is not finite or not beyond the last step is left out.

        Args:
            steps: (K,) in rising order.
            losses: (K,)
        """
        new_steps = np.asarray(steps, np.int64)
        new_losses = np.asarray(losses, np.float64)
        last = int(self._buffer.steps[self.length - 1]) if self.length else -1
        keep = np.isfinite(new_losses) & (new_steps > last) & _starts_bucket(new_steps, last, self.resolution)
        if not keep.any():
            return self
        new_steps, new_losses = new_steps[keep], new_losses[keep]
        if self.length + len(new_steps) > MAX_POINTS:
            return self._coarser(new_steps, new_losses)
        buffer = self._buffer
        end = self.length + len(new_steps)
        if buffer.used != self.length or end > len(buffer.steps):
            buffer = _Buffer(self.steps, self.losses, min(max(2 * end, 256), MAX_POINTS))
        buffer.append(new_steps, new_losses)
        return replace(self, _buffer=buffer, length=end)

    def _coarser(self, new_steps: StepArray, new_losses: FloatArray) -> History:
        """Double the steps per point until a quarter of the room is free; the first and the last point stay."""
        steps, losses = np.concatenate([self.steps, new_steps]), np.concatenate([self.losses, new_losses])
        resolution = self.resolution
        while len(steps) > MAX_POINTS * 3 // 4:
            resolution *= 2
            keep = _starts_bucket(steps, -1, resolution)
            keep[[0, -1]] = True
            if keep.all():
                keep[1:-1:2] = False
            steps, losses = steps[keep], losses[keep]
        buffer = _Buffer(steps, losses, MAX_POINTS)
        return replace(self, _buffer=buffer, length=buffer.used, resolution=resolution)

    def with_epoch(self, mean: EpochMean) -> History:
        """Append an epoch's mean loss."""
        return replace(self, epochs=_bounded((*self.epochs, mean)))

    def with_evaluation(self, evaluated: Evaluated) -> History:
        """Append the scores of one split."""
        return replace(self, evaluations=_thinned((*self.evaluations, evaluated)))

    def with_mark(self, mark: Mark) -> History:
        """Append a change. Several of one kind at one step, as while paused, become one; there and back, none."""
        marks = list(self.marks)
        for index in range(len(marks) - 1, -1, -1):
            if marks[index].step != mark.step:
                break
            if marks[index].kind == mark.kind:
                mark = replace(mark, old=marks.pop(index).old)
                break
        if mark.old != mark.new:
            marks.append(mark)
        return replace(self, marks=_bounded(tuple(marks)))

    def cut(self, step: int, *, margin: float, lr: float) -> History:
        """Forget what came after a checkpoint: a resumed run takes those steps again.

        Args:
            step: of the checkpoint.
            margin: saved in it; what was turned at that very step may have been turned after the save.
            lr: the same.
        """
        saved = {"margin": margin, "lr": lr}
        marks = [item if item.step < step else replace(item, new=saved[item.kind]) for item in self.marks]
        return replace(
            self,
            epochs=tuple(item for item in self.epochs if item.step <= step),
            evaluations=tuple(item for item in self.evaluations if item.step <= step),
            marks=tuple(item for item in marks if item.step <= step and item.old != item.new),
            length=int(np.searchsorted(self.steps, step, side="right")),
        )

    def smoothed(self, smoothing: float) -> FloatArray:
        """(N,) bias-corrected moving average of `losses`.

        Args:
            smoothing: weight in 0..0.999 that the past keeps per step; 0 returns the losses themselves. Points that
                stand for several steps weigh as many, so that the curve does not change when points are dropped.
        """
        if smoothing <= 0 or self.length < 2:
            return self.losses
        buffer, kept = self._buffer, min(smoothing, 0.999)
        average = buffer.averages.setdefault(kept, _Average(len(buffer.steps)))
        return _read_only(average.until(self.length, buffer, kept))

    def recent_loss(self, until: int | None = None, points: int = 50) -> float:
        """Mean of the newest loss points, or of the newest up to a step; NaN where there are none."""
        end = self.length if until is None else int(np.searchsorted(self.steps, until, side="right"))
        return float(self.losses[max(end - points, 0) : end].mean()) if end else math.nan

    def score_points(self, split: str) -> ScorePoints:
        """The evaluations of one split as arrays; where a step was scored twice the later one stands."""
        by_step = {item.step: item for item in self.evaluations if item.split == split}
        items = [by_step[step] for step in sorted(by_step)]

        def column(name: str) -> FloatArray:
            return _read_only(np.array([getattr(item, name) for item in items], np.float64))

        steps = _read_only(np.array([item.step for item in items], np.int64))
        return ScorePoints(steps, column("rank1"), column("map"), column("auc"), column("eer"))


def _starts_bucket(steps: StepArray, before: int, resolution: int) -> NDArray[np.bool_]:
    """True for the first step in each stretch of `resolution` steps; a step that goes back never is."""
    reached = np.maximum.accumulate(np.concatenate([[before], steps[:-1]])) if len(steps) else steps
    return np.asarray(steps // resolution > reached // resolution)


def _bounded(items: tuple[_Item, ...]) -> tuple[_Item, ...]:
    """Every second item once there are too many; the first and the last two stay."""
    return items if len(items) <= MAX_RARE else items[:-2:2] + items[-2:]


def _thinned(items: tuple[Evaluated, ...]) -> tuple[Evaluated, ...]:
    """As `_bounded`, for each split by itself: they take turns, and every second item may be all of one."""
    if len(items) <= MAX_RARE:
        return items
    by_split: dict[str, list[int]] = {}
    for index, item in enumerate(items):
        by_split.setdefault(item.split, []).append(index)
    kept = [index for own in by_split.values() for index in (*own[:-2:2], *own[-2:])]
    return tuple(items[index] for index in sorted(kept))


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view

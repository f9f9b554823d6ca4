"""What the screen remembers of earlier maps: where each image was first seen, and where the identities came along.

Legend: N points of a snapshot, S snapshots, K identities.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reid_tui.training.events import EmbeddingsReady, FloatArray, IntArray
    from reid_tui.view.plot import Floats

MOST: Final = 64
"""Snapshots of a trail; beyond, every second one is forgotten."""
POINTS: Final = 512
"""Of each, as many as the quickest has: those of all begin with the same images."""
MOST_TRAILS: Final = 20


class Trace(NamedTuple):
    """The first points of a snapshot."""

    step: int
    points: FloatArray
    identities: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Trails:
    """The snapshots so far, oldest first; bounded."""

    traces: tuple[Trace, ...] = ()
    firsts: tuple[EmbeddingsReady, ...] = ()
    """Each has more points than the one before it: where an image was seen first stands in one of them."""

    @property
    def since(self) -> int:
        """The step at which the trails begin; 0 where there are none."""
        return self.traces[0].step if self.traces else 0

    def after(self, snapshot: EmbeddingsReady) -> Trails:
        """With one more snapshot, if it carries its arrays."""
        points, identities = snapshot.points, snapshot.identities
        if points is None or identities is None or not len(points):
            return self
        some = slice(None) if len(points) <= POINTS else np.arange(POINTS)  # a copy, which keeps nothing else alive
        traces = (*self.traces, Trace(snapshot.step, points[some], identities[some]))
        if len(traces) > MOST:
            traces = (*traces[:-1:2], traces[-1])
        most = len(self.firsts[-1].points) if self.firsts and self.firsts[-1].points is not None else 0
        return Trails(traces, (*self.firsts, snapshot) if len(points) > most else self.firsts)

    def until(self, step: int) -> Trails:
        """Without what came after a step."""
        return Trails(
            tuple(trace for trace in self.traces if trace.step <= step),
            tuple(snapshot for snapshot in self.firsts if snapshot.step <= step),
        )

    def moved(self, index: int, place: Floats) -> tuple[float, int] | None:
        """How far an image has come in the plane since it was first seen, and at which step that was.

        Args:
            index: of its point in the newest snapshot.
            place: (2,) of that point.
        """
        for first in self.firsts:
            if first.points is not None and index < len(first.points):
                return float(np.linalg.norm(place - first.points[index])), first.step
        return None

    def centroids(self, highlight: int | None = None) -> Iterator[tuple[int, Floats]]:
        """An identity and its (S, 2) centroids one after the other; of many identities those that come first.

        Args:
            highlight: only this one.
        """
        kinds = sorted({kind for trace in self.traces[-1:] for kind in trace.identities.tolist()})
        for kind in kinds[:MOST_TRAILS] if highlight is None else [highlight]:
            own = (trace.points[trace.identities == kind] for trace in self.traces)
            means = [points.mean(axis=0, dtype=np.float64) for points in own if len(points)]
            finite = [mean for mean in means if np.isfinite(mean).all()]
            if finite:
                yield kind, np.array(finite)

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
    """Points of a snapshot."""

    step: int
    points: FloatArray
    identities: IntArray
    rows: IntArray | None
    """(N,) places of their images in the split; None of a quick snapshot."""


@dataclass(frozen=True, slots=True, eq=False)
class Trails:
    """The snapshots so far, oldest first; bounded."""

    traces: tuple[Trace, ...] = ()
    firsts: tuple[Trace, ...] = ()
    """Each with more points than the one before it: where an image was seen first stands in one of them."""

    @property
    def since(self) -> int:
        """The step at which the trails begin; 0 where there are none."""
        return self.traces[0].step if self.traces else 0

    def after(self, snapshot: EmbeddingsReady) -> Trails:
        """With one more snapshot, if it carries its arrays."""
        points, identities = snapshot.points, snapshot.identities
        if points is None or identities is None or not len(points):
            return self
        trace = Trace(snapshot.step, points, identities, snapshot.rows)
        most = len(self.firsts[-1].points) if self.firsts else 0
        firsts = (*self.firsts, trace) if len(points) > most else self.firsts
        if len(points) > POINTS:  # copies, which keep nothing else alive
            trace = Trace(snapshot.step, points[:POINTS].copy(), identities[:POINTS].copy(), None)
        return Trails(_thinned((*self.traces, trace)), firsts)

    def behind(self, earlier: Trails) -> Trails:
        """With what came before them in front."""
        most = len(earlier.firsts[-1].points) if earlier.firsts else 0
        firsts = (first for first in self.firsts if len(first.points) > most)
        return Trails(_thinned((*earlier.traces, *self.traces)), (*earlier.firsts, *firsts))

    def until(self, step: int) -> Trails:
        """Without what came after a step."""
        return Trails(
            tuple(trace for trace in self.traces if trace.step <= step),
            tuple(trace for trace in self.firsts if trace.step <= step),
        )

    def rows_of(self, points: int, rows: IntArray | None = None) -> IntArray | None:
        """(N,) which images the points of a snapshot are, None where that is not known yet.

        Args:
            points: how many it has.
            rows: what it says itself. A quick one says nothing: it begins with the images of the first full one.
        """
        full = next((first.rows for first in self.firsts if first.rows is not None), None)
        return rows if rows is not None or full is None or len(full) < points else full[:points]

    def moved(self, index: int, rows: IntArray | None, place: Floats, step: int) -> tuple[float, int] | None:
        """How far an image has come in the plane since it was first seen, and at which step that was.

        Args:
            index: of its point in a snapshot.
            rows: (N,) which images the points of that are; None: those of all snapshots are the same.
            place: (2,) of that point.
            step: of the snapshot.
        """
        for first in self.firsts:
            known = self.rows_of(len(first.points), first.rows)
            if rows is not None and known is not None:
                places = np.flatnonzero(known == rows[index])
                then = int(places[0]) if len(places) else len(known)
            else:
                then = index
            if then < len(first.points) and first.step < step:
                return float(np.linalg.norm(place - first.points[then])), first.step
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


def _thinned(traces: tuple[Trace, ...]) -> tuple[Trace, ...]:
    while len(traces) > MOST:
        traces = (*traces[:-1:2], traces[-1])
    return traces

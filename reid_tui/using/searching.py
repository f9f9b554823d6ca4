"""Who is seen on a picture: the nearest pictures of a gallery, and whether they are near enough to be the same.

Legend: N rows of the gallery, Q queries, D embedding dimensions, K nearest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from reid_tui.data.folders.noticed import counted
from reid_tui.evaluation.labels import GALLERY, QUERY
from reid_tui.text import cell
from reid_tui.using.gallery import open_gallery
from reid_tui.using.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reid_tui.config import DataOptions
    from reid_tui.data.catalog import Report
    from reid_tui.data.dataset import IntArray, UInt8Array
    from reid_tui.using.comparing import Judge
    from reid_tui.using.gallery import Gallery
    from reid_tui.using.listed import Pictures
    from reid_tui.using.model import Model

CSV_HEADER: Final = ("query", "rank", "path", "identity", "camera", "distance", "same", "probability")


class Match(NamedTuple):
    """One picture of the gallery."""

    rank: int
    """From 1."""
    place: int
    """In the gallery."""
    distance: float
    same: bool
    probability: float
    """That it shows the same identity."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found for one query."""

    query: int
    """Its place among the queries."""
    left_out: int
    """Pictures of the gallery that are the query itself."""
    matches: tuple[Match, ...]
    """Nearest first."""

    @property
    def known(self) -> bool:
        """Whether the nearest is near enough."""
        return bool(self.matches) and self.matches[0].same


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """All answers, and what they are about."""

    model: Model
    judge: Judge
    queries: Gallery
    gallery: Gallery
    answers: tuple[Answer, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said beside the answers: printable lines."""
        left_out = sum(answer.left_out for answer in self.answers)
        itself = f"{counted(left_out, 'picture')} of the gallery, pixel by pixel a query itself, left out for it"
        own = () if self.queries.pictures.source == self.gallery.pictures.source else self.queries.notes
        return (*own, *self.gallery.notes, *([itself] if left_out else []))

    def as_object(self) -> dict[str, Any]:
        """For JSON."""
        queries, gallery = self.queries.pictures, self.gallery.pictures
        return {
            "run": self.model.name,
            "step": self.model.step,
            "threshold": self.judge.point.threshold,
            "far": self.judge.point.asked,
            "prior": self.judge.prior,
            "gallery": {"source": gallery.source, "pictures": len(gallery)},
            "queries": [
                {
                    **_facts(queries, answer.query),
                    "left_out": answer.left_out,
                    "known": answer.known,
                    "matches": [
                        {
                            "rank": match.rank,
                            **_facts(gallery, match.place),
                            "distance": match.distance,
                            "same": match.same,
                            "probability": match.probability,
                        }
                        for match in answer.matches
                    ],
                }
                for answer in self.answers
            ],
        }

    def rows(self) -> Iterator[tuple[str, ...]]:
        """For CSV: a header, then each match. All can be printed, and no spreadsheet takes a cell for a formula."""
        queries, gallery = self.queries.pictures, self.gallery.pictures
        yield CSV_HEADER
        for answer in self.answers:
            for match in answer.matches:
                yield (
                    cell(queries.full_name(answer.query)),
                    str(match.rank),
                    cell(gallery.full_name(match.place)),
                    cell(gallery.identities[match.place]),
                    cell(gallery.cameras[match.place]),
                    f"{match.distance:.6g}",
                    "same" if match.same else "different",
                    f"{match.probability:.4f}",
                )


def look(model: Model, judge: Judge, queries: DataOptions, gallery: DataOptions, count: int, report: Report) -> Found:
    """Open queries and a gallery, and look for each of the former.

    Args:
        model: the network.
        judge: says what is near enough.
        queries: their `data` names them, as for `gallery.open_gallery`.
        gallery: the same.
        count: most that are found for each, >= 1.
        report: told how far it is; what it raises ends it.

    Raises:
        ReidTuiError: nothing is there, or none of it can be read.
    """
    ask = open_gallery(model, queries, report, label="QUERY", role=QUERY)
    answer = open_gallery(model, gallery, report, label="GALLERY", role=GALLERY)
    return Found(model, judge, ask, answer, tuple(search(ask, answer, count, judge)))


def search(queries: Gallery, gallery: Gallery, count: int, judge: Judge) -> Iterator[Answer]:
    """Look for each query, in their order.

    Args:
        queries: pictures that ask.
        gallery: pictures that may answer; those with the very pixels of a query are left out for it.
        count: most that are found for each, >= 1.
        judge: says what is near enough.
    """
    without = _itself(queries.pictures.digests_N, gallery.pictures.digests_N)
    found = nearest(queries.embeddings_ND, gallery.embeddings_ND, count, without)
    for place, (rows_K, distances_K) in enumerate(found):
        judged_K = zip(
            rows_K.tolist(),
            distances_K.tolist(),
            judge.same(distances_K).tolist(),
            judge.probability(distances_K).tolist(),
            strict=True,
        )
        matches = tuple(Match(rank, *judged) for rank, judged in enumerate(judged_K, 1))
        yield Answer(place, len(without[place]), matches)


def _itself(queries: UInt8Array, gallery: UInt8Array) -> Sequence[IntArray]:
    """Rows of the gallery that have the pixels of each query."""
    rows: dict[bytes, list[int]] = {digest.tobytes(): [] for digest in queries}
    keys_N = np.ascontiguousarray(gallery).view(np.uint64)[:, 0]
    wanted = np.ascontiguousarray(queries).view(np.uint64)[:, 0]
    for row in np.flatnonzero(np.isin(keys_N, wanted)).tolist():
        rows.get(gallery[row].tobytes(), []).append(row)
    return [np.array(rows[digest.tobytes()], dtype=np.int64) for digest in queries]


def _facts(pictures: Pictures, place: int) -> dict[str, Any]:
    box = pictures.boxes[place]
    return {
        "path": pictures.paths[place],
        **({} if box is None else {"box": list(box)}),
        "identity": pictures.identities[place],
        "camera": pictures.cameras[place],
    }

"""Who is seen on a picture: the nearest pictures of a gallery, and whether they are near enough to be the same.

Legend: N rows of the gallery, Q queries, D embedding dimensions, K nearest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from reid_tui.errors import UsageError
from reid_tui.text import cell
from reid_tui.using.nearest import nearest
from reid_tui.view.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reid_tui.data.dataset import IntArray, UInt8Array
    from reid_tui.evaluation.operating import Fitted
    from reid_tui.using.gallery import Gallery
    from reid_tui.using.listed import Pictures

CSV_HEADER: Final = ("query", "rank", "path", "identity", "camera", "distance", "same", "probability")


@dataclass(frozen=True, slots=True)
class Verdict:
    """How distances are judged."""

    fitted: Fitted
    threshold: float
    """Pairs no farther apart are called the same."""
    far: float | None
    """Rate of false acceptance that it was fitted for; None for that of the equal error."""
    prior: float = 0.5
    """Share of same pairs that is expected among those that are asked about."""

    @classmethod
    def of(cls, fitted: Fitted, far: float | None, prior: float = 0.5) -> Verdict:
        """By the threshold of the equal error, or by the one fitted for a rate of false acceptance.

        Raises:
            UsageError: that rate was not fitted.
        """
        point = fitted.points[0] if far is None else fitted.point(far)
        if point is None:
            rates = [plain(point.asked) for point in fitted.points if point.asked is not None]
            remedy = f"take one of {', '.join(rates)}, or leave it out" if rates else "leave it out"
            raise UsageError(f"--far {plain(far or 0)} was not fitted: its pairs support no such rate; {remedy}")
        return cls(fitted, point.threshold, point.asked, prior)


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


def search(queries: Gallery, gallery: Gallery, count: int, verdict: Verdict) -> Iterator[Answer]:
    """Look for each query, in their order.

    Args:
        queries: pictures that ask.
        gallery: pictures that may answer; those with the very pixels of a query are left out for it.
        count: most that are found for each, >= 1.
        verdict: says what is near enough.
    """
    without = _itself(queries.pictures.digests_N, gallery.pictures.digests_N)
    found = nearest(queries.embeddings_ND, gallery.embeddings_ND, count, without)
    for place, (rows_K, distances_K) in enumerate(found):
        probability_K = verdict.fitted.probability(distances_K, verdict.prior)
        near = zip(rows_K.tolist(), distances_K.tolist(), probability_K.tolist(), strict=True)
        matches = tuple(
            Match(rank, row, distance, distance <= verdict.threshold, probability)
            for rank, (row, distance, probability) in enumerate(near, 1)
        )
        yield Answer(place, len(without[place]), matches)


def _itself(queries: UInt8Array, gallery: UInt8Array) -> Sequence[IntArray]:
    """Rows of the gallery that have the pixels of each query."""
    rows: dict[bytes, list[int]] = {digest.tobytes(): [] for digest in queries}
    keys_N = np.ascontiguousarray(gallery).view(np.uint64)[:, 0]
    wanted = np.ascontiguousarray(queries).view(np.uint64)[:, 0]
    for row in np.flatnonzero(np.isin(keys_N, wanted)).tolist():
        rows.get(gallery[row].tobytes(), []).append(row)
    return [np.array(rows[digest.tobytes()], dtype=np.int64) for digest in queries]


def as_json(answer: Answer, queries: Pictures, gallery: Pictures) -> dict[str, Any]:
    """One query with its matches, as `reid-tui search --json` gives it."""
    return {
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


def as_rows(answer: Answer, queries: Pictures, gallery: Pictures) -> Iterator[tuple[str, ...]]:
    """The cells of `CSV_HEADER` for each match; they can be printed, and no spreadsheet takes one for a formula."""
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


def _facts(pictures: Pictures, place: int) -> dict[str, Any]:
    box = pictures.boxes[place]
    return {
        "path": pictures.paths[place],
        **({} if box is None else {"box": list(box)}),
        "identity": pictures.identities[place],
        "camera": pictures.cameras[place],
    }

"""Same or different: pictures into points, distances into verdicts. Numpy only, prints nothing.

Legend: N pictures, D dimensions of their embeddings, Q pictures of the first side, G of the second, P pairs.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from reid_tui.errors import DataError, UsageError
from reid_tui.using.pictures import read_picture

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reid_tui.data.catalog import Report
    from reid_tui.data.dataset import UInt8Array
    from reid_tui.evaluation.operating import Fitted, OperatingPoint
    from reid_tui.using.model import Model

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
_BATCH: Final = 256
"""Pictures that are held at once."""
_BLOCK: Final = 1 << 20
"""Distances that are computed at once."""


@dataclass(frozen=True, slots=True)
class Judge:
    """What a distance means."""

    fitted: Fitted
    point: OperatingPoint
    """Whose threshold is held against distances."""
    prior: float = 0.5
    """Share of same pairs among those that are asked about, between 0 and 1."""

    def same(self, distances: FloatArray) -> BoolArray:
        """Which are called the same."""
        return distances <= self.point.threshold

    def probability(self, distances: FloatArray) -> FloatArray:
        """That pairs so far apart are the same."""
        return self.fitted.probability(distances, self.prior)

    def far_at(self, distances: FloatArray) -> FloatArray:
        """Share of different pairs that are at most so far apart."""
        return self.fitted.far_at(distances)


def judge(fitted: Fitted, far: float | None, prior: float = 0.5) -> Judge:
    """Choose a threshold.

    Args:
        fitted: those there are.
        far: rate of false acceptance that is asked for; None for the equal error.
        prior: share of same pairs among those that are asked about, between 0 and 1.

    Raises:
        UsageError: none was fitted for the rate.
    """
    if far is None:
        return Judge(fitted, fitted.points[0], prior)
    if (point := fitted.point(far)) is None:
        rates = ", ".join(f"{point.asked:g}" for point in fitted.points if point.asked is not None)
        there = f"the {fitted.fitted.different:,} different pairs support {rates or 'none'}"
        raise UsageError(
            f"no threshold was fitted for --far {far:g}: {there}; "
            f"{'name one of these, or ' if rates else ''}leave --far out for the equal error"
        )
    return Judge(fitted, point, prior)


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Pictures as embeddings. Those that show the very same pixels share one."""

    embeddings_ND: FloatArray
    row_of: dict[str, int]
    """Of each picture that was read, by its path."""
    unreadable: dict[str, str]
    """Why each of the others was not."""

    def rows(self, paths: Iterable[str]) -> NDArray[np.intp]:
        """Where in the embeddings the pictures are, all of which were read."""
        return np.array([self.row_of[path] for path in paths], dtype=np.intp)


def points(paths: Iterable[str], model: Model, report: Report) -> Points:
    """Embed each picture once.

    Args:
        paths: of the pictures, in any order, one also several times.
        model: computes.
        report: told how far it is; what it raises ends the work.

    Raises:
        RunError: an embedding is not finite.
    """
    wanted = list(dict.fromkeys(paths))
    row_of: dict[str, int] = {}
    unreadable: dict[str, str] = {}
    row_by_content: dict[bytes, int] = {}
    parts = [np.zeros((0, model.card.embedding_dim))]
    for start in range(0, len(wanted), _BATCH):
        report("embedding pictures", start, len(wanted))
        fresh = {}
        for path in wanted[start : start + _BATCH]:
            try:
                pixels = read_picture(path, model.card)
            except DataError as error:
                unreadable[path] = str(error)
                continue
            content = hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()
            if content not in row_by_content:
                row_by_content[content] = len(row_by_content)
                fresh[path] = pixels
            row_of[path] = row_by_content[content]
        if fresh:
            names = list(fresh)
            parts.append(model.embed_pixels(np.stack([*fresh.values()]), named=names.__getitem__).astype(np.float64))
    return Points(np.concatenate(parts), row_of, unreadable)


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two pictures beside each other."""

    images: tuple[UInt8Array, UInt8Array]
    """As the network takes them."""
    distance: float
    very_same: bool
    """Whether these are pixel by pixel equal."""


def pair(first: str, second: str, model: Model) -> Pair:
    """Compare two pictures.

    Raises:
        DataError: one cannot be read.
        RunError: an embedding is not finite.
    """
    names = (first, second)
    images = (read_picture(first, model.card), read_picture(second, model.card))
    embeddings_ND = model.embed_pixels(np.stack(images), named=names.__getitem__).astype(np.float64)
    very_same = np.array_equal(*images)
    return Pair(images, 0.0 if very_same else float(np.linalg.norm(embeddings_ND[0] - embeddings_ND[1])), very_same)


def pair_distances(first_PD: FloatArray, second_PD: FloatArray) -> FloatArray:
    """(P,) Euclidean, row by row."""
    return np.asarray(np.linalg.norm(first_PD - second_PD, axis=1))


def all_distances(first_QD: FloatArray, second_GD: FloatArray) -> FloatArray:
    """(Q, G) Euclidean, each with each."""
    found_QG = np.empty((len(first_QD), len(second_GD)))
    squares_G = np.square(second_GD).sum(axis=1)
    step = max(1, _BLOCK // max(1, len(second_GD)))
    for start in range(0, len(first_QD), step):
        part_QD = first_QD[start : start + step]
        square_QG = np.square(part_QD).sum(axis=1)[:, None] + squares_G - 2 * part_QD @ second_GD.T
        found_QG[start : start + step] = np.sqrt(np.maximum(square_QG, 0))
    return found_QG

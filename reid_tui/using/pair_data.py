"""What `reid-tui compare` says to a program: JSON objects, and a line of CSV for each pair."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reid_tui.using.comparing import FloatArray, Judge, Pair
    from reid_tui.using.model import Model
    from reid_tui.using.pair_grid import Grid
    from reid_tui.using.pair_table import PairTable, TableScores

COLUMNS: Final = ("a", "b", "distance", "probability", "verdict")
EXPECTED: Final = "expected"
"""A further column where the pairs come from a table."""
_VERDICTS: Final = {True: "same", False: "different", None: ""}
Line = tuple[str, ...]


def pair_object(found: Pair, names: tuple[str, str], judge: Judge, model: Model) -> dict[str, Any]:
    """Of two pictures."""
    judged = _judged([names[0]], [names[1]], np.array([found.distance]), judge)[0]
    return judged | {"very_same_picture": found.very_same} | _basis(judge, model)


def grid_object(found: Grid, judge: Judge, model: Model) -> dict[str, Any]:
    """Of all pairs of two folders, distances by row and column; null for the very same picture."""
    means, threshold = found.folder_means(), judge.point.threshold
    folders = [
        {"a": a, "b": b, "pairs": int(means.count_HK[h, k]), "mean": float(mean), "same": bool(mean <= threshold)}
        for h, a in enumerate(means.first)
        for k, b in enumerate(means.second)
        if not math.isnan(mean := means.mean_HK[h, k]) and (h <= k or not found.within)
    ]
    return {
        "pairs": found.count,
        "called_same": found.accepted(threshold),
        "very_same_pictures": found.very_same,
        "mean": found.mean,
        "same": found.mean <= threshold,
        "folders": folders,
        "rows": list(found.first.paths),
        "columns": list(found.second.paths),
        "distances": [[_number(distance) for distance in row] for row in found.distances_QG.tolist()],
    } | _basis(judge, model)


def table_object(
    table: PairTable, distances_P: FloatArray, scores: TableScores | None, judge: Judge, model: Model
) -> dict[str, Any]:
    """Of a table's pairs, and how right the verdicts are where it has some."""
    rows = table.rows
    judged = _judged([row.first for row in rows], [row.second for row in rows], distances_P, judge)
    told = [pair | {"row": row.number, EXPECTED: row.same} for pair, row in zip(judged, rows, strict=True)]
    return {
        "pairs": told,
        "called_same": sum(pair["same"] for pair in judged),
        "scores": None
        if scores is None
        else {
            "pairs": scores.count,
            "accuracy": scores.accuracy,
            "auc": _number(scores.auc),
            "confusion": {
                "same": {"same": scores.same_called_same, "different": scores.same_called_different},
                "different": {"same": scores.different_called_same, "different": scores.different_called_different},
            },
        },
    } | _basis(judge, model)


def pair_lines(names: tuple[str, str], distance: float, judge: Judge) -> Iterator[Line]:
    """CSV of two pictures."""
    yield COLUMNS
    yield from _lines([names[0]], [names[1]], np.array([distance]), judge)


def grid_lines(found: Grid, judge: Judge) -> Iterator[Line]:
    """CSV of all pairs of two folders."""
    yield COLUMNS
    for place, path in enumerate(found.first.paths):
        others = slice(place + 1 if found.within else 0, None)
        distances_G = np.nan_to_num(found.distances_QG[place, others], nan=0.0)
        yield from _lines([path] * len(distances_G), found.second.paths[others], distances_G, judge)


def table_lines(table: PairTable, distances_P: FloatArray, judge: Judge) -> Iterator[Line]:
    """CSV of a table's pairs; the table's own verdict comes last."""
    yield (*COLUMNS, EXPECTED)
    rows = table.rows
    lines = _lines([row.first for row in rows], [row.second for row in rows], distances_P, judge)
    for line, row in zip(lines, rows, strict=True):
        yield (*line, _VERDICTS[row.same])


def _lines(first: Sequence[str], second: Sequence[str], distances_P: FloatArray, judge: Judge) -> Iterator[Line]:
    columns: Iterable[tuple[str, str, float, float, bool]] = zip(
        first, second, distances_P.tolist(), judge.probability(distances_P).tolist(), judge.same(distances_P).tolist(),
        strict=True,
    )  # fmt: skip
    return ((a, b, f"{distance:.9g}", f"{share:.6g}", _VERDICTS[same]) for a, b, distance, share, same in columns)


def _judged(first: Sequence[str], second: Sequence[str], distances_P: FloatArray, judge: Judge) -> list[dict[str, Any]]:
    values = zip(
        first, second, distances_P.tolist(), judge.same(distances_P).tolist(), judge.probability(distances_P).tolist(),
        judge.far_at(distances_P).tolist(), strict=True,
    )  # fmt: skip
    names = ("a", "b", "distance", "same", "probability", "different_this_close")
    return [dict(zip(names, value, strict=True)) for value in values]


def _basis(judge: Judge, model: Model) -> dict[str, Any]:
    """What was held against the distances, and whose it is."""
    point = judge.point
    return {
        "threshold": point.threshold,
        "asked_far": point.asked,
        "far": point.far,
        "far_interval": list(point.far_interval),
        "frr": point.frr,
        "frr_interval": list(point.frr_interval),
        "prior": judge.prior,
        "run": model.name,
        "step": model.step,
        "threshold_step": model.card.fitted_step,
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None

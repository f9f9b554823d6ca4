"""The protocol word by word, image by image: slow, and too plain to be wrong in the same way as the program."""

from __future__ import annotations

import math

from torch import Tensor

from reid_tui.evaluation.labels import DISTRACTOR, GALLERY, JUNK, QUERY, Labels

DEPTHS = (1, 5, 10, 20)


def slow_ranking(points: Tensor, labels: Labels, query: int) -> list[bool]:
    """Whether each image of the query's gallery matches, nearest first. Distances of small whole numbers are exact."""
    gallery = []
    for other in range(len(labels)):
        if labels.roles_N is not None and not labels.roles_N[other] & GALLERY:
            continue
        if other == query or labels.identities_N[other] == JUNK:
            continue
        match = bool(labels.identities_N[other] == labels.identities_N[query])
        if match and labels.cameras_N is not None and labels.cameras_N[other] == labels.cameras_N[query]:
            continue
        gallery.append((math.dist(points[query].tolist(), points[other].tolist()), match))
    return [match for _, match in sorted(gallery)]  # False sorts before True: at one distance matches come last


def slow_scores(points: Tensor, labels: Labels) -> dict[str, float]:
    """Everything that is told of a ranking, by name."""
    told: list[dict[str, float]] = []
    without_match = 0
    for query in range(len(labels)):
        if labels.roles_N is not None and not labels.roles_N[query] & QUERY:
            continue
        if labels.identities_N[query] in (JUNK, DISTRACTOR):
            continue
        matches = slow_ranking(points, labels, query)
        if any(matches):
            told.append(slow_query(matches))
        else:
            without_match += 1
    scores = {"queries": float(len(told)), "queries_without_match": float(without_match)}
    for name in (*(f"rank{k}" for k in DEPTHS), "map", "map_trapezoid", "minp"):
        scores[name] = sum(each[name] for each in told) / len(told) if told else math.nan
    return scores


def slow_query(matches: list[bool]) -> dict[str, float]:
    """Scores of one ranking with at least one match."""
    ranks = [rank for rank, match in enumerate(matches, start=1) if match]
    area, old_recall, old_precision, found = 0.0, 0.0, 1.0, 0
    for rank, match in enumerate(matches, start=1):  # as the original Market-1501 code walks along
        found += match
        recall, precision = found / len(ranks), found / rank
        area += (recall - old_recall) * (old_precision + precision) / 2
        old_recall, old_precision = recall, precision
    return {
        **{f"rank{k}": float(any(matches[:k])) for k in DEPTHS},
        "map": sum(nth / rank for nth, rank in enumerate(ranks, start=1)) / len(ranks),
        "map_trapezoid": area,
        "minp": len(ranks) / ranks[-1],
    }

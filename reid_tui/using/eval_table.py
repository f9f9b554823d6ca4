"""The numbers of an evaluation in words: rows that a terminal and a report show alike. All of it is safe to print."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from reid_tui.evaluation.operating import ASKED
from reid_tui.evaluation.reranking import K1, K2, WEIGHT
from reid_tui.text import printable
from reid_tui.view.text import D_PRIME, UNKNOWN, count, fixed, plain, signed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reid_tui.evaluation.detailed import Detailed, Mistake
    from reid_tui.evaluation.operating import Fitted, OperatingPoint
    from reid_tui.using.evaluating import Evaluated, Split

RETRIEVAL: Final = (
    ("rank-1", "rank1"),
    ("rank-5", "rank5"),
    ("rank-10", "rank10"),
    ("rank-20", "rank20"),
    ("mAP, finite sum", "map"),
    ("mAP, trapezoid", "map_trapezoid"),
    ("mINP", "minp"),
)
RE_RANKED: Final = f"re-ranked by mutual neighbours (k-reciprocal, k1 {K1}, k2 {K2}, lambda {WEIGHT:g})"
OTHER_SCALE: Final = "Re-ranked distances have another scale: no threshold holds for them."
TRUST: Final = (
    f"In brackets 95 % intervals by a bootstrap over identities; {UNKNOWN} where there is too little to tell."
)


class Row(NamedTuple):
    """One line of a table."""

    label: str
    cells: list[str]
    """One for each split."""


class Rates(NamedTuple):
    """A threshold and what it does."""

    label: str
    threshold: str
    far: str
    frr: str


def score_rows(found: Evaluated) -> list[Row]:
    """The scores, a column for each split."""
    each = [split.detailed for split in found.splits]
    rows = [
        Row(label, [_score(one, field) for one in each])
        for label, field in (*RETRIEVAL, ("AUC", "auc"), ("EER", "eer"))
    ]
    rows.append(Row("  at distance", [fixed(one.scores.threshold, 3) for one in each]))
    rows.append(Row(D_PRIME, [fixed(one.scores.d_prime, 2) for one in each]))
    fars = sorted({far for one in each for far, _ in one.scores.tar_at_far}, reverse=True)
    rows += [
        Row(f"TAR at FAR {plain(far)}", [fixed(dict(one.scores.tar_at_far).get(far, math.nan), 3) for one in each])
        for far in fars
    ]
    fpirs = [fpir for fpir, _ in each[0].open_set.tpir_at_fpir]
    rows += [
        Row(f"TPIR at FPIR {plain(fpir)}", [fixed(dict(one.open_set.tpir_at_fpir)[fpir], 3) for one in each])
        for fpir in fpirs
    ]
    return rows


def reranked_rows(found: Evaluated) -> list[Row]:
    """The same after re-ranking, with the difference; none where it was not asked for."""
    if not any(split.detailed.reranked for split in found.splits):
        return []
    return [Row(label, [_reranked(split.detailed, field) for split in found.splits]) for label, field in RETRIEVAL]


def about(split: Split) -> str:
    """Who was compared with whom."""
    scores, strangers = split.detailed.scores, split.detailed.open_set
    return (
        f"{count(scores.queries)} queries with a match and {count(scores.queries_without_match)} without in "
        f"{count(scores.gallery)} images, {scores.protocol}; open set: {count(strangers.known)} known queries and "
        f"{count(strangers.strangers)} strangers ({strangers.protocol})"
    )


def fitted_rows(fitted: Fitted) -> list[Rates]:
    """The thresholds with the rates that were measured on those that report."""
    return [
        Rates(
            named(point),
            fixed(point.threshold, 3),
            f"{percent(point.far)} ({percent_range(point.far_interval)})",
            f"{percent(point.frr)} ({percent_range(point.frr_interval)})",
        )
        for point in fitted.points
    ]


def fitted_on(fitted: Fitted) -> str:
    """Whose thresholds these are, and whose the rates."""
    pairs = fitted.fitted
    on = f"{count(pairs.identities)} identities ({count(pairs.same)} same and {count(pairs.different)} different pairs)"
    if fitted.apart:
        return f"fitted on {on}; the rates are those of each half of them judged by what the other half fits"
    return f"fitted on {on}, which show the rates too: they are too few to keep some apart"


def not_fitted(fitted: Fitted) -> str:
    """Which rates the pairs do not support; empty where they support all."""
    lacking = [plain(far) for far in ASKED if fitted.point(far) is None]
    return f"none for FAR {', '.join(lacking)}: different pairs are too few for it" if lacking else ""


def applied_rows(fitted: Fitted, detailed: Detailed) -> list[Rates]:
    """What thresholds of elsewhere do here."""
    rows = []
    for point in fitted.points:
        far, frr = detailed.rates(point.threshold)
        rows.append(Rates(named(point), fixed(point.threshold, 3), percent(far), percent(frr)))
    return rows


def named(point: OperatingPoint) -> str:
    """What a threshold was fitted for."""
    return "equal error" if point.asked is None else f"FAR {plain(point.asked)}"


HARDEST_HEAD: Final = ("identity", "mAP", "rank-1", "queries", "most often taken for")


def hardest_rows(split: Split) -> list[tuple[str, ...]]:
    """The identities that are found worst; columns as in `HARDEST_HEAD`."""
    subjects = split.subjects
    return [
        (
            subjects.identity(hard.identity),
            fixed(hard.map, 3),
            fixed(hard.rank1, 3),
            count(hard.queries),
            "" if hard.taken_for is None else subjects.identity(hard.taken_for),
        )
        for hard in split.detailed.hardest
    ]


def mistakes(split: Split) -> list[tuple[str, list[Mistake]]]:
    """Both kinds of them that there are, each with a heading."""
    kinds = ((True, "the same, farthest apart"), (False, "different, closest"))
    found = [(text, [mistake for mistake in split.detailed.mistakes if mistake.same == same]) for same, text in kinds]
    return [(f"{text} ({split.name})", kind) for text, kind in found if kind]


def caption(mistake: Mistake) -> str:
    """What is right of a pair, and how far apart it is."""
    return f"{'SAME' if mistake.same else 'DIFFERENT'}, {fixed(mistake.distance, 3)} apart"


def subject(split: Split, place: int) -> str:
    """Who is seen on an image, and by which camera."""
    camera = split.subjects.camera(place)
    who = split.subjects.identity(int(split.labels.identities_N[place]))
    return f"{who} cam {printable(camera, 24)}" if camera else who


def who(split: Split, place: int) -> str:
    """The same with the image's own name, where it has one."""
    name = split.subjects.file(place)
    return f"{subject(split, place)} ({printable(name, 200)})" if name else subject(split, place)


def percent(share: float) -> str:
    """A share of 0..1 in two or three digits."""
    return UNKNOWN if not math.isfinite(share) else f"{_digits(share)} %"


def percent_range(ends: Iterable[float]) -> str:
    """Both ends of an interval."""
    return " to ".join(map(_digits, ends))


def _digits(share: float) -> str:
    return f"{100 * share:.1f}" if share >= 0.01 or share == 0 else f"{100 * share:.2g}"


def _score(detailed: Detailed, field: str) -> str:
    """Such as 0.912 (0.88 to 0.94)."""
    text = fixed(getattr(detailed.scores, field), 3)
    low, high = dict(detailed.scores.intervals).get(field, (math.nan, math.nan))
    return f"{text} ({fixed(low, 2)} to {fixed(high, 2)})" if math.isfinite(low + high) else text


def _reranked(detailed: Detailed, field: str) -> str:
    if detailed.reranked is None:
        return UNKNOWN
    value = float(getattr(detailed.reranked, field))
    change = signed(value - float(getattr(detailed.scores, field)), 3)
    return f"{fixed(value, 3)} ({change})" if change else fixed(value, 3)

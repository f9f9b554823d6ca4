"""An evaluation for programs, and as a report in Markdown."""

from __future__ import annotations

import math
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from reid_tui.text import printable
from reid_tui.using import eval_table as table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reid_tui.using.evaluating import Evaluated, Split

COUNTS: Final = ("protocol", "queries", "queries_without_match", "gallery")
RANKED: Final = ("rank1", "rank5", "rank10", "rank20", "map", "map_trapezoid", "minp")
VERIFIED: Final = ("auc", "eer", "threshold", "d_prime")
_MARKUP: Final = re.compile(r"([\\`*_\[\]<>|#~&!])")


def as_object(found: Evaluated) -> dict[str, Any]:
    """For JSON: the scores of the split that counts, and those of all splits by name; null where one is not defined."""
    main = found.splits[0]
    card = None if found.card is None else _applied(found)
    return {
        "name": found.name,
        "step": found.step,
        "data": found.data,
        "dimensions": found.dimensions,
        "split": main.name,
        **_scores(main),
        "splits": {split.name: {**_scores(split), **_details(split)} for split in found.splits},
        **({} if card is None else {"network_thresholds": card}),
        "notes": [printable(note, 1000) for note in found.notes],
    }


def _scores(split: Split) -> dict[str, Any]:
    detailed = split.detailed
    scores = detailed.scores
    return {
        **{name: _number(getattr(scores, name)) for name in (*COUNTS, *RANKED, *VERIFIED)},
        "tar_at_far": _rates(scores.tar_at_far),
        "tpir_at_fpir": _rates(detailed.open_set.tpir_at_fpir),
        "intervals": {name: list(ends) for name, ends in scores.intervals},
    }


def _details(split: Split) -> dict[str, Any]:
    detailed, strangers, subjects = split.detailed, split.detailed.open_set, split.subjects
    fitted, reranked = detailed.fitted, detailed.reranked
    return {
        "open_set": {"protocol": strangers.protocol, "known": strangers.known, "strangers": strangers.strangers},
        "reranked": None if reranked is None else {name: _number(getattr(reranked, name)) for name in RANKED},
        "fitted": None if fitted is None else {**asdict(fitted), "knots": [list(knot) for knot in fitted.knots]},
        "cmc": [_number(share) for share in detailed.cmc_K.tolist()],
        "roc": {"far": detailed.roc.far_U.tolist(), "tar": detailed.roc.tar_U.tolist()},
        "hardest": [
            {
                "identity": subjects.identity(hard.identity),
                "queries": hard.queries,
                "map": hard.map,
                "rank1": hard.rank1,
                "taken_for": None if hard.taken_for is None else subjects.identity(hard.taken_for),
            }
            for hard in detailed.hardest
        ],
        "mistakes": [
            {
                "same": mistake.same,
                "distance": mistake.distance,
                "query": table.who(split, mistake.query),
                "found": table.who(split, mistake.found),
            }
            for mistake in detailed.mistakes
        ],
    }


def _applied(found: Evaluated) -> list[dict[str, Any]]:
    points = [] if found.card is None else found.card.points
    rates = [(point, found.splits[0].detailed.rates(point.threshold)) for point in points]
    return [
        {"asked": point.asked, "threshold": point.threshold, "far": _number(far), "frr": _number(frr)}
        for point, (far, frr) in rates
    ]


def _rates(rates: Iterable[tuple[float, float]]) -> dict[str, Any]:
    return {str(rate): _number(value) for rate, value in rates}


def _number(value: Any) -> Any:  # noqa: ANN401
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_markdown(found: Evaluated) -> str:
    """A report in Markdown."""
    step = "" if found.step is None else f", step {found.step:,}"
    lines = [f"# {_plain(found.name)}{step}", "", f"{_plain(found.data)}.", ""]
    lines += [f"- **{split.name}**: {_plain(table.about(split))}." for split in found.splits]
    names = [split.name for split in found.splits]
    lines += ["", "## Scores", "", *_table(("", *names), [(row.label, *row.cells) for row in table.score_rows(found)])]
    lines += ["", f"{table.TRUST}"]
    if rows := table.reranked_rows(found):
        lines += ["", f"## {table.RE_RANKED[0].upper()}{table.RE_RANKED[1:]}", ""]
        lines += [*_table(("", *names), [(row.label, *row.cells) for row in rows]), "", table.OTHER_SCALE]
    for split in found.splits:
        if (fitted := split.detailed.fitted) is not None:
            lines += ["", f"## Thresholds ({split.name})", ""]
            lines += _table(("fitted for", "distance", "FAR", "FRR"), table.fitted_rows(fitted))
            told = filter(None, (table.fitted_on(fitted), table.not_fitted(fitted)))
            lines += ["", "; ".join(told)]
    main = found.splits[0]
    if found.card is not None:
        lines += ["", "## The network's own thresholds on this data", ""]
        lines += _table(("fitted for", "distance", "FAR", "FRR"), table.applied_rows(found.card, main.detailed))
    lines += ["", f"## Identities that are found worst ({main.name})", ""]
    lines += _table(table.HARDEST_HEAD, table.hardest_rows(main))
    for text, kind in table.mistakes(main):
        lines += ["", f"## {text[0].upper()}{text[1:]}", ""]
        pairs = [(table.caption(each), table.who(main, each.query), table.who(main, each.found)) for each in kind]
        lines += _table(("", "query", "found"), pairs)
    if found.notes:
        lines += ["", "## Notes", "", *(f"- {_plain(printable(note, 1000))}" for note in found.notes)]
    return "\n".join(lines) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_row(head), "|" + " --- |" * len(head), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_plain, cells))} |"


def _plain(text: str) -> str:
    """Text that Markdown takes for nothing else."""
    return _MARKUP.sub(r"\\\1", text)

"""The numbers panel: what stands where, and whether it got better or worse since the last evaluation."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from reid_tui.training.splits import VALIDATION
from reid_tui.view.text import D_PRIME, UNKNOWN, amount, count, fixed, plain, rate, signed

if TYPE_CHECKING:
    from reid_tui.training.events import Evaluated
    from reid_tui.view.run_state import RunState

Trend = Literal["good", "bad", "flat"]


@dataclass(frozen=True, slots=True)
class NumberRow:
    """One line of the panel."""

    label: str
    value: str
    """An en dash where it is not known yet."""
    delta: str = ""
    """The signed change, empty for none."""
    trend: Trend = "flat"


@dataclass(frozen=True, slots=True)
class _Score:
    label: str
    field: Literal["rank1", "map", "auc", "eer", "d_prime"]
    places: int
    lower_is_better: bool = False


_MAP: Final = _Score("mAP", "map", 3)
_SCORES: Final = (
    _Score("rank-1", "rank1", 3),
    _MAP,
    _Score("AUC", "auc", 3),
    _Score("EER", "eer", 3, lower_is_better=True),
    _Score(D_PRIME, "d_prime", 2),
)


SCORES: Final = "scores"
"""Label of the row that names the columns of two splits."""
_COLUMN: Final = 7
"""Cells of the second one, with the gap before it."""


def number_rows(state: RunState) -> list[NumberRow]:
    """The rows of the panel, top to bottom.

    The loss is the mean of the newest steps. Its change, the margin's and the learning rate's are since the newest
    evaluation; the scores' change is since the one before.
    """
    return [
        _loss_row(state),
        *_margin_row(state),
        _lr_row(state),
        *_score_rows(state),
        *([] if math.isnan(state.teaching) else [NumberRow("still teach", f"{100 * state.teaching:.0f} %")]),
        NumberRow("steps", f"{count(state.step)} / {count(state.total_steps)}" if state.total_steps else UNKNOWN),
        NumberRow("pairs seen", count(state.pairs_seen)),
        NumberRow("pairs/s", rate(state.pairs_per_s)),
        NumberRow("skipped", count(state.skipped), trend="bad" if state.skipped else "flat"),
    ]


def trend(change: float, *, lower_is_better: bool = False, places: int = 3) -> Trend:
    """Whether a change is for the better; flat where it rounds to nothing."""
    if not signed(change, places):
        return "flat"
    return "good" if (change < 0) == lower_is_better else "bad"


def _score_rows(state: RunState) -> list[NumberRow]:
    """Of the main split, beside them those of seen identities; the validation's mAP chooses the best checkpoint."""
    main, seen, validation = state.scores, state.scores_of("seen"), state.scores_of(VALIDATION)
    rows = [_score_row(score, state, main) for score in _SCORES]
    if main is not None and seen is not None and seen is not main:
        values = (_score_row(score, state, seen).value for score in _SCORES)
        rows = [replace(row, value=f"{row.value}{value:>{_COLUMN}}") for row, value in zip(rows, values, strict=True)]
        rows.insert(0, NumberRow(SCORES, f"{main.split}{seen.split:>{_COLUMN}}"))
    if validation is not None and validation is not main:
        place = [row.label for row in rows].index(_MAP.label) + 1
        rows.insert(place, replace(_score_row(_MAP, state, validation), label="mAP valid."))
    return [*rows, *_threshold_rows(main, None if main is None else state.scores_before(main))]


def _threshold_rows(now: Evaluated | None, before: Evaluated | None) -> list[NumberRow]:
    """The fitted threshold, and how often it was wrong about identities that did not fit it."""
    if now is None or now.fitted is None:
        return []
    point = now.fitted.points[0]
    change = point.threshold - before.fitted.threshold if before and before.fitted else math.nan
    return [
        NumberRow("threshold", fixed(point.threshold, 3), signed(change, 3)),
        NumberRow("FAR / FRR", f"{fixed(point.far, 3)} / {fixed(point.frr, 3)}"),
    ]


def _score_row(score: _Score, state: RunState, now: Evaluated | None) -> NumberRow:
    before = None if now is None else state.scores_before(now)
    value = math.nan if now is None else float(getattr(now, score.field))
    change = math.nan if before is None else value - float(getattr(before, score.field))
    better = trend(change, lower_is_better=score.lower_is_better, places=score.places)
    return NumberRow(score.label, fixed(value, score.places), signed(change, score.places), better)


def _loss_row(state: RunState) -> NumberRow:
    value = state.history.recent_loss()
    change = value - state.history.recent_loss(state.scores.step) if state.scores else math.nan
    return NumberRow("loss", fixed(value, 4), signed(change, 4), trend(change, lower_is_better=True, places=4))


def _margin_row(state: RunState) -> list[NumberRow]:
    """None where the loss has no margin."""
    row = NumberRow("margin", amount(state.margin), signed(state.margin - state.scored_margin, 2))
    return [] if state.why_no_margin else [row]


def _lr_row(state: RunState) -> NumberRow:
    """Powers of ten have no readable difference: the old value stands there instead."""
    old = state.scored_lr
    changed = math.isfinite(old) and old != state.lr
    scheduled = math.isfinite(state.rate) and not math.isclose(state.rate, state.lr)
    value = f"{state.rate:.2g}" if scheduled else plain(state.lr)
    return NumberRow("learning rate", value, f"was {plain(old)}" if changed else f"of {plain(state.lr)}" * scheduled)

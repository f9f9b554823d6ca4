from __future__ import annotations

import io
import math

import pytest
from rich.console import Console

from reid_tui.training.events import (
    CheckpointSaved,
    Diverged,
    EpochEnded,
    Evaluated,
    Failed,
    Finished,
    LrChanged,
    MarginChanged,
    Stopped,
)
from reid_tui.view.fold import fold
from reid_tui.view.numbers import NumberRow, number_rows, trend
from reid_tui.view.run_state import RunState
from reid_tui.view.summary import print_summary, summary_rows
from tests.view.samples import evaluated, fitted, progress, started

UNKNOWN, MINUS, D_PRIME = "\u2013", "\u2212", "d\u2032"


def test_everything_is_unknown_before_the_start() -> None:
    rows = {row.label: row for row in number_rows(RunState())}
    assert {row.value for row in rows.values()} == {UNKNOWN, "0"}
    assert all(row.delta == "" and row.trend == "flat" for row in rows.values())


def test_changes_since_the_last_evaluation() -> None:
    state = fold(
        RunState(),
        [
            started(),
            evaluated(0, map=0.3, eer=0.2, auc=0.9, rank1=0.8004),
            *(progress(step, 0.2) for step in range(1, 101)),
            evaluated(100, map=0.4, eer=0.1, auc=0.85, rank1=0.8),
            MarginChanged(step=100, old=1.0, new=1.1),
            LrChanged(step=100, old=1e-3, new=5e-4),
            *(progress(step, 0.1, margin=1.1, lr=5e-4, skipped=2) for step in range(101, 201)),
        ],
    )
    rows = {row.label: row for row in number_rows(state)}
    assert rows["loss"] == NumberRow("loss", "0.1000", f"{MINUS}0.1000", "good")
    assert rows["margin"] == NumberRow("margin", "1.10", "+0.10", "flat")
    assert rows["learning rate"] == NumberRow("learning rate", "5e-4", "was 0.001", "flat")
    assert rows["mAP"] == NumberRow("mAP", "0.400", "+0.100", "good")
    assert rows["EER"] == NumberRow("EER", "0.100", f"{MINUS}0.100", "good")
    assert rows["AUC"] == NumberRow("AUC", "0.850", f"{MINUS}0.050", "bad")
    assert rows["rank-1"] == NumberRow("rank-1", "0.800", "", "flat")
    assert rows["skipped"] == NumberRow("skipped", "2", "", "bad")
    assert rows["steps"].value == "200 / 4,690"
    # A margin that was turned before the newest evaluation is no change since.
    assert {row.label: row.delta for row in number_rows(fold(state, [evaluated(200)]))}["margin"] == ""


def test_a_number_turned_before_an_evaluation_at_the_same_step_is_no_change_since() -> None:
    """As while paused: turn, evaluate, turn again."""
    state = fold(
        RunState(),
        [
            started(),
            progress(1),
            MarginChanged(step=1, old=1.0, new=1.5),
            LrChanged(step=1, old=1e-3, new=5e-4),
            evaluated(1),
        ],
    )
    rows = {row.label: row for row in number_rows(state)}
    assert (rows["margin"], rows["learning rate"]) == (NumberRow("margin", "1.50"), NumberRow("learning rate", "5e-4"))
    state = fold(state, [MarginChanged(step=1, old=1.5, new=1.4)])
    assert {row.label: row.delta for row in number_rows(state)}["margin"] == f"{MINUS}0.10"
    resumed = fold(state, [started(step=1, margin=1.4)])
    assert {row.label: row.delta for row in number_rows(resumed)}["margin"] == f"{MINUS}0.10"
    forgot = fold(fold(state, [evaluated(5)]), [started(step=1, margin=1.5)])
    assert {row.label: row.delta for row in number_rows(forgot)}["margin"] == ""


def test_the_fitted_threshold_and_what_it_is_worth() -> None:
    state = fold(RunState(), [started(), evaluated(0, fitted=fitted(0.5)), evaluated(1, fitted=fitted())])
    rows = {row.label: row for row in number_rows(state)}
    assert rows["threshold"] == NumberRow("threshold", "0.612", "+0.112", "flat")
    assert rows["FAR / FRR"] == NumberRow("FAR / FRR", "0.037 / 0.041")
    older = [row.label for row in number_rows(fold(RunState(), [started(), evaluated(1)]))]
    assert not {"threshold", "FAR / FRR"} & set(older)


def test_scores_on_other_images_are_no_change() -> None:
    """At the end all test images are scored, just after the sample was."""
    events = [started(), evaluated(1, map=0.4), evaluated(2, map=0.5), evaluated(2, map=0.49, images=10_000)]
    assert {row.label: row.delta for row in number_rows(fold(RunState(), events[:3]))}["mAP"] == "+0.100"
    rows = {row.label: row for row in number_rows(fold(RunState(), events))}
    assert (rows["mAP"].value, rows["mAP"].delta) == ("0.490", "")


def every_split(step: int, maps: tuple[float, float, float], images: int = 500) -> list[Evaluated]:
    splits = zip(("validation", "seen", "unseen"), maps, strict=True)
    return [evaluated(step, split=split, map=map_, images=images) for split, map_ in splits]


def test_seen_and_unseen_are_two_columns_and_the_validation_stands_below() -> None:
    state = fold(RunState(), [started(), *every_split(1, (0.5, 0.8, 0.4)), *every_split(2, (0.6, 0.7, 0.4))])
    rows = number_rows(state)
    first = [row.label for row in rows].index("scores")
    assert [(row.label, row.value) for row in rows[first : first + 7]] == [
        ("scores", "unseen   seen"),
        ("rank-1", "0.800  0.800"),
        ("mAP", "0.400  0.700"),
        ("mAP valid.", "0.600"),
        ("AUC", "0.970  0.970"),
        ("EER", "0.080  0.080"),
        (D_PRIME, "2.50   2.50"),
    ]
    assert [(row.delta, row.trend) for row in rows[first + 2 : first + 4]] == [("", "flat"), ("+0.100", "good")]
    alone = fold(RunState(), [started(), evaluated(1, split="seen")])
    assert {row.label: row.value for row in number_rows(alone)}["rank-1"] == "0.800"
    assert "scores" not in {row.label for row in number_rows(alone)}


def test_the_summary_reports_seen_and_unseen_and_what_the_validation_chose() -> None:
    events = [started(), *every_split(300, (0.9, 0.7, 0.4)), *every_split(399, (0.8, 0.95, 0.45), images=10_000)]
    rows = summary_rows(fold(RunState(), events))
    assert [text for label, text in rows if label == "retrieval"] == [
        "rank-1 0.800  mAP 0.450  (unseen, 10,000 images, step 399)",
        "rank-1 0.800  mAP 0.950  (seen, 10,000 images, step 399)",
    ]
    assert [text for label, text in rows if label == "best mAP"] == [
        "0.900 at step 300, 500 images of the validation, which chooses the best checkpoint"
    ]


def test_the_summary_tells_the_protocol_and_how_far_the_scores_are_to_be_trusted() -> None:
    whole = evaluated(
        9,
        split="unseen",
        images=23_100,
        queries=3366,
        queries_without_match=2,
        gallery=19_732,
        protocol="query and gallery, other cameras only",
        rank5=0.91,
        rank10=math.nan,
        minp=0.4,
        tar_at_far=((0.01, 0.93), (0.001, 0.8), (0.0001, math.nan)),
        intervals=(("rank1", (0.777, 0.831)), ("map", (0.7, 0.8)), ("auc", (0.96, 0.98)), ("minp", (math.nan,) * 2)),
    )
    rows = dict(summary_rows(fold(RunState(), [started(), whole])))
    assert rows["retrieval"] == (
        "rank-1 0.800 (0.78 to 0.83)  rank-5 0.910  mAP 0.750 (0.70 to 0.80)  mINP 0.400  (unseen, 3,368 queries in "
        "19,732 images, query and gallery, other cameras only, 2 queries without a match, step 9)"
    )
    assert rows["verification"] == (
        "AUC 0.970 (0.96 to 0.98)  EER 0.080 at threshold 0.430  d\u2032 2.50  TAR at FAR 0.930 at 0.01, 0.800 at 0.001"
    )


def test_the_summary_tells_both_rates_of_the_fitted_threshold() -> None:
    rows = dict(summary_rows(fold(RunState(), [started(), evaluated(9, fitted=fitted())])))
    assert rows["verification"] == "AUC 0.970  EER 0.080  d\u2032 2.50"
    assert rows["threshold"] == (
        "0.612: FAR 3.8 % (1.8 to 6.4), FRR 4.1 % (2.3 to 6.2), each half of 64 identities judged by what the other "
        "fitted; 0.503 for FAR 0.01"
    )
    few = summary_rows(fold(RunState(), [started(), evaluated(9, fitted=fitted(apart=False))]))
    assert dict(few)["threshold"].endswith(
        "FRR 4.1 % (2.3 to 6.2), of the 64 identities that fitted it; 0.503 for FAR 0.01"
    )
    assert "threshold" not in dict(summary_rows(fold(RunState(), [started(), evaluated(9)])))


def test_the_work_does_not_grow_with_the_square_of_the_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    split = RunState.split
    monkeypatch.setattr(RunState, "split", property(lambda state: asked.append(1) or split.fget(state)))
    state = fold(RunState(), [started(), *(evaluated(step) for step in range(500))])
    assert number_rows(state)
    assert state.best is not None
    assert len(asked) < 50


def test_trend() -> None:
    assert trend(0.1) == "good"
    assert trend(-0.1) == "bad"
    assert trend(-0.1, lower_is_better=True) == "good"
    assert trend(1e-6) == "flat"
    assert trend(math.nan) == "flat"


BASE = (
    started(),
    *(progress(step) for step in range(1, 400)),
    evaluated(300, map=0.9),
    MarginChanged(step=340, old=1.0, new=1.1),
    MarginChanged(step=380, old=1.1, new=1.25),
    EpochEnded(step=399, epoch=1, loss=0.0969, wall_s=4.0),
    evaluated(399, images=10_000),
    CheckpointSaved(step=399, path="checkpoints/step-00000399.safetensors", seconds=0.03, reason="epoch"),
)


def rows_after(*events: object) -> dict[str, str]:
    return dict(summary_rows(fold(RunState(), [*BASE, *events]), "runs/20261123-101500-calm"))  # type: ignore[list-item]


def test_summary_of_a_stopped_run_says_how_to_go_on() -> None:
    rows = rows_after(Stopped(step=399, reason="SIGTERM", saved=True))
    assert rows["ended"] == "stopped by SIGTERM, saved"
    assert rows["steps"] == "399 of 4,690 (epoch 1/5), 4.0 s trained"
    assert rows["loss"] == "0.0969 (epoch means)"
    assert rows["retrieval"] == "rank-1 0.800  mAP 0.750  (test, 10,000 images, step 399)"
    assert rows["verification"] == "AUC 0.970  EER 0.080 at threshold 0.430  d\u2032 2.50"
    assert rows["best mAP"] == "0.900 at step 300, 2,000 images"
    assert rows["margin"] == "1.00 → 1.10 at step 340 → 1.25 at step 380"
    assert rows["checkpoint"] == "checkpoints/step-00000399.safetensors (step 399)"
    assert rows["run"] == "runs/20261123-101500-calm"
    assert rows["to go on"] == "reid-tui train --resume runs/20261123-101500-calm"
    assert "skipped steps" not in rows


def test_the_way_on_can_be_pasted_into_a_shell_whatever_the_folder_is_called() -> None:
    start = started(run="runs/a b; $(touch c)")
    saved = CheckpointSaved(step=0, path="c", seconds=0.1, reason="asked")
    rows = dict(summary_rows(fold(RunState(), [start, saved])))
    assert rows["to go on"] == "reid-tui train --resume 'runs/a b; $(touch c)'"


def test_the_summary_on_a_narrow_terminal_breaks_no_number_and_in_a_file_nothing() -> None:
    turns = [MarginChanged(step=1000 + i, old=1 + i / 20, new=1.05 + i / 20) for i in range(8)]
    state = fold(RunState(), [*BASE, *turns, Stopped(step=2000, reason="SIGTERM", saved=True)])
    rows = summary_rows(state)
    for width in (80, 60, 40):
        file = io.StringIO()
        print_summary(state, Console(file=file, width=width, force_terminal=True, color_system=None))
        assert file.getvalue().split() == [word for label, text in rows for word in f"{label} {text}".split()]
        for line in file.getvalue().splitlines():
            assert len(line) <= width or line.startswith(("ended", "checkpoint", "run", "to go on"))
        assert "reid-tui train --resume 20261123-101500-calm" in file.getvalue(), "to be copied"
    file = io.StringIO()
    print_summary(state, Console(file=file, width=40))
    assert len(file.getvalue().splitlines()) == len(rows)


def test_summary_of_other_ends() -> None:
    done = rows_after(Finished(step=4690, reason="epochs", steps=4690, wall_s=50.0, loss=0.06))
    assert done["ended"] == "all epochs done"
    assert done["steps"].startswith("4,690 (epoch")
    assert done["steps"].endswith("50 s trained")
    assert "to go on" not in done
    assert rows_after(Failed(step=399, message="no space\x1b[0m"))["ended"] == "failed: no space\ufffd[0m"
    diverged = Diverged(step=399, reason="three", checkpoint="c")
    assert rows_after(diverged)["ended"] == "diverged: three"
    stopped = rows_after(diverged, progress(400, math.nan, skipped=3), Stopped(step=400, reason="asked", saved=False))
    assert stopped["ended"] == "diverged (three), then stopped, not saved"
    assert stopped["skipped steps"] == "3"
    ruined = CheckpointSaved(step=400, path="r", seconds=0.1, reason="stopped", good=False)
    assert rows_after(diverged, ruined)["checkpoint"] == "checkpoints/step-00000399.safetensors (step 399)"


def test_a_resumed_run_that_diverged_before_it_saved_says_how_to_go_on() -> None:
    diverged = Diverged(step=45, reason="three", checkpoint="checkpoints/step-00000040.safetensors")
    rows = dict(summary_rows(fold(RunState(), [started(40), progress(45, math.nan), diverged])))
    assert rows["checkpoint"] == "checkpoints/step-00000040.safetensors"
    assert rows["to go on"].startswith("reid-tui train --resume ")
    none = dict(summary_rows(fold(RunState(), [started(), Diverged(step=4, reason="three", checkpoint="")])))
    assert not {"checkpoint", "to go on"} & set(none)


def test_summary_before_the_start_has_only_what_is_known() -> None:
    assert summary_rows(fold(RunState(), [Failed(step=0, message="no data")]), "") == [("ended", "failed: no data")]

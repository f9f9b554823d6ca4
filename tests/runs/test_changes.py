"""What a log tells of changes: which count after resumes and crashes, and what it leaves unexplained."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from reid_tui.runs.changes import CHECKPOINT, Change, RunChanges
from reid_tui.runs.log import read_events
from reid_tui.training.events import LrChanged, MarginChanged, Paused, Progress, Resumed, Rewound, RunStarted
from tests.view.samples import progress, started


def start(step: int = 0, margin: float = 1.0, lr: float = 1e-3, **fields: Any) -> RunStarted:
    return started(step=step, margin=margin, lr=lr, **fields)


def margin(step: int, old: float, new: float, origin: str = "") -> MarginChanged:
    return MarginChanged(step=step, old=old, new=new, origin=origin)


def trained(step: int, margin: float, lr: float = 1e-3) -> Progress:
    return progress(step, margin=margin, lr=lr)


def changes(*events: Any, first: tuple[float, float] = (1.0, 1e-3)) -> RunChanges:
    result = RunChanges(*first)
    for event in events:
        result.take(event)
    return result


def test_changes_in_their_order_with_who_made_them() -> None:
    told = changes(
        start(),
        trained(4, 1.0),
        margin(4, 1.0, 1.5, "key"),
        LrChanged(step=4, old=1e-3, new=5e-4, origin="attach 42"),
        trained(5, 1.5, 5e-4),
        Paused(step=6),
        margin(6, 1.5, 1.55),
        margin(6, 1.55, 1.6),
        Resumed(step=6),
        trained(7, 1.6, 5e-4),
    )
    assert told.changes == (
        Change(4, "margin", 1.5, "key"),
        Change(4, "lr", 5e-4, "attach 42"),
        Change(6, "margin", 1.55, ""),
        Change(6, "margin", 1.6, ""),
    )
    assert told.gap == ""


def test_what_a_crash_took_back_does_not_count() -> None:
    told = changes(
        start(), margin(3, 1.0, 1.2), margin(9, 1.2, 2.0), start(8, 1.2), trained(9, 1.2), margin(10, 1.2, 1.3)
    )
    assert [(change.step, change.value) for change in told.changes] == [(3, 1.2), (10, 1.3)]
    assert told.gap == ""


def test_at_the_very_step_of_the_checkpoint_its_own_values_decide() -> None:
    before_and_after = (start(), margin(8, 1.0, 1.2, "a"), margin(8, 1.2, 1.4, "b"), margin(8, 1.4, 1.2, "c"))
    for value, kept in ((1.2, "abc"), (1.4, "ab"), (1.0, "")):
        told = changes(*before_and_after, start(8, value), trained(9, value))
        assert "".join(change.origin for change in told.changes) == kept, value
        assert told.gap == ""


def test_a_change_given_with_the_resume_counts() -> None:
    told = changes(start(), start(8), margin(8, 1.0, 2.0, "--margin"), trained(9, 2.0))
    assert told.changes == (Change(8, "margin", 2.0, "--margin"),)


def test_several_resumes_from_ever_older_checkpoints() -> None:
    told = changes(start(), margin(10, 1.0, 1.5), start(16, 1.5), start(8, 1.0), start(4, 1.0), margin(5, 1.0, 1.1))
    assert told.changes == (Change(5, "margin", 1.1, ""),)
    assert [part.step for part in told.parts] == [0, 4]


def test_the_end_leaves_out_what_came_after_it() -> None:
    told = changes(start(), margin(4, 1.0, 1.5), start(8, 1.5), margin(8, 1.5, 1.7), margin(9, 1.7, 1.9))
    told.end(8, 1.5, 1e-3)
    assert told.changes == (Change(4, "margin", 1.5, ""),)
    assert [part.step for part in told.parts] == [0]
    told.end(0, 1.0, 1e-3)
    assert [part.step for part in told.parts] == [0]


def test_what_a_person_took_back_does_not_count() -> None:
    told = changes(
        start(),
        margin(3, 1.0, 1.2, "a"),
        trained(8, 1.2),
        start(8, 1.2),
        margin(8, 1.2, 1.4, "b"),
        LrChanged(step=9, old=1e-3, new=10.0, origin="c"),
        trained(10, 1.4, 10.0),
        Rewound(step=8, from_step=12, margin=1.2, lr=1e-3),
        Paused(step=8),
        LrChanged(step=8, old=1e-3, new=5e-4, origin="d"),
        trained(9, 1.2, 5e-4),
    )
    assert "".join(change.origin for change in told.changes) == "ad"
    assert told.gap == ""
    assert [part.step for part in told.parts] == [0]
    older = changes(start(), margin(3, 1.0, 1.2), Rewound(step=2, from_step=5), trained(6, 1.2))
    assert (len(older.changes), older.gap) == (1, ""), "a start follows there"


class TestGaps:
    def test_a_step_trained_with_another_margin(self) -> None:
        told = changes(start(), margin(4, 1.0, 1.4), trained(5, 1.5), trained(6, 1.5))
        assert told.gap == "step 5 was trained with the margin at 1.5, the changes in the log make it 1.4"

    def test_a_resume_with_another_learning_rate(self) -> None:
        told = changes(start(), start(8, lr=2e-3))
        assert told.gap == "the log does not tell how the learning rate came to 0.002 by step 8"
        assert told.changes == (Change(8, "lr", 2e-3, CHECKPOINT),)

    def test_no_beginning(self) -> None:
        assert changes(start(8)).gap == "the log says nothing of the steps before 8"

    def test_a_checkpoint_that_the_run_had_left_behind(self) -> None:
        """Taken up by name, after the run had gone on from an earlier one."""
        told = changes(start(), trained(16, 1.0), Rewound(step=8, from_step=16, margin=1.0, lr=1e-3), start(16))
        assert told.gap == "the log does not tell how the run came from step 8 to 16"

    def test_one_that_a_resume_took_back(self) -> None:
        assert changes(start(), trained(9, 1.5), start(8), trained(9, 1.0)).gap == ""


def test_impossible_steps_and_values_are_passed_over() -> None:
    told = changes(
        start(),
        margin(-1, 1.0, 2.0),
        margin(10**30, 1.0, 2.0),
        margin(3, 1.0, math.nan),
        margin(3, 1.0, math.inf),
        margin(3, 1.0, 10**400),
        progress(4, margin=math.nan, lr=math.nan),
    )
    assert (told.changes, told.gap) == ((), "")


def test_a_log_with_torn_and_hostile_lines(tmp_path: Path) -> None:
    from reid_tui.training.event_json import to_json

    whole = [json.dumps(to_json(event)).encode() for event in (start(), margin(3, 1.0, 1.5), trained(4, 1.5))]
    bad = [
        b'{"event":"margin_changed","step":3,"old":1.0,"ne',
        b'{"event":"margin_changed","step":"3","old":1.0,"new":9}',
        b'{"event":"margin_changed","step":3,"old":1.0,"new":"9"}',
        b'{"event":"margin_changed","step":3.5,"old":1.0,"new":9}',
        b'{"event":"margin_changed","step":true,"old":1.0,"new":9}',
        b'{"event":"rewound","step":0,"from":3}',
        b'["margin_changed"]',
        b"\xff\xfe\x00",
        b"",
    ]
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join([*bad, whole[0], *bad, whole[1], *bad, whole[2], *bad[:1]]))
    assert changes(*read_events(path)).changes == (Change(3, "margin", 1.5, ""),)

"""The margin's schedule: how it is written, what is refused, and which step has which margin."""

from __future__ import annotations

import math
from typing import Any

import pytest

from reid_tui.config import MarginPlan, RunOptions, margin_plan, parse_margin_schedule, resolve
from reid_tui.config.margins import MOST_PARTS, MOST_STAIRS, NEVER
from reid_tui.errors import UsageError


def planned(schedule: str | None, start: float = 1.0, per_epoch: int = 100) -> MarginPlan:
    return margin_plan(schedule, start, per_epoch)


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("1.0 until 2, 1.5 until 4, 2.0", "1 until 2, 1.5 until 4, 2"),
        ("  1   until .5 ,to 2 until 1.25  ", "1 until 0.5, to 2 until 1.25"),
        ("to 2.0 until 5", "to 2 until 5"),
        ("0.123456789012 until 1e-3", "0.123456789012 until 0.001"),
        ("1.5", "1.5"),
    ],
)
def test_one_spelling(text: str, spelled: str) -> None:
    assert parse_margin_schedule(text) == spelled
    assert parse_margin_schedule(spelled) == spelled


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must be parts such as '1.0 until 2' or 'to 2.0 until 5'"),
        ("1.0 until 2,", "must be parts such as"),
        ("1.0 til 2", "must be parts such as"),
        ("1.0 until", "must be parts such as"),
        ("\x1b[31m until 2", "the margin must be a number above 0 up to 1000"),
        ("until 2", "must be parts such as"),
        ("0 until 2, 1", "the margin must be a number above 0 up to 1000, not '0'"),
        ("nan", "the margin must be a number"),
        ("1001", "the margin must be a number above 0 up to 1000, not '1001'"),
        ("1 until 0, 2", "'until' must be a number above 0 up to 100000, not '0'"),
        ("1 until inf, 2", "'until' must be a number above 0"),
        ("1 until -1", "'until' must be a number above 0"),
        ("1 until 2, 2 until 2", "each part must end later than the one before, '2 until 2' follows '1 until 2'"),
        ("1 until 2, 2 until 1.5, 3", "each part must end later"),
        ("1, 2 until 4", "'1' is not the last part, so it must say until when: '1 until 2'"),
        ("1 until 2, to 3", "'to 3' must say when it is there: 'to 3 until 5'"),
        (",".join(f"1 until {n + 1}" for n in range(MOST_PARTS + 1)), "at most 20 parts, not 21"),
    ],
)
def test_what_is_refused_in_one_line(text: str, words: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_margin_schedule(text)
    assert words in str(error.value)
    assert str(error.value).startswith("--margin-schedule")
    assert "\n" not in str(error.value)
    assert "\x1b" not in str(error.value)
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"margin": 1.5}, "--margin 1.5 contradicts --margin-schedule, which begins with 1; leave it out"),
        ({"loss": "ntxent"}, "--margin-schedule does nothing with --loss ntxent: ntxent has a temperature"),
        ({"normalize": True}, "must not go beyond 2 with --normalize, as it does with 3"),
    ],
)
def test_what_contradicts_it(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match="--margin") as error:
        resolve(RunOptions(margin_schedule="1 until 2, to 3 until 4", **options), "fashion-mnist", 10)
    assert words in str(error.value)


def test_the_run_begins_with_its_first_margin() -> None:
    def begun(schedule: str, **options: Any) -> float:
        return resolve(RunOptions(margin_schedule=schedule, **options), "fashion-mnist", 10).margin

    assert begun("0.5 until 2, 1") == begun("0.5 until 2, 1", margin=0.5) == begun("0.5 until 1", preset="best") == 0.5
    assert begun("to 2 until 5") == 1.0
    assert begun("to 2 until 5", margin=0.7) == 0.7
    assert begun("to 2.5 until 5", preset="best") == 2.0


def test_steps_of_what_is_held() -> None:
    plan = planned("1 until 2, 1.5 until 3.5, 2")
    assert [(change.step, change.margin, change.ramp) for change in plan.changes] == [(200, 1.5, ()), (350, 2.0, ())]
    assert [plan.before(step).margin for step in (0, 199, 200, 349, 350, 10**9)] == [1, 1, 1.5, 1.5, 2, 2]
    assert [plan.next_after(step) for step in (0, 199, 200, 350)] == [200, 200, 350, NEVER]


def test_a_straight_line_in_stairs_that_never_run_ahead() -> None:
    plan = planned("1 until 1, to 3 until 5, 0.5")
    line = [change for change in plan.changes if change.ramp]
    assert len(line) == MOST_STAIRS
    assert {change.ramp for change in line} == {(1.0, 3.0)}
    assert (line[0].step, line[-1].step, line[-1].margin) == (104, 500, 3.0)
    assert all(change.margin == pytest.approx(1 + 2 * (change.step - 100) / 400) for change in line)
    assert (plan.before(103).margin, plan.before(104).margin, plan.before(500).margin) == (1.0, 1.02, 0.5)


@pytest.mark.parametrize(
    ("schedule", "steps", "end"),
    [
        ("to 2 until 0.05, 1", [1, 2, 3, 4, 5, 5], 1.0),
        ("to 2 until 0.001", [0], 2.0),
        ("1 until 0.001, to 2 until 0.002, 3", [0, 0], 3.0),
    ],
)
def test_lines_of_few_steps_or_none(schedule: str, steps: list[int], end: float) -> None:
    plan = planned(schedule)
    assert [change.step for change in plan.changes] == steps
    assert plan.before(100).margin == end


def test_without_a_schedule_nothing_changes() -> None:
    plan = planned(None, 1.3)
    assert (plan.changes, plan.before(500).margin, plan.next_after(0)) == ((), 1.3, NEVER)
    assert math.isfinite(plan.next_after(0))

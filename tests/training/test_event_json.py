"""Scores on their way through a log, whole, old, new and hostile."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest

from reid_tui.evaluation.hub import Hub
from reid_tui.training import events as ev
from reid_tui.training.event_json import from_json, to_json, to_line
from reid_tui.training.events import Evaluated, MarginChanged
from tests.training.test_card import FITTED
from tests.view.samples import evaluated, started

OLD: dict[str, Any] = {
    "event": "evaluated", "seq": 7, "time": 1.5, "step": 3, "epoch": 1, "split": "test", "images": 40, "rank1": 0.5,
    "map": 0.4, "auc": 0.9, "eer": 0.1, "threshold": 0.6, "d_prime": None,
}  # fmt: skip


def test_a_log_of_before_opens() -> None:
    event = from_json(OLD)
    assert isinstance(event, Evaluated)
    assert (event.protocol, event.queries, event.gallery, event.tar_at_far, event.intervals) == ("", 0, 0, (), ())
    assert math.isnan(event.minp)


def test_scores_come_back_whole() -> None:
    event = Evaluated(
        step=3, epoch=1, split="unseen", images=40, rank1=0.5, map=0.4, auc=0.9, eer=0.1, threshold=0.6, d_prime=2.0,
        protocol="query and gallery, other cameras only", queries=10, queries_without_match=2, gallery=28, rank5=0.6,
        rank10=0.7, rank20=0.8, map_trapezoid=0.39, minp=math.nan,
        tar_at_far=((0.01, 0.93), (0.001, 0.5), (0.0001, math.nan)), intervals=(("rank1", (0.4, 0.6)),),
    )  # fmt: skip
    told = json.loads(to_line(event))
    assert told["tar_at_far"] == {"0.01": 0.93, "0.001": 0.5, "0.0001": None}
    assert told["intervals"] == {"rank1": [0.4, 0.6]}
    assert told["minp"] is None
    assert from_json(told) == event
    hash(event)  # all the way down


def test_thresholds_come_back_without_their_calibration() -> None:
    event = dataclasses.replace(from_json(OLD), fitted=dataclasses.replace(FITTED, knots=()), d_prime=2.0)
    told = json.loads(to_line(event))
    assert told["fitted"]["points"][0] == {
        "asked": None,
        "threshold": 0.6125,
        "far": 0.04,
        "frr": 0.05,
        "far_interval": [0.02, 0.07],
        "frr_interval": [0.03, 0.08],
    }
    assert told["fitted"]["reported"] == [31, 9_000, 19_000]
    assert from_json({**told, "fitted": {**told["fitted"], "of a later version": 1}}) == event
    hash(event)


@pytest.mark.parametrize("fitted", [{}, [], "0.6", {"points": []}, {"points": None, "apart": True}])
def test_thresholds_that_are_none_are_refused(fitted: object) -> None:
    with pytest.raises(ValueError, match=r"^[ -~]{4,100}$"):
        from_json({**OLD, "fitted": fitted})


def test_what_is_not_there_is_not_told() -> None:
    assert not {"tar_at_far", "intervals", "fitted"} & set(to_json(from_json(OLD)))
    assert from_json({**OLD, "tar_at_far": {}, "intervals": {}}) == from_json(OLD)


def test_intervals_of_a_later_version_are_left_out() -> None:
    event = from_json({**OLD, "intervals": {"f1\x1b[2J": [0, 1], "map": [0.25, None]}})
    assert isinstance(event, Evaluated)
    ((name, (low, high)),) = event.intervals
    assert (name, low) == ("map", 0.25)
    assert math.isnan(high)


def test_settings_that_a_later_version_has_are_left_out_and_those_of_another_type_refused() -> None:
    start = started()
    told = json.loads(to_line(start))
    assert from_json({**told, "config": {**told["config"], "new_in_2030": 1}}) == start
    for name, value in {"loss": ["ntxent"], "normalize": "yes", "image_size": 28, "epochs": None}.items():
        with pytest.raises(ValueError, match=f"config.{name} is no"):
            from_json({**told, "config": {**told["config"], name: value}})
    with pytest.raises(ValueError, match="incomplete run_started event"):
        from_json({**told, "config": {}})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tar_at_far", [[0.01, 0.9]]),
        ("tar_at_far", "0.01"),
        ("tar_at_far", None),
        ("tar_at_far", {"\x1b[31m": 0.9}),
        ("tar_at_far", {"nan": 0.9}),
        ("tar_at_far", {"1e999": 0.9}),
        ("tar_at_far", {"-0.1": 0.9}),
        ("tar_at_far", {"0.01": "0.9"}),
        ("tar_at_far", {"0.01": True}),
        ("tar_at_far", {"0.01": {"0.01": 0.9}}),
        ("tar_at_far", {"0.01": 10**400}),
        ("intervals", [["map", 0, 1]]),
        ("intervals", {"map": 0.5}),
        ("intervals", {"map": [0.5]}),
        ("intervals", {"map": [0.1, 0.2, 0.3]}),
        ("intervals", {"map": ["0.1", 0.2]}),
        ("intervals", {"map": [[0.1], 0.2]}),
        ("intervals", {"map": None}),
        ("queries", 2**60),
        ("queries", 1.5),
        ("protocol", ["leave-one-out"]),
        ("rank5", "high"),
    ],
)
def test_what_is_no_score_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        from_json({**OLD, field: value})


def test_a_change_of_the_margin_names_its_straight_line_where_there_is_one() -> None:
    one, two = (MarginChanged(step=3, old=1.0, new=1.1, ramp=ramp) for ramp in ((), (1.0, 2.0)))
    assert "ramp" not in to_json(one)
    assert json.loads(to_line(two))["ramp"] == [1.0, 2.0]
    assert [from_json(json.loads(to_line(event))) for event in (one, two)] == [one, two]
    assert (one.on_the_way, two.on_the_way, dataclasses.replace(two, new=2.0).on_the_way) == (False, True, False)


def test_alarms_come_back() -> None:
    raised = ev.AlarmRaised(step=9, alarm="plateau", since=4, message="flat", remedy="stop")
    for event in (raised, ev.AlarmOver(step=9, alarm="plateau", since=4)):
        assert from_json(to_json(event)) == event


def test_the_hub_comes_back_and_what_is_none_is_refused() -> None:
    told = evaluated(1, hub=Hub(6, 0.4, 0.6))
    assert from_json(to_json(told)) == told
    assert "hub" not in to_json(evaluated(1))
    for wrong in ([1], {"identity": "six", "share": 0.4, "errors": 0.6}):
        with pytest.raises(ValueError, match="hub"):
            from_json({**to_json(told), "hub": wrong})

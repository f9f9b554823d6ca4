"""Each alarm forced by events; a healthy run raises none."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from reid_tui.config import RunConfig, RunOptions, resolve
from reid_tui.evaluation.hub import Hub
from reid_tui.training import events as ev
from reid_tui.training.alarms import Alarms
from reid_tui.training.alarms.losses import share_within
from reid_tui.training.inside import inside_margin
from tests.view.samples import evaluated, progress, started

TOTAL = 1000
BATCH = RunOptions(pairs="batch")


class Told:
    """Alarms over a run whose events a test makes up: a thousand steps, blocks of ten."""

    def __init__(self, *, can_pause: bool = False, **start: Any) -> None:
        self.events: list[ev.AnyEvent] = []
        self.alarms = Alarms(self.events.append, can_pause=can_pause)
        self.step = 0
        self.wall_s = 0.0
        self.alarms(started(**{"total_steps": TOTAL, **start}))

    def steps(self, count: int, loss: float = 0.1, *, seconds: float = 0.01, **fields: Any) -> None:
        for _ in range(count):
            self.step += 1
            self.wall_s += seconds
            self.alarms(progress(self.step, loss, wall_s=self.wall_s, **fields))

    def falling(self, count: int, loss: float = 0.2) -> None:
        """As a healthy loss does."""
        for _ in range(count):
            self.steps(1, loss * math.exp(-self.step / 400), inside=0.3)

    def picture(self, *, near: float = 0.0, norm: float = 1.0) -> None:
        """Of 1000 pairs of each kind, some at distance 0, the others well apart."""
        count = round(1000 * near)
        edges = (0.0, 0.05, 0.5, 1.0)
        counts = (count, 0, 1000 - count)
        self.alarms(
            ev.DistancesReady(step=self.step, split="test", edges=edges, same=counts, different=counts, norm=norm)
        )

    def scores(self, **fields: Any) -> None:
        self.alarms(evaluated(self.step, **fields))

    def parts(self, seen: float, unseen: float) -> None:
        self.scores(split="seen", map=seen)
        self.scores(split="unseen", map=unseen)

    @property
    def raised(self) -> list[ev.AlarmRaised]:
        return [event for event in self.events if isinstance(event, ev.AlarmRaised)]

    @property
    def names(self) -> list[str]:
        """In the order in which they were told; what is over behind a minus."""
        return [
            f"{'-' if isinstance(event, ev.AlarmOver) else ''}{event.alarm}"
            for event in self.events
            if isinstance(event, ev.AlarmRaised | ev.AlarmOver)
        ]


def test_a_healthy_run_raises_none() -> None:
    told = Told()
    told.picture(near=1.0, norm=0.05)
    for part in range(1, 21):
        told.falling(50)
        told.picture(norm=0.5 + part / 20)
        told.parts(1 - 0.8 / part, 0.9 - 0.8 / part)
    assert told.names == []


class TestCollapse:
    def test_by_the_loss_of_equal_embeddings(self) -> None:
        told = Told()
        told.falling(100)
        told.steps(200, 0.5)
        (alarm,) = [event for event in told.raised if event.alarm == "collapse"]
        assert (alarm.since, alarm.step) == (101, 150)
        assert "0.5" in alarm.message
        assert "learning rate" in alarm.remedy
        told.falling(100)
        assert "-collapse" in told.names

    def test_at_another_margin_another_loss(self) -> None:
        told = Told()
        told.steps(200, 2.0, margin=2.0)
        assert "collapse" in told.names
        told = Told()
        told.steps(200, 0.5, margin=2.0)
        assert "collapse" not in told.names

    def test_pairs_that_are_apart_contradict_the_loss(self) -> None:
        told = Told()
        told.falling(10)
        told.picture()
        told.steps(200, 0.5)
        assert "collapse" not in told.names

    def test_by_distances_that_are_gone_twice_in_a_row(self) -> None:
        told = Told()
        told.falling(30)
        told.picture(near=1.0)
        assert told.names == []
        told.falling(30)
        told.picture(near=1.0)
        assert [(event.alarm, event.since) for event in told.raised] == [("collapse", 30)]
        told.picture(near=0.95)
        assert told.names == ["collapse"]
        told.picture(near=0.5)
        assert told.names == ["collapse", "-collapse"]

    def test_a_loss_without_a_margin_has_no_such_loss(self) -> None:
        config = resolve(RunOptions(loss="ntxent"), "fashion-mnist", 10)
        told = Told(config=config)
        told.steps(200, 0.5)
        assert "collapse" not in told.names


class TestNothingLeft:
    def test_under_one_percent_inside_the_margin(self) -> None:
        told = Told()
        told.steps(60, 0.01, inside=0.02)
        assert told.names == []
        told.steps(60, 0.01, inside=0.001)
        assert [(event.alarm, event.since) for event in told.raised] == [("nothing_left", 61)]
        told.steps(20, 0.01, inside=0.3, margin=2.0)
        assert told.names == ["nothing_left"], "a turned margin begins the window anew"
        told.steps(40, 0.01, inside=0.3, margin=2.0)
        assert told.names == ["nothing_left", "-nothing_left"]

    def test_equal_embeddings_are_no_success(self) -> None:
        told = Told()
        told.steps(200, 0.5, inside=0.0)
        assert "nothing_left" not in told.names

    def test_not_where_nothing_is_known(self) -> None:
        told = Told()
        told.steps(200, 0.01)
        assert told.names == []


class TestPlateau:
    def test_a_flat_loss(self) -> None:
        told = Told()
        told.steps(400, 0.25)
        assert [(event.alarm, event.since, event.step) for event in told.raised] == [("plateau", 1, 290)]
        told.steps(250, 0.2)
        assert told.names == ["plateau", "-plateau"]

    def test_not_while_scores_rise(self) -> None:
        told = Told()
        for part in range(12):
            told.steps(50, 0.25)
            told.scores(map=0.1 + part / 20)
        assert told.names == []
        told.steps(300, 0.25)
        assert told.names == ["plateau"]
        told.scores(map=0.9)
        assert told.names == ["plateau", "-plateau"]

    def test_not_at_the_end_of_the_run(self) -> None:
        told = Told()
        told.falling(640)
        told.steps(360, 0.01)
        assert told.names == []


class TestOverfitting:
    def test_the_gap_widens_three_times(self) -> None:
        told = Told()
        for seen in (0.6, 0.7, 0.8):
            told.falling(50)
            told.parts(seen, 0.5)
        assert told.names == []
        told.falling(50)
        told.parts(0.9, 0.49)
        assert [(event.alarm, event.since) for event in told.raised] == [("overfitting", 50)]
        assert "0.410 mAP above" in told.raised[0].message
        told.falling(50)
        told.parts(0.9, 0.55)
        assert told.names == ["overfitting", "-overfitting"]

    def test_not_while_unseen_identities_gain_too(self) -> None:
        told = Told()
        for part in range(6):
            told.falling(50)
            told.parts(0.3 + part / 10, 0.3 + part / 20)
        assert told.names == []


class TestNorm:
    def test_ten_times_as_long_as_at_the_beginning(self) -> None:
        told = Told()
        for norm in (1.0, 1.1, 1.2, 1.1, 1.0, 3.0, 9.0):
            told.falling(20)
            told.picture(norm=norm)
        assert told.names == []
        told.falling(20)
        told.picture(norm=12.0)
        assert [(event.alarm, event.since) for event in told.raised] == [("norm", 160)]
        told.falling(20)
        told.picture(norm=7.0)
        assert told.names == ["norm"]
        told.picture(norm=4.0)
        assert told.names == ["norm", "-norm"]

    def test_not_while_the_margin_asks_for_it(self) -> None:
        told = Told()
        for norm in (0.01, 0.01, 0.01, 0.01, 0.01, 0.5, 1.0, 2.0):
            told.falling(20)
            told.picture(norm=norm)
        assert told.names == []

    def test_beyond_all_margins_at_once(self) -> None:
        told = Told()
        told.falling(20)
        told.picture(norm=50.0)
        told.picture(norm=1e6)
        assert told.names == ["norm"]


class TestHub:
    def test_one_identity_is_nearest_to_many(self) -> None:
        told = Told()
        told.falling(50)
        told.scores(hub=Hub(6, 0.24, 0.9))
        told.scores(hub=Hub(6, 0.4, 0.4))
        assert told.names == []
        told.scores(hub=Hub(6, 0.4, 0.6))
        assert told.raised[0].message == "Shirt is nearest to 40% of the others' images"
        told.scores(hub=Hub(6, 0.22, 0.6))
        told.scores(split="seen")
        assert told.names == ["hub"]
        told.scores()
        assert told.names == ["hub", "-hub"]

    def test_one_without_a_name(self) -> None:
        told = Told()
        told.falling(50)
        told.scores(hub=Hub(123, 0.4, 0.6))
        assert told.raised[0].message.startswith("identity 123 ")


class TestSlow:
    def test_half_the_usual_pace_for_ten_seconds(self) -> None:
        told = Told(total_steps=4000)
        told.steps(400, seconds=0.1)
        told.steps(90, seconds=0.1, pairs_per_s=3000.0)
        assert told.names == []
        told.steps(20, seconds=0.1, pairs_per_s=3000.0)
        assert [(event.alarm, event.since) for event in told.raised] == [("slow", 410)]
        told.steps(20, seconds=0.1, pairs_per_s=4000.0)
        assert told.names == ["slow"]
        told.steps(20, seconds=0.1)
        assert told.names == ["slow", "-slow"]

    def test_not_before_a_pace_is_known(self) -> None:
        told = Told(total_steps=4000)
        told.steps(200, seconds=0.1)
        told.steps(200, seconds=0.1, pairs_per_s=3000.0)
        assert told.names == []


def test_several_steps_told_at_once_count_as_many() -> None:
    told = Told()
    for step in range(10, 301, 10):
        told.alarms(progress(step, 0.5, losses=(0.5,) * 10))
    assert [event.since for event in told.raised if event.alarm == "collapse"] == [1]


def test_losses_that_are_not_finite_are_left_out() -> None:
    told = Told()
    told.falling(100)
    told.steps(200, math.nan)
    assert told.names == []


def test_a_return_to_a_checkpoint_begins_anew() -> None:
    told = Told()
    told.steps(60, 0.5)
    assert told.names == ["collapse"]
    told.alarms(ev.Rewound(step=0, from_step=60, margin=1.0, lr=1e-3))
    told.step = 0
    told.steps(60, 0.5)
    assert told.names == ["collapse", "collapse"]


def test_the_last_step_is_too_late() -> None:
    told = Told()
    told.falling(TOTAL)
    told.scores(hub=Hub(6, 0.9, 0.9))
    assert told.names == []


def test_the_share_within_a_distance_is_linear_in_a_bin() -> None:
    event = ev.DistancesReady(step=1, split="test", edges=(0.0, 1.0, 2.0), same=(4, 0), different=(0, 4))
    assert share_within(event, 0.5) == 0.25
    assert share_within(event, 1.5) == 0.75
    assert share_within(event, 1.5, same=False) == 0.5
    assert math.isnan(share_within(dataclasses.replace(event, same=(0, 0), different=(0, 0)), 1.0))


@pytest.mark.parametrize(
    ("options", "teaching", "inside"),
    [
        (RunOptions(), 0.75, 0.5),
        (RunOptions(), 0.5, 0.0),
        (RunOptions(pairs="batch", batch_size=8, images_per_identity=4, miner="all"), 0.2, 0.0),
        (RunOptions(pairs="batch", batch_size=8, images_per_identity=4, miner="all"), 0.6, 0.5),
        (RunOptions(pairs="batch", miner="hard"), 0.75, 0.5),
        (RunOptions(loss="triplet"), 0.75, 0.75),
    ],
)
def test_how_much_is_inside_the_margin(options: RunOptions, teaching: float, inside: float) -> None:
    config = resolve(options, "fashion-mnist", 10)
    assert inside_margin(config, teaching, np.array([True, False] * 32)) == pytest.approx(inside)


def test_without_a_different_pair_nothing_is_known_to_be_inside(tiny_config: RunConfig) -> None:
    assert math.isnan(inside_margin(tiny_config, 1.0, np.array([True, True])))

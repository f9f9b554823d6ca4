"""The parts that need no screen: steering, leaving, pace, toasts, title, footer and header texts."""

from __future__ import annotations

import dataclasses
import math
import re

import pytest

from reid_tui.config import RunOptions, resolve
from reid_tui.errors import DIVERGED, OK
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.tui import pace
from reid_tui.tui.keys import KEYS, markdown_table
from reid_tui.tui.leaving.exit import Leaving
from reid_tui.tui.notices import MOST, notice, notices
from reid_tui.tui.pace import Pace
from reid_tui.tui.pause_key import PauseKey
from reid_tui.tui.terminal.look import LOCAL_FPS
from reid_tui.tui.terminal.title import terminal_title, title_sequence
from reid_tui.tui.widgets.footer import MOST as MOST_HINTS
from reid_tui.tui.widgets.footer import hints
from reid_tui.tui.widgets.header import bar, identity_line, progress_line
from reid_tui.tui.widgets.numbers import line, lines
from reid_tui.view.fold import fold
from reid_tui.view.numbers import NumberRow, number_rows
from reid_tui.view.run_state import RunState
from tests.hostile import HOSTILE
from tests.tui.rig import CONFIG, NAMES, Script
from tests.view.samples import evaluated, fitted


def state_after(*, steps: int = 40, **start: object) -> RunState:
    script = Script()
    script.run_started(**start)
    script.evaluate()
    script.train(steps)
    return fold(RunState(), script.drain().live)


def test_pause_twice_is_pause_and_resume() -> None:
    key = PauseKey()
    assert key.pressed(paused=False) == cmd.Pause()
    assert key.pressed(paused=False) == cmd.Resume()
    key.answered([ev.Paused(step=1)])
    assert key.pressed(paused=True) == cmd.Pause()


@pytest.mark.parametrize(
    "answer",
    [
        ev.Paused(step=1),
        ev.Diverged(step=1, reason="nan", checkpoint=""),
        ev.CommandRefused(step=1, command="pause", reason="no"),
    ],
)
def test_an_answered_pause_is_forgotten(answer: ev.AnyEvent) -> None:
    key = PauseKey()
    key.pressed(paused=False)
    key.answered([answer])
    assert key.pressed(paused=True) == cmd.Resume()


FINISHED = ev.Finished(step=1, reason="epochs", steps=1, wall_s=1, loss=0.1)
STOPPED = ev.Stopped(step=1, reason="asked", saved=True)


def started_leaving(*, exit_when_done: bool = False) -> Leaving:
    leaving = Leaving(exit_when_done=exit_when_done)
    script = Script()
    script.run_started()
    leaving.note(script.drain().live)
    return leaving


def test_a_finished_run_stays_on_the_screen_unless_told_otherwise() -> None:
    leaving = started_leaving()
    leaving.note([FINISHED])
    assert (leaving.due, leaving.code) == (False, OK)
    leaving = started_leaving(exit_when_done=True)
    leaving.note([FINISHED])
    assert leaving.due


def test_asked_to_stop_it_leaves_at_the_end() -> None:
    leaving = started_leaving()
    leaving.asked = True
    assert not leaving.due
    leaving.note([STOPPED])
    assert (leaving.due, leaving.code) == (True, OK)


def test_a_failure_before_the_run_leaves_with_its_code() -> None:
    leaving = Leaving(exit_when_done=False)
    leaving.note([ev.Failed(step=0, message="no data", exit_code=2)])
    assert (leaving.due, leaving.code) == (True, 2)


@pytest.mark.parametrize(("signal", "code"), [("SIGTERM", 143), ("SIGINT", 130), ("SIGXCPU", 152)])
def test_signals_have_their_codes(signal: str, code: int) -> None:
    leaving = started_leaving()
    leaving.signal = signal
    leaving.note([STOPPED])
    assert (leaving.due, leaving.code) == (True, code)


def test_diverged_and_stopped_is_3_unless_it_went_on() -> None:
    leaving = started_leaving()
    leaving.note([ev.Diverged(step=1, reason="nan", checkpoint="")])
    assert leaving.code == DIVERGED
    leaving.note([STOPPED])
    assert leaving.code == DIVERGED
    leaving = started_leaving()
    leaving.note([ev.Diverged(step=1, reason="nan", checkpoint=""), ev.Resumed(step=1), STOPPED])
    assert leaving.code == OK
    leaving = started_leaving()
    leaving.note([ev.Diverged(step=1, reason="nan", checkpoint=""), ev.Rewound(step=0, from_step=1), STOPPED])
    assert leaving.code == OK


def test_pace_grows_with_cost() -> None:
    panel = Pace(0.5)
    assert panel.due(0.0)
    panel.drawn(0.0, 0.001)
    assert not panel.due(0.49)
    assert panel.due(0.5)
    panel.drawn(1.0, 0.04)
    assert not panel.due(3.5)
    assert panel.due(4.5)
    panel.drawn(1.0, 99.0)
    assert panel.due(4.0)


def test_a_pace_is_slowed_down() -> None:
    panel = Pace(0.5)
    panel.drawn(0.0, 0.0, slower=4.0)
    assert not panel.due(1.9)
    assert panel.due(2.0)


@pytest.mark.parametrize("fps", range(1, 61))
def test_numbers_move_every_second_at_least_and_charts_half_as_often(fps: int) -> None:
    rhythm = pace.rhythm(fps)
    assert rhythm.charts == 2 * rhythm.numbers < 2
    assert rhythm.maps == 2 * rhythm.charts
    assert pace.rhythm(max(fps - 1, 1)) >= rhythm


def test_what_is_drawn_is_drawn_together() -> None:
    rhythm = pace.rhythm(LOCAL_FPS)
    numbers, charts = Pace(rhythm.numbers), Pace(rhythm.charts)
    drawn: dict[str, list[float]] = {"numbers": [], "charts": []}
    numbers.drawn(0.3, 0.0)  # somebody pressed a key
    for now in (tick / LOCAL_FPS + 0.013 for tick in range(1, 20 * LOCAL_FPS)):
        for name, pace_of in (("numbers", numbers), ("charts", charts)):
            if pace_of.due(now):
                drawn[name].append(now)
                pace_of.drawn(now, 0.001)
    assert len(drawn["numbers"]) == pytest.approx(40, abs=3)
    assert len(drawn["charts"]) == pytest.approx(20, abs=2)
    assert len(set(drawn["charts"]) - set(drawn["numbers"])) <= 1


def test_toasts_are_few_and_the_last_of_a_kind() -> None:
    turned = [ev.MarginChanged(step=1, old=1 + i, new=2 + i) for i in range(5)]
    assert [item.text for item in notices(turned)] == ["margin 5.00 → 6.00"]
    many = [ev.Warned(step=1, code="x", message=f"number {i}") for i in range(9)]
    assert len(notices(many)) == MOST
    assert notices([ev.Paused(step=1)]) == []
    refused = [ev.CommandRefused(step=1, command="step", reason="no", count=count) for count in (1, 1200)]
    assert [item.text for item in notices(refused)] == ["step refused (1,200 times): no"]
    (diverged,) = notices([ev.Diverged(step=1, reason="nan", checkpoint="c")])
    assert diverged.text == "diverged: nan; last good checkpoint c; b goes back"


@pytest.mark.parametrize(
    ("event", "severity"),
    [
        (ev.CommandRefused(step=1, command="set_margin", reason="no"), "warning"),
        (ev.Warned(step=1, code="save_failed", message="disk full"), "warning"),
        (ev.Diverged(step=1, reason="nan", checkpoint="c"), "error"),
        (ev.Failed(step=1, message="boom"), "error"),
        (FINISHED, "information"),
        (ev.CheckpointSaved(step=1, path="c", seconds=1, reason="asked"), "information"),
    ],
)
def test_toast_severity(event: ev.AnyEvent, severity: str) -> None:
    assert [item.severity for item in notices([event])] == [severity]


def test_title_is_printable_ascii() -> None:
    facts = ev.DatasetFacts("d\x1b]0;evil\x07é" * 30, 1, 1, 1, (), "", unseen=False)
    title = terminal_title(state_after(dataset=facts))
    assert title.isascii()
    assert title.isprintable()
    assert len(title) <= 80
    assert title_sequence("x") == "\x1b]2;x\x07"
    assert terminal_title(RunState()) == "LOADING - reid-tui"
    assert terminal_title(state_after()).startswith("0% TRAINING fashion-mnist")


def test_footer_has_at_most_seven_hints_that_work() -> None:
    words = [word for _, word, _ in hints(state_after())]
    assert words == ["pause", "margin", "save", "zoom", "help", "quit"]
    paused = fold(state_after(), [ev.Paused(step=40)])
    words = [word for _, word, _ in hints(paused)]
    assert words == ["resume", "step", "margin", "save", "zoom", "help", "quit"]
    assert len(words) <= MOST_HINTS
    diverged = fold(paused, [ev.Diverged(step=40, reason="nan", checkpoint="")])
    assert [word for _, word, _ in hints(diverged)] == ["resume", "margin", "back", "zoom", "help", "quit"]
    assert [word for _, word, _ in hints(RunState())] == ["zoom", "help", "quit"]
    without = state_after(config=resolve(RunOptions(loss="circle"), "fashion-mnist", 10))
    assert [word for _, word, _ in hints(without)] == ["pause", "save", "zoom", "help", "quit"]
    assert [word for _, word, _ in hints(paused, deaf=True)] == ["zoom", "help", "quit"]


@pytest.mark.parametrize("text", HOSTILE)
def test_every_toast_is_one_harmless_line(text: str) -> None:
    """Of a batch on the screen only the last are seen."""
    kinds = [
        ev.MarginChanged(step=1, old=1.0, new=1.1, origin=text),
        ev.LrChanged(step=1, old=1e-3, new=1e-4, origin=text),
        ev.CheckpointSaved(step=1, path=text, seconds=0.1, reason="asked", origin=text),
        ev.CommandRefused(step=1, command=text, reason=text, origin=text),
        ev.Warned(step=1, code=text, message=text),
        ev.Diverged(step=1, reason=text, checkpoint=text),
        ev.Failed(step=1, message=text),
        ev.Stopped(step=1, reason=text, saved=True),
    ]
    for event in kinds:
        found = notice(event)
        assert found is not None
        assert found.text.isprintable(), event


def test_scores_of_every_split_have_their_row_at_80x24() -> None:
    told = [
        evaluated(40 + n, split=split, map=0.5 + n / 10, fitted=fitted() if split == "unseen" else None)
        for n in (0, 1)
        for split in ("validation", "seen", "unseen")
    ]
    rows = [*number_rows(fold(state_after(), told)), NumberRow("CPU", "10 %"), NumberRow("memory", "300 MB")]
    text = [part.plain.split() for part in lines(rows, 27, 18)]
    assert len([words for words in text if words]) == len(rows)
    assert ["scores", "unseen", "seen"] in text
    assert ["rank-1", "0.800", "0.800"] in text
    assert ["threshold", "0.612"] in text
    assert ["FAR", "/", "FRR", "0.037", "/", "0.041"] in text
    assert ["FAR", "/", "FRR", "0.037", "/", "0.041"] not in [part.plain.split() for part in lines(rows, 27, 17)]
    assert ["mAP", "0.600", "0.600", "+0.100"] in text
    assert ["mAP", "valid.", "0.600", "+0.100"] in text
    ends = {part.plain.rindex("0.6") for part in lines(rows, 27, 18) if part.plain.startswith("mAP")}
    assert len(ends) == 1, "one below the other"


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_header_lines_are_exactly_as_wide_as_the_screen(width: int) -> None:
    for state in (RunState(), state_after(), state_after(total_steps=1_000_000_000), fold(state_after(), [FINISHED])):
        assert identity_line(state, width).cell_length == width
        assert progress_line(state, width).cell_length == width


@pytest.mark.parametrize("width", [20, 60, 80, 120])
@pytest.mark.parametrize("text", ["reading pictures", "歩行者" * 40])
def test_header_shows_how_much_is_loaded(width: int, text: str) -> None:
    events = [
        ev.PhaseChanged(step=0, phase="loading", detail=text, done=done, total=12_936) for done in (0, 3234, 2**40)
    ]
    shown = [progress_line(fold(RunState(), [event]), width) for event in events]
    assert {line.cell_length for line in shown} == {width}
    assert [("━" in line.plain, "─" in line.plain) for line in shown] == [(False, True), (True, True), (True, False)]
    if width >= 60:
        assert "25 %" in shown[1].plain
        assert shown[1].plain.startswith(f" {text[:10]}")
    if width >= 80:
        assert "3,234 of 12,936" in shown[1].plain
    failed = fold(RunState(), [events[1], ev.Failed(step=0, message="no data")])
    assert "no data" in progress_line(failed, width).plain


def test_header_keeps_what_matters_most() -> None:
    narrow = identity_line(state_after(), 60).plain
    assert "fashion-mnist" in narrow
    assert narrow.rstrip().endswith("TRAINING")
    assert "epoch 1/5" in progress_line(state_after(), 60).plain
    assert "ETA" in progress_line(state_after(), 80).plain


def test_header_says_what_a_timed_precision_gains() -> None:
    chosen = dataclasses.replace(CONFIG, precision="bf16", precision_gain=1.53, precision_why="because")
    assert "  bf16 1.5x  " in identity_line(state_after(precision="bf16", config=chosen), 120).plain
    assert "  fp32  " in identity_line(state_after(), 120).plain


@pytest.mark.parametrize("name", ["x" * 300, "歩行者🙂" * 60])
def test_header_keeps_its_badge_beside_a_long_name(name: str) -> None:
    facts = ev.DatasetFacts(name, 60_000, 10_000, 10, NAMES, "in a folder", unseen=False)
    for width in (60, 80, 120):
        line = identity_line(state_after(dataset=facts), width)
        assert line.cell_length == width
        assert line.plain.rstrip().endswith("…  TRAINING")


def test_bar_shows_the_share() -> None:
    assert bar(0.5, 10).plain == "━" * 5 + "─" * 5
    assert bar(1.0, 0).plain == ""


@pytest.mark.parametrize("width", [10, 27, 34, 60])
@pytest.mark.parametrize("height", [1, 5, 10, 19])
def test_numbers_fit_their_place(width: int, height: int) -> None:
    found = lines(number_rows(state_after()), width, height)
    assert len(found) <= height
    if width >= 27:
        assert all(item.cell_length <= width for item in found)


def test_numbers_keep_scores_where_rows_are_few() -> None:
    text = "\n".join(item.plain for item in lines(number_rows(state_after()), 27, 10))
    for label in ("loss", "margin", "rank-1", "mAP", "AUC", "EER", "steps"):
        assert label in text


def test_a_long_change_gives_way_to_the_value() -> None:
    row = NumberRow("learning rate", "0.000123", "was 0.00123456", "flat")
    assert "0.000123" in line(row, 27).plain
    assert "was" not in line(row, 27).plain


def test_every_key_once_and_in_the_readme_table() -> None:
    for panel in {key.panel for key in KEYS}:
        names = [name for key in KEYS for name in key.keys_in(panel)]
        assert len(names) == len(set(names))
    table = markdown_table()
    assert all(key.description in table for key in KEYS)
    assert math.isclose(table.count("\n"), len(KEYS) + 1)


def alarm(name: str = "collapse", since: int = 1200, message: str = "seen") -> ev.AlarmRaised:
    return ev.AlarmRaised(step=1300, alarm=name, since=since, message=message, remedy="go back")


def test_an_alarm_is_a_badge_until_it_is_over() -> None:
    raised = fold(state_after(), [alarm(), alarm("nothing_left", 20)])
    assert " COLLAPSE @1,200 " in identity_line(raised, 80).plain
    line = identity_line(raised, 120).plain
    assert line.endswith(" NOTHING LEFT @20   COLLAPSE @1,200   TRAINING  ")
    over = fold(raised, [ev.AlarmOver(step=1400, alarm="collapse", since=1200)])
    assert [item.alarm for item in over.alarms] == ["nothing_left"]
    assert "COLLAPSE" not in identity_line(over, 120).plain
    assert "alarm over: collapse, which began at step 1,200" in over.log[-1].text


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_number_of_alarms_pushes_the_state_out(width: int) -> None:
    names = ("collapse", "norm", "nothing_left", "overfitting", "hub", "plateau", "slow", *HOSTILE[:3], "数" * 90)
    state = fold(state_after(), [alarm(name, 10**12) for name in names])
    line = identity_line(state, width)
    assert line.cell_length == width
    assert line.plain.isprintable()
    assert line.plain.endswith(" TRAINING  ")
    assert re.search(r" \+\d+   TRAINING  $", line.plain)
    assert "fashion-mnist" in line.plain


def test_an_alarm_is_one_notice_that_says_what_to_do() -> None:
    found = notice(alarm(message="the loss is 0.5"))
    assert found is not None
    assert found.text == "alarm: collapse since step 1,200: the loss is 0.5; go back"
    assert (found.severity, found.rings) == ("warning", True)
    assert notice(ev.AlarmOver(step=1, alarm="collapse", since=0)) is None


@pytest.mark.parametrize(
    "event",
    [ev.RunStarted, ev.Rewound],
)
def test_a_start_and_a_way_back_end_all_alarms(event: type[ev.AnyEvent]) -> None:
    state = fold(state_after(), [alarm()])
    if event is ev.Rewound:
        state = fold(state, [ev.Rewound(step=10, from_step=40, margin=1.0, lr=1e-3)])
    else:
        script = Script()
        script.run_started(step=10)
        state = fold(state, script.drain().live)
    assert state.alarms == ()

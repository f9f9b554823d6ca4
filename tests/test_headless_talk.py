"""What headless training tells while it runs: a bar on a terminal, lines elsewhere, and the state behind both."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from reid_tui.cli.main import run
from reid_tui.config import RunOptions, resolve
from reid_tui.console import Patient
from reid_tui.data import catalog
from reid_tui.data.dataset import Dataset
from reid_tui.headless import MOST_STEPS, BarTalk, Follower, NoTalk, PlainTalk, _numbers, _talk, progress_text
from reid_tui.training import events as ev
from reid_tui.view.fold import fold
from reid_tui.view.run_state import RunState
from tests.view.samples import progress, started


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(("progress", "kind"), [("auto", BarTalk), ("bar", BarTalk), ("plain", PlainTalk)])
def test_a_bar_moves_on_a_terminal_only(progress: str, kind: type, as_json: bool) -> None:
    file = io.StringIO()
    terminal, pipe = (Patient(file=file, force_terminal=yes, force_interactive=yes) for yes in (True, False))
    talk = _talk(progress, terminal, as_json=as_json)
    talk.close()
    assert isinstance(talk, kind)
    file.truncate(0)
    talk = _talk(progress, pipe, as_json=as_json)
    assert isinstance(talk, NoTalk if as_json and progress == "auto" else PlainTalk)
    assert ("--progress bar needs a terminal" in file.getvalue()) == (progress == "bar")


@pytest.mark.parametrize("progress", ["auto", "bar"])
def test_nothing_moves_in_a_file_whatever_colour_is_wished_for(
    progress: str, tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(catalog, "load", lambda *_: tiny)
    monkeypatch.setenv("FORCE_COLOR", "1")
    options = ["--steps", "2", "--batch-size", "16", "--device", "cpu", "--name", "n" * 64, "--progress", progress]
    assert run(["train", "--runs-dir", str(tmp_path), *options]) == 0
    told = capsys.readouterr()
    assert "\x1b" not in told.err
    assert "\x1b[1mended" in told.out
    (started,) = [line for line in told.err.splitlines() if line.startswith("started")]
    assert started.endswith("2 steps"), "whole, in a line"


@pytest.mark.parametrize("width", [17, 24, 29, 30, 31, 40, 59, 60, 70, 80, 100])
def test_a_narrow_bar_leaves_numbers_out_and_cuts_none(width: int) -> None:
    event = progress(1234, loss=0.0969, margin=1.05)
    end = ev.Finished(step=1234, reason="steps", steps=1234, wall_s=1.0, loss=0.0969)
    file = io.StringIO()
    talk = BarTalk(Patient(file=file, width=width, force_terminal=True, color_system=None))
    states = [fold(RunState(), [started(), event]), fold(RunState(), [started(), event, end])]
    for happened, state in zip((event, end), states, strict=True):
        talk.tell(happened, lambda state=state: state)
        talk._bar.refresh()
    talk.close()
    bars = [
        line
        for line in re.split(r"[\r\n]|\x1b\[[^a-zA-Z]*[a-zA-Z]", file.getvalue())
        if "epoch " in line and "━" in line
    ]
    assert bars
    for bar in bars:
        assert cell_len(bar) <= width
        assert "…" not in bar
    assert ("1234/4690" in bars[-1]) == (width >= 30)


@pytest.mark.parametrize(("loss", "told"), [("contrastive", True), ("ntxent", False)])
def test_a_margin_is_told_where_the_loss_has_one(loss: str, told: bool) -> None:
    event = progress(7, loss=0.5, margin=1.05)
    state = fold(RunState(), [started(config=resolve(RunOptions(loss=loss), "fashion-mnist", 10)), event])
    assert ("margin 1.05" in progress_text(event, state)) == told
    assert ("m 1.05" in _numbers(event, state)[0]) == told
    assert "    " not in progress_text(event, state) + _numbers(event, state)[0]


def test_steps_are_taken_into_the_state_many_at_a_time() -> None:
    follower, waiting = Follower(NoTalk(), as_json=False), set[int]()
    for event in (started(), *(progress(step, loss=1 / step) for step in range(1, 1001))):
        follower(event)
        waiting.add(len(follower._steps))
    assert waiting == set(range(MOST_STEPS))
    assert (follower.state.step, follower.state.loss) == (1000, 1 / 1000)
    assert follower.state.history.losses.tolist() == [1 / step for step in range(1, 1001)]


@pytest.mark.parametrize("width", [80, 60, 40, 20])
def test_what_stands_above_the_bar_is_broken_between_words(width: int) -> None:
    file = io.StringIO()
    talk = BarTalk(Patient(file=file, width=width, force_terminal=True, color_system=None))
    changes = [ev.MarginChanged(step=1234, old=1 + i / 20, new=1.05 + i / 20, origin="attach 4242") for i in range(20)]
    state = RunState()
    for event in (started(), progress(7), *changes):
        state = fold(state, [event])
        talk.tell(event, lambda state=state: state)
    talk.close()
    words = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", file.getvalue()).split()
    assert sum(word == "4242" for word in words) == 20
    assert all(f"{change.new:.2f}" in words for change in changes)

"""What `train` tells before the first step: how much of the data is read, and what is wrong with it."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from reid_tui.console import Patient
from reid_tui.headless import BarTalk, PlainTalk
from reid_tui.training import events as ev
from reid_tui.view.fold import fold
from reid_tui.view.run_state import RunState
from tests.view.samples import started


def loading(done: int, total: int = 12_936, text: str = "reading pictures") -> ev.PhaseChanged:
    return ev.PhaseChanged(step=0, phase="loading", detail=text, done=done, total=total)


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (80, "reading pictures  3,234 of 12,936  25 %"),
        (60, "reading pictures  3,234 of 12,936  25 %"),
        (40, "reading pictures  25 %"),
        (20, "25 %"),
    ],
)
def test_the_bar_shows_how_much_is_loaded(width: int, words: str) -> None:
    file = io.StringIO()
    talk = BarTalk(Patient(file=file, width=width, force_terminal=True, color_system=None))
    state = RunState()
    for event in (loading(0, 0), loading(1), loading(3234)):
        state = fold(state, [event])
        talk.tell(event, lambda state=state: state)
    (task,) = talk._bar.tasks
    talk._bar.refresh()
    talk.close()
    assert (task.completed, task.total, task.fields["numbers"]) == (3234, 12_936, words)
    assert file.getvalue().rstrip("\x1b[?25h\n").endswith(f" {words}")


def test_plain_lines_tell_what_is_loaded_once_and_every_few_seconds_how_much_of_it() -> None:
    file, state, now = io.StringIO(), RunState(), 100.0
    talk = PlainTalk(Console(file=file, width=80), lambda: now)
    for event in (loading(0, 0, "looking"), *(loading(n * 100) for n in range(130)), loading(0, 0, "looking")):
        now += 0.125
        state = fold(state, [event])
        talk.tell(event, lambda state=state: state)
    assert file.getvalue().splitlines() == [
        "looking",
        "reading pictures",
        "reading pictures  4,000 of 12,936  30 %",
        "reading pictures  8,000 of 12,936  61 %",
        "reading pictures  12,000 of 12,936  92 %",
        "looking",
    ]


@pytest.mark.parametrize("talk", [BarTalk, PlainTalk])
@pytest.mark.parametrize("width", [80, 40])
def test_what_the_data_is_warned_of_is_told_whole(talk: type[BarTalk | PlainTalk], width: int) -> None:
    messages = [f"{n} identities have one picture: {'person_' * 9}{n}, another, and a third one" for n in range(9)]
    file, state = io.StringIO(), RunState()
    told = talk(Patient(file=file, width=width, force_terminal=True, color_system=None))
    for event in (started(), *(ev.Warned(step=0, code="data_alone", message=text) for text in messages)):
        state = fold(state, [event])
        told.tell(event, lambda state=state: state)
    told.close()
    text = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", file.getvalue())
    words = "".join(text.split())
    assert all("".join(message.split()) in words for message in messages)

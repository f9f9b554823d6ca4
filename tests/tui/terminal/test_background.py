"""Light or dark: who decides, and a terminal that answers, answers badly, late, or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reid_tui.tui import remembered
from reid_tui.tui.terminal import background
from reid_tui.tui.terminal.background import QUESTION, Answer, ask, decide_theme, read_answer, without_answers
from tests.tui.terminal.test_backlog import Pty

LIGHT, DARK = b"\x1b]11;rgb:fbfb/fcfc/fdfd\x1b\\", b"\x1b]11;rgb:0e0e/1111/1616\x07"
AT = b"\x1b[12;1R"
ASKS = "import os; from reid_tui.tui.terminal.background import ask; print(ask(os.environ), flush=True)"


@contextlib.contextmanager
def asking(code: str = ASKS, **environ: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A process that asks a terminal whose other end is ours."""
    master, slave = os.openpty()
    before = termios.tcgetattr(slave)
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=slave,
        text=True,
        env={**os.environ, "TERM": "xterm-256color", **environ},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    try:
        yield master, process
        assert process.wait(30) == 0
        assert termios.tcgetattr(slave) == before
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
        os.close(slave)
        os.close(master)


def asked(master: int) -> bytes:
    """What the terminal shows or is asked."""
    shown = b""
    while QUESTION not in shown:
        assert select.select([master], [], [], 30)[0], shown
        shown += os.read(master, 4096)
    return shown


def told(process: subprocess.Popen[str]) -> Answer:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("Answer("), line
    return eval(line)  # the process is ours


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parts", "answer"),
    [
        ([LIGHT + AT], Answer(light=True)),
        ([DARK, AT], Answer(light=False)),
        ([b"m0.5", LIGHT[:9], LIGHT[9:], b"5\r", AT], Answer(light=True, typed="m0.55\r")),
        ([AT], Answer(late=True)),
        ([b"\x1b]11;no idea\x07" + AT], Answer(late=True)),
        ([b"q\xff", LIGHT[:12] + AT], Answer(typed="q", late=True)),
        ([], Answer(late=True)),
        ([b"q", DARK[:9]], Answer(typed="q\x1b]11;rgb:", late=True)),
    ],
    ids=["light", "dark", "between keys", "no colour", "garbage", "half", "silent", "slow"],
)
def test_a_terminal_is_asked(parts: list[bytes], answer: Answer) -> None:
    with asking() as (master, process):
        assert asked(master) == QUESTION
        for part in parts:
            os.write(master, part)
            time.sleep(0.01)
        assert told(process) == answer
        assert not select.select([master], [], [], 0)[0], "it was shown what it answered"


@pytest.mark.slow
@pytest.mark.parametrize(
    "environ", [{"TERM": "linux"}, {"TERM": "dumb"}, {"TERM": ""}, {"TERM": "eterm-color"}, {"STY": "1.x"}]
)
def test_a_terminal_that_would_show_the_question_is_not_asked(environ: dict[str, str]) -> None:
    with asking(**environ) as (master, process):
        assert told(process) == Answer()
        assert not select.select([master], [], [], 0)[0]


def test_something_else_is_done_until_the_terminal_answers() -> None:
    code = (
        "import os, sys; from reid_tui.tui.terminal.background import ask\n"
        "print(ask(os.environ, lambda: (print('meanwhile', flush=True), sys.stdin.buffer.raw.read(1))), flush=True)"
    )
    with asking(code) as (master, process):
        assert process.stdout is not None
        assert process.stdout.readline() == "meanwhile\n"
        assert asked(master) == QUESTION
        os.write(master, b"." + LIGHT + AT)  # the first ends what is done meanwhile, which takes longer than any wait
        assert told(process) == Answer(light=True)


def test_without_a_terminal_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_terminal(*_: object) -> None:
        raise termios.error(25, "Inappropriate ioctl for device")

    monkeypatch.setattr(background.termios, "tcgetattr", no_terminal)
    assert ask({"TERM": "xterm"}) == Answer()


@pytest.mark.parametrize(
    ("color", "light"),
    [
        ("rgb:ffff/ffff/ffff", True),
        ("rgb:fd/f6/e3", True),
        ("rgba:0000/2b2b/3636/ffff", False),
        ("rgb:f/f/0", True),
        ("rgb:0000/0000/ffff", False),
        ("rgb:zz/zz/zz", None),
        ("", None),
    ],
)
def test_luminance_decides(color: str, light: bool | None) -> None:
    assert read_answer(f"\x1b]11;{color}\x07\x1b[1;1R") == Answer(light, "", late=light is None)


def test_only_answers_are_taken_out() -> None:
    typed = "\x1b[1;5Cm0.55\r\x1b]x\x1b\x1bOP"
    assert without_answers(typed) == (typed, "")
    assert without_answers("a\x1b]11;rgb:0/0/0\x1b\\b\x1b]11;1\x03c") == ("ab\x03c", "")
    for end in ("\x1b]", "\x1b]1", "\x1b]11;", "\x1b]11;rgb:ff", "\x1b]11;rgb:ff\x1b"):
        assert without_answers(f"a{end}") == ("a", end)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], None]:
    def set_answer(answer: Answer) -> None:
        monkeypatch.setattr(background, "ask", lambda *_: answer)

    return set_answer


def test_who_decides(answer: Callable[[Answer], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    answer(Answer())
    assert decide_theme("auto", {}) == ("dark", Answer())
    assert decide_theme("auto", {"COLORFGBG": "0;15"}) == ("light", Answer())
    assert decide_theme("auto", {"COLORFGBG": "0;default;7"})[0] == "light"
    assert decide_theme("auto", {"COLORFGBG": "15;0"})[0] == decide_theme("auto", {"COLORFGBG": "x"})[0] == "dark"
    dark = Answer(light=False, typed="q")
    answer(dark)
    assert decide_theme("auto", {"COLORFGBG": "0;15"}) == ("dark", dark)
    remembered.remember_theme("nord")
    assert decide_theme("auto", {}) == ("nord", Answer())
    assert decide_theme("light", {}) == ("light", Answer())
    remembered.remember_theme("auto")
    assert decide_theme("auto", {}) == ("dark", dark)


@pytest.mark.slow
def test_a_late_answer_presses_no_key(tmp_path: Path) -> None:
    terminal = Pty("-m", "tests.tui.unread_app", str(tmp_path / "diary"))
    try:
        terminal.until("TRAINING", "0.812", framed=True)
        for part in (LIGHT, b"\x1b]11;rgb:ff", b"ff/ffff/ffff\x1b", b"\\", DARK, AT, b"m"):
            os.write(terminal.master, part)
            time.sleep(0.15)
        terminal.until("esc leaves", "margin ─")
        os.write(terminal.master, b"0.55\r")
        terminal.until("margin 1.00 → 0.55", "1 loss", "2 map", framed=True)
        assert "T-shirt/top ·" not in terminal.text
    finally:
        terminal.end()


def test_what_is_typed_before_the_screen_is_there_is_not_lost(tmp_path: Path) -> None:
    terminal = Pty("-m", "tests.tui.unread_app", str(tmp_path / "diary"))
    try:
        shown = asked(terminal.master)
        os.write(terminal.master, b"3" + LIGHT + b"?" + AT)
        terminal.screen.feed(shown)
        terminal.until("esc closes")
        os.write(terminal.master, b"\x1b")
        terminal.until("TRAINING", "2 map", absent="3 distances", framed=True)
    finally:
        terminal.end()

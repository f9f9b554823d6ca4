"""What is said of a terminal."""

from __future__ import annotations

import sys

import pytest

from reid_tui.doctor.rows import Row
from reid_tui.doctor.screen import screen_rows

GOOD = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}


class Terminal:
    def isatty(self) -> bool:
        return True


def rows(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], size: tuple[int, int] = (80, 24)) -> dict[str, Row]:
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys, "stderr", Terminal())
    return {row.topic: row for row in screen_rows(environ, size)}


def test_a_good_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(rows(monkeypatch, GOOD).values()) == [
        Row("terminal", "ok", "80x24, TERM=xterm-256color"),
        Row("colours", "ok", "truecolor"),
        Row("glyphs", "ok", "braille"),
    ]


@pytest.mark.parametrize(
    ("environ", "topic", "status", "told"),
    [
        ({"TMUX": "x"}, "terminal", "ok", "in tmux"),
        ({"STY": "x"}, "terminal", "ok", "in screen"),
        ({"SSH_TTY": "/dev/pts/0"}, "terminal", "ok", "over SSH: 2 repaints a second"),
        ({"COLORTERM": "", "TERM": "linux"}, "colours", "note", "--color 256"),
        ({"COLORTERM": "", "TERM": "vt100"}, "colours", "note", "--color 256"),
        ({"NO_COLOR": "1"}, "colours", "ok", "NO_COLOR"),
        ({"TERM": "linux"}, "glyphs", "ok", "block"),
        ({"LANG": "C"}, "glyphs", "note", "--glyphs"),
        ({"TERM": "dumb"}, "terminal", "note", "reid-tui train"),
    ],
)
def test_what_it_can_show(
    environ: dict[str, str], topic: str, status: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = rows(monkeypatch, GOOD | environ)[topic]
    assert row.status == status
    assert told in f"{row.text}; {row.remedy}"


@pytest.mark.parametrize(
    ("size", "status"), [((60, 15), "ok"), ((59, 15), "note"), ((60, 14), "note"), ((0, 0), "note")]
)
def test_its_size(size: tuple[int, int], status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = rows(monkeypatch, GOOD, size)["terminal"]
    assert row.status == status
    assert ("60x15" in row.remedy) is (status == "note")


def test_without_a_terminal_that_alone_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    monkeypatch.setattr(sys, "stdin", open("/dev/null"))  # noqa: PTH123, SIM115
    assert list(screen_rows(GOOD, (80, 24))) == [
        Row("terminal", "note", "the dashboard needs a terminal", "without one use 'reid-tui train'")
    ]
    sys.stdin.close()

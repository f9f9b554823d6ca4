"""What the terminal can show, and that only the screen writes to it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import pytest

from reid_tui.config import ScreenOptions
from reid_tui.errors import UsageError
from reid_tui.tui.terminal import look as terminal
from reid_tui.tui.terminal.descriptors import _alike, redirected
from reid_tui.tui.terminal.look import (
    LOCAL_FPS,
    REMOTE_FPS,
    Look,
    check_terminal,
    decide_colors,
    decide_fps,
    decide_glyphs,
    decide_look,
    prepare_textual,
)


@pytest.mark.parametrize(
    ("asked", "environ", "colors"),
    [
        ("16", {"NO_COLOR": "1", "COLORTERM": "truecolor"}, "16"),
        ("auto", {"NO_COLOR": "1", "COLORTERM": "truecolor"}, "none"),
        ("auto", {"NO_COLOR": "", "COLORTERM": "truecolor"}, "truecolor"),
        ("auto", {"TERM": "screen", "TMUX": "x"}, "256"),
        ("auto", {"TERM": "screen", "STY": "x", "COLORTERM": "truecolor"}, "256"),
        ("auto", {"TERM": "screen", "TMUX": "x", "COLORTERM": "truecolor"}, "truecolor"),
        ("auto", {"TERM": "tmux-256color"}, "256"),
        ("auto", {"TERM": "xterm-256color"}, "256"),
        ("auto", {"TERM": "xterm-kitty"}, "truecolor"),
        ("auto", {"TERM": "xterm-direct"}, "truecolor"),
        ("auto", {"TERM": "linux"}, "16"),
        ("auto", {"TERM": "vt100"}, "none"),
        ("auto", {}, "16"),
    ],
)
def test_colors(asked: str, environ: dict[str, str], colors: str) -> None:
    assert decide_colors(asked, environ) == colors


@pytest.mark.parametrize(
    ("asked", "environ", "glyphs"),
    [
        ("block", {"LC_ALL": "C"}, "block"),
        ("auto", {"LC_ALL": "C", "LANG": "en_US.UTF-8"}, "ascii"),
        ("auto", {"LC_CTYPE": "C.UTF-8"}, "braille"),
        ("auto", {"LANG": "de_DE.utf8"}, "braille"),
        ("auto", {"LANG": "de_DE.utf8", "TERM": "linux"}, "block"),
        ("auto", {}, "ascii"),
    ],
)
def test_glyphs(asked: str, environ: dict[str, str], glyphs: str) -> None:
    assert decide_glyphs(asked, environ) == glyphs


@pytest.mark.parametrize("name", ["SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"])
def test_fewer_repaints_over_ssh_unless_asked(name: str) -> None:
    remote = {name: "192.0.2.1 50000 192.0.2.2 22", "TMUX": "x"}
    assert decide_fps(None, {"TERM": "xterm"}) == decide_fps(None, {name: ""}) == LOCAL_FPS
    assert decide_fps(None, remote) == REMOTE_FPS < LOCAL_FPS
    assert decide_fps(30, remote) == decide_fps(30, {}) == 30


def test_textual_is_told_before_it_is_imported() -> None:
    environ = {"NO_COLOR": "1", "COLUMNS": "80", "LINES": "24"}
    prepare_textual(decide_look(ScreenOptions(color="256"), environ), 60, environ)
    assert environ["TEXTUAL_COLOR_SYSTEM"] == "256"
    assert environ["TEXTUAL_FPS"] == "60"
    assert environ["TEXTUAL_ANIMATIONS"] == "none"
    assert "NO_COLOR" not in environ
    prepare_textual(Look("none", "ascii"), 1, environ)
    assert environ["NO_COLOR"] == "1"
    assert environ["TEXTUAL_FPS"] == "30"
    assert not {"COLUMNS", "LINES"} & set(environ)


class Stream:
    def __init__(self, *, tty: bool) -> None:
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty


@pytest.mark.parametrize(
    ("stdin", "stdout", "stderr", "term", "fine"),
    [
        (True, True, True, "xterm", True),
        (True, False, True, "xterm", True),
        (True, True, False, "xterm", False),
        (False, True, True, "xterm", False),
        (True, False, False, "xterm", False),
        (True, True, True, "dumb", False),
        (True, True, True, "", False),
    ],
)
def test_no_terminal_names_the_other_command(
    monkeypatch: pytest.MonkeyPatch, stdin: bool, stdout: bool, stderr: bool, term: str, fine: bool
) -> None:
    for name, tty in (("stdin", stdin), ("stdout", stdout), ("stderr", stderr)):
        monkeypatch.setattr(terminal.sys, name, Stream(tty=tty))
    if fine:
        check_terminal({"TERM": term})
    else:
        with pytest.raises(UsageError, match="reid-tui train"):
            check_terminal({"TERM": term})


def test_asking_for_the_dashboard_does_not_import_textual() -> None:
    code = "import sys, reid_tui.tui.app; assert not {'textual', 'torch', 'plotext'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_native_writes_go_to_the_log(tmp_path: Path) -> None:
    """In a process of its own: pytest has redirected fds 1 and 2 already."""
    log = tmp_path / "run.log"
    log.write_text("before\n")
    script = textwrap.dedent(f"""
        import logging, os, pathlib, sys, warnings
        from reid_tui.tui.terminal.descriptors import redirected
        with redirected(ascii_only=True) as descriptors:
            os.write(1, b"early native\\n")
            descriptors.follow(pathlib.Path({str(log)!r}))
            os.write(2, b"late native\\n")
            print("printed", file=sys.stderr, flush=True)
            logging.getLogger("x").warning("logged")
            warnings.warn("warned")
            descriptors.screen.write("on screen ─ \\u2800\\n")
            descriptors.screen.flush()
        print("after")
    """)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "after\n"
    assert done.stderr == "on screen - ?\n"
    text = log.read_text()
    assert text.startswith("before\nearly native\nlate native\nprinted\n")
    assert "logged" in text
    assert "warned" in text


@pytest.mark.parametrize("spool", ["a file", "no room for a file"])
def test_a_full_disk_costs_what_is_written_and_not_the_screen(spool: str) -> None:
    script = textwrap.dedent(f"""
        import contextlib, logging, os, pathlib, sys, tempfile
        from reid_tui.tui.terminal.descriptors import redirected
        if {spool!r} == "no room for a file":
            tempfile._candidate_tempdir_list = lambda: ["/dev/full"]
        with redirected(ascii_only=False) as descriptors:
            os.write(1, b"early native\\n")
            descriptors.follow(pathlib.Path("/dev/full"))
            logging.getLogger("x").warning("logged")
            with contextlib.suppress(OSError):
                print("printed", file=sys.stderr)
            with contextlib.suppress(OSError):
                print("printed", flush=True)
            descriptors.screen.write("on screen\\n")
        print("after")
    """)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.startswith("on screen\n")
    assert "Error" not in done.stderr
    assert done.stdout.endswith("after\n")


def test_everything_is_as_before_afterwards() -> None:
    handlers, shown, out = list(logging.getLogger().handlers), warnings.showwarning, (sys.__stdout__, sys.__stderr__)
    before = [os.fstat(name).st_ino for name in (1, 2)]
    with redirected(ascii_only=False):
        assert [os.fstat(name).st_ino for name in (1, 2)] != before
    assert [os.fstat(name).st_ino for name in (1, 2)] == before
    assert (list(logging.getLogger().handlers), warnings.showwarning) == (handlers, shown)
    assert (sys.__stdout__, sys.__stderr__) == out


@pytest.mark.parametrize(
    ("text", "plain"),
    [("╭─ é ▌", "+- e |"), ("日本", "????"), ("−0.1 → 2", "-0.1 > 2"), ("⣿", "?")],  # noqa: RUF001
)
def test_look_alikes_are_as_wide(text: str, plain: str) -> None:
    error = UnicodeEncodeError("ascii", text, 0, len(text), "no")
    assert _alike(error) == (plain, len(text))

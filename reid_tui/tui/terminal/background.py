"""Light or dark: what was asked for, what was chosen before, or what the terminal says of its own background.

The terminal is asked before Textual has it. Behind the question (OSC 11) goes one that every terminal answers, for the
cursor's position: once that answer is there, none to the first will come, and nobody waits any longer. Device
attributes would do as well, but Textual takes them for keys when they come late, and a position it passes over.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import termios
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reid_tui.tui.remembered import remembered_theme
from reid_tui.tui.terminal.look import is_remote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

QUESTION: Final = b"\x1b]11;?\x1b\\\x1b[6n"
WAIT_S: Final = 0.25
REMOTE_WAIT_S: Final = 0.75
_NEVER_ASKED: Final = re.compile(r"(linux|dumb|unknown|vt\d.*|cons.*|sun.*|eterm.*)?")
"""They show the question."""
_ANSWER: Final = re.compile(r"\x1b\](?:11;[^\x00-\x1f\x7f-\x9f]*(\x07|\x1b\\|\x1b\Z)?|1?1?\Z)")
"""An answer with its end, or as far as it has come."""
_COLOR: Final = re.compile(r"\x1b\]11;rgba?:([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})")
_POSITION: Final = re.compile(r"\x1b\[\d+;\d+R")
_LIGHT_FROM: Final = 0.5
"""Of a luminance in 0..1."""
_LIGHT_NUMBERS: Final = ("7", *map(str, range(9, 16)))
"""Among the sixteen colours."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came from the terminal when it was asked."""

    light: bool | None = None
    """Its background; None where it did not say."""
    typed: str = ""
    """What the person typed meanwhile."""
    late: bool = False
    """It was asked, and may still answer."""


def decide_theme(
    asked: str, environ: Mapping[str, str], meanwhile: Callable[[], None] = lambda: None
) -> tuple[str, Answer]:
    """`--theme`, then the last choice, the terminal's answer, COLORFGBG, dark.

    Args:
        asked: one of `config.THEMES`.
        environ: of the process.
        meanwhile: done while the terminal thinks, if it is asked.

    Returns:
        `dark`, `light` or the name of a theme, and what came from the terminal if that was asked.
    """
    if asked == "auto":
        asked = remembered_theme()
    if asked != "auto":
        return asked, Answer()
    answer = ask(environ, meanwhile)
    light = _by_number(environ) if answer.light is None else answer.light
    return "light" if light else "dark", answer


def ask(environ: Mapping[str, str], meanwhile: Callable[[], None] = lambda: None) -> Answer:
    """Ask the terminal at standard input and standard error; its settings are as before afterwards.

    GNU screen hands the question on and the answer back, but answers for itself what comes behind: it is not asked.

    Args:
        environ: of the process.
        meanwhile: done while the terminal thinks.
    """
    in_screen = "STY" in environ and "TMUX" not in environ
    if in_screen or _NEVER_ASKED.fullmatch(environ.get("TERM", "")):
        return Answer()
    try:
        before = termios.tcgetattr(0)
        if os.tcgetpgrp(0) != os.getpgrp() or not select.select([], [2], [], 0)[1]:
            return Answer()
        silent = termios.tcgetattr(0)
        silent[0] &= ~termios.ICRNL
        silent[3] &= ~(termios.ICANON | termios.ECHO)
        termios.tcsetattr(0, termios.TCSANOW, silent)
        try:
            os.write(2, QUESTION)
            until = time.monotonic() + (REMOTE_WAIT_S if is_remote(environ) else WAIT_S)
            meanwhile()
            received = _received(until)
        finally:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(0, termios.TCSANOW, before)
    except (OSError, termios.error):  # it goes away
        return Answer()
    return read_answer(received.decode(errors="ignore"))


def read_answer(received: str) -> Answer:
    """Tell the terminal's words from the person's."""
    light = None
    if color := _COLOR.search(received):
        red, green, blue = (int(part, 16) / (16 ** len(part) - 1) for part in color.groups())
        light = 0.2126 * red + 0.7152 * green + 0.0722 * blue >= _LIGHT_FROM
    kept, begun = without_answers(received)
    return Answer(light, _POSITION.sub("", kept) + begun, late=light is None)


def without_answers(text: str) -> tuple[str, str]:
    """What was typed without what a terminal answered; apart from it the answer at the end that is not whole yet."""
    kept, begun, position = "", "", 0
    for found in _ANSWER.finditer(text):
        kept += text[position : found.start()]
        position = found.end()
        if position == len(text) and found[1] not in ("\x07", "\x1b\\"):
            begun = found[0]
    return kept + text[position:], begun


def _received(until: float) -> bytes:
    """What has come, and what comes until the question behind is answered or time is up."""
    received = b""
    while not _POSITION.search(received.decode(errors="ignore")):
        left = max(until - time.monotonic(), 0)
        if not select.select([0], [], [], left)[0] or not (part := os.read(0, 4096)):
            break
        received += part
    return received


def _by_number(environ: Mapping[str, str]) -> bool:
    """COLORFGBG, such as `15;0`: of the background the last number tells."""
    return environ.get("COLORFGBG", "").rpartition(";")[2] in _LIGHT_NUMBERS

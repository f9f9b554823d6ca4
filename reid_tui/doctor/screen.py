"""The terminal: whether the dashboard can be drawn here, and how well."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from reid_tui.doctor.rows import Row, from_error
from reid_tui.errors import UsageError
from reid_tui.tui.layout import MIN_HEIGHT, MIN_WIDTH, too_small
from reid_tui.tui.terminal.look import check_terminal, decide_colors, decide_fps, decide_glyphs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def screen_size() -> tuple[int, int]:
    """Columns and lines of the terminal that the dashboard would be drawn on; zeros where that is not known."""
    try:
        return os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError):
        return 0, 0


def screen_rows(environ: Mapping[str, str], size: tuple[int, int]) -> Iterator[Row]:
    """Size, colours and glyphs; where there is no terminal, that alone."""
    try:
        check_terminal(environ)
    except UsageError as error:
        yield from_error("terminal", "note", error)
        return
    yield _terminal(environ, *size)
    yield _colors(environ)
    yield _glyphs(environ)


def _terminal(environ: Mapping[str, str], width: int, height: int) -> Row:
    facts = [f"{width}x{height}", f"TERM={environ['TERM']}"]
    if "TMUX" in environ or "STY" in environ:
        facts.append("in tmux" if "TMUX" in environ else "in screen")
    if (fps := decide_fps(None, environ)) < decide_fps(None, {}):
        facts.append(f"over SSH: {fps} repaints a second")
    if too_small(width, height):
        remedy = f"make it {MIN_WIDTH}x{MIN_HEIGHT} or larger for the dashboard, or use 'reid-tui train'"
        return Row("terminal", "note", ", ".join(facts), remedy)
    return Row("terminal", "ok", ", ".join(facts))


def _colors(environ: Mapping[str, str]) -> Row:
    colors = decide_colors("auto", environ)
    if colors == "none":
        if environ.get("NO_COLOR"):
            return Row("colours", "ok", "none, as NO_COLOR asks")
        return Row("colours", "note", "none", "if it has some, give --color 256 or set TERM to what the terminal is")
    if colors == "16":
        remedy = "if it has 256, give --color 256 or set TERM=xterm-256color: with 16 some classes look alike"
        return Row("colours", "note", "16", remedy)
    return Row("colours", "ok", colors)


def _glyphs(environ: Mapping[str, str]) -> Row:
    glyphs = decide_glyphs("auto", environ)
    if glyphs == "ascii":
        remedy = "set LANG=C.UTF-8, or give --glyphs braille where the terminal shows it"
        return Row("glyphs", "note", "ascii: the locale is not one of UTF-8", remedy)
    return Row("glyphs", "ok", glyphs)

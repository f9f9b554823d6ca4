"""What the terminal can show, and what Textual must be told before it is imported. Loads without Textual."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, cast

from reid_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from reid_tui.config import ScreenOptions

Colors = Literal["truecolor", "256", "16", "none"]
Glyphs = Literal["braille", "block", "ascii"]

_NO_SCREEN: Final = ("", "dumb", "unknown")
_TRUECOLOR_TERMS: Final = re.compile(r"direct|kitty|alacritty|foot|wezterm|ghostty|iterm2|vscode")
_256_TERMS: Final = re.compile(r"256color|^(xterm|screen|tmux|rxvt|konsole|putty|st|vte|gnome)\b")
_NO_COLOR_TERMS: Final = re.compile(r"^vt\d|-m$|mono")
_COLOR_SYSTEMS: Final[dict[Colors, str]] = {
    "truecolor": "truecolor",
    "256": "256",
    "16": "standard",
    "none": "standard",
}
LOCAL_FPS: Final = 4
REMOTE_FPS: Final = 2
"""Over SSH each byte is paid for by others too."""
MIN_FRAMES: Final = 30
"""A second: keys are answered at once, however seldom training is redrawn."""


@dataclass(frozen=True, slots=True)
class Look:
    """How the screen may be drawn."""

    colors: Colors
    glyphs: Glyphs
    theme: str = "dark"
    """`dark`, `light`, or the name of a theme that Textual knows."""


def check_terminal(environ: Mapping[str, str]) -> None:
    """Refuse to draw where nobody could see it or press a key.

    Raises:
        UsageError: stdin or stderr is no terminal, or TERM names one without a cursor.
    """
    term = environ.get("TERM", "")
    if not sys.stdin.isatty() or not sys.stderr.isatty():
        raise UsageError("the dashboard needs a terminal; without one use 'reid-tui train'")
    if term in _NO_SCREEN:
        raise UsageError(f"the dashboard cannot draw on TERM={term!r}; use 'reid-tui train'")


def decide_colors(asked: str, environ: Mapping[str, str]) -> Colors:
    """`--color` first, then NO_COLOR, COLORTERM and TERM. tmux and screen draw 256 whatever their TERM says."""
    if asked != "auto":
        return cast("Colors", asked)
    term = environ.get("TERM", "").lower()
    in_screen = "STY" in environ and "TMUX" not in environ
    if environ.get("NO_COLOR"):
        return "none"
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit") and not in_screen:
        return "truecolor"
    if "TMUX" in environ or in_screen:
        return "256"
    if _TRUECOLOR_TERMS.search(term):
        return "truecolor"
    if _NO_COLOR_TERMS.search(term):
        return "none"
    return "256" if _256_TERMS.search(term) else "16"


def decide_glyphs(asked: str, environ: Mapping[str, str]) -> Glyphs:
    """`--glyphs` first, then the locale; the Linux console's font has blocks but no braille."""
    if asked != "auto":
        return cast("Glyphs", asked)
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or ""
    if "utf" not in locale.lower():
        return "ascii"
    return "block" if environ.get("TERM") == "linux" else "braille"


def decide_fps(asked: int | None, environ: Mapping[str, str]) -> int:
    """Repaints a second: `--fps` first, then fewer over SSH. In tmux the variables may be of an earlier connection."""
    if asked is not None:
        return asked
    return REMOTE_FPS if is_remote(environ) else LOCAL_FPS


def is_remote(environ: Mapping[str, str]) -> bool:
    """Whether the terminal is at the other end of SSH."""
    return any(environ.get(name) for name in ("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"))


def decide_look(options: ScreenOptions, environ: Mapping[str, str]) -> Look:
    """Both decisions."""
    return Look(decide_colors(options.color, environ), decide_glyphs(options.glyphs, environ))


def prepare_textual(look: Look, fps: int, environ: MutableMapping[str, str] = os.environ) -> None:
    """Set what Textual reads when it is imported; later it has no effect."""
    environ["TEXTUAL_FPS"] = str(max(fps, MIN_FRAMES))
    environ["TEXTUAL_ANIMATIONS"] = "none"
    environ["TEXTUAL_SMOOTH_SCROLL"] = "0"
    for name in ("COLUMNS", "LINES"):  # some programs hand them on; the terminal itself knows better, also when resized
        environ.pop(name, None)
    environ["TEXTUAL_COLOR_SYSTEM"] = _COLOR_SYSTEMS[look.colors]
    if look.colors == "none":
        environ["NO_COLOR"] = "1"
    else:
        environ.pop("NO_COLOR", None)

"""Texts that try to drive a terminal."""

from __future__ import annotations

from typing import Final

MARKUP: Final = "[bold][@click=app.bell][/bold][/]"
HOSTILE: Final = (
    f"a\x1b[2J\x1b[31m{MARKUP}",
    "\x1b]52;c;aGk=\x07b[link=https://evil.example]x[/link]",
    "\x9b31m\x9d52;c;aGk=\x9cc",
    "\u202edlrow\u2066\u200b\u2028\ufeffd",
    "one\ntwo\r\x08\x7fe",
    "\x1bP+q544e\x1b\\\x1bcf",
    "🙂歩行者\U000e0041" + "g" * 300,
    "\udc9b2J\ud800h",
)
"""Escape, OSC 52, C1 alone, bidirectional, line ends, DCS and reset, wide and long, bytes that are no UTF-8."""
FOLDER: Final = "20261125-101500-\x1b]52;c;aGk=\x07\x9b31m\u202e\n[bold][@click=app.bell]🙂"

"""What a terminal was sent, taken apart: the kinds of its control sequences, and the text between them."""

from __future__ import annotations

import re
import unicodedata
from typing import Final, NamedTuple

_SEQUENCE: Final = re.compile(
    r"""
    \x1b\[ (?P<marker>[<=>?]?) [0-9;:]* (?P<between>[ -/]*) (?P<final>[@-~])
    | \x1b\] (?P<osc>\d*) (?P<told>[^\x07\x1b]*) (?:\x07|\x1b\\)
    | \x1b (?P<string>[PX^_]) [^\x1b]* \x1b\\
    | \x1b (?P<escape>[ -/]*[0-Z\\^-~])
    | (?P<other>[\x00-\x1f\x7f-\x9f\udc80-\udcff])
    """,
    re.VERBOSE,
)
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class Sent(NamedTuple):
    """The parts of what was written to a terminal."""

    kinds: set[str]
    """Of every sequence and single control character: `CSI ?h`, `OSC 2`, `ESC 7`, `0x0a`."""
    titles: set[str]
    """What operating system commands said."""
    text: str
    """All else, in the order in which it was written."""

    @property
    def invisible(self) -> set[str]:
        """Characters of the text that a person cannot see but that may reorder or hide others."""
        return {character for character in self.text if unicodedata.category(character) in _INVISIBLE}


def taken_apart(written: bytes) -> Sent:
    """Read what a terminal in UTF-8 was sent. A byte that is no UTF-8 is a control character of its own."""
    kinds, titles = set(), set()

    def note(match: re.Match[str]) -> str:
        if match["final"]:
            kinds.add(f"CSI {match['marker']}{match['between']}{match['final']}")
            return ""
        if match["osc"] is not None:
            kinds.add(f"OSC {match['osc']}")
            titles.add(match["told"])
            return ""
        if match["string"] or match["escape"]:
            kinds.add(f"ESC {match['string'] or match['escape']}")
            return ""
        kinds.add(f"0x{ord(match['other']):02x}")
        return "\n" if match["other"] == "\n" else ""

    text = _SEQUENCE.sub(note, written.decode(errors="surrogateescape"))
    return Sent(kinds, titles, text.replace("\n", ""))

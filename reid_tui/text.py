"""Text that comes from data, file names or other programs, made safe to print on a terminal."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

REPLACEMENT: Final = "\ufffd"
_FORMULA: Final = ("=", "+", "-", "@")
_NUMBER: Final = re.compile(r"[+-]?[0-9.]+")
_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: object, limit: int = 120) -> str:
    """One line that shows `text` and cannot move the cursor, change colours or reorder what stands beside it.

    Control, C1, escape, bidirectional, zero-width, newline, surrogate and unassigned characters each become U+FFFD.

    Args:
        text: anything; `str()` of it is taken.
        limit: most characters kept, >= 1; a longer text ends in an ellipsis.
    """
    clean = "".join(REPLACEMENT if unicodedata.category(c) in _UNPRINTABLE else c for c in str(text)[: limit + 1])
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def cell(text: str | None, limit: int = 4096) -> str:
    """What stands in a table that a spreadsheet may open: printable, and never taken for a formula.

    Args:
        text: None for nothing.
        limit: most characters kept.
    """
    clean = printable(text or "", limit)
    return f"'{clean}" if clean[:1] in _FORMULA and not _NUMBER.fullmatch(clean) else clean


def printable_lines(text: str, limit: int = 1000) -> str:
    """Several lines, each made `printable`."""
    return "\n".join(printable(line, limit) for line in text.split("\n"))

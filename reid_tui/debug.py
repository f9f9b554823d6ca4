"""Log messages and tracebacks, line by line safe to print: what `--debug` shows on stderr."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Final

from reid_tui.text import printable

_LONGEST: Final = 1000
"""Characters of a line."""


class SafeFormatter(logging.Formatter):
    """A message and its traceback, without anything that a terminal would interpret."""

    def format(self, record: logging.LogRecord) -> str:
        """As the base class, line by line safe to print."""
        return _safe(super().format(record))


def show_log() -> None:
    """Show messages from now on."""
    handler = logging.StreamHandler()
    handler.setFormatter(SafeFormatter(logging.BASIC_FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def show_traceback() -> None:
    """Show the exception that is being handled."""
    sys.stderr.write(_safe(traceback.format_exc()))


def _safe(text: str) -> str:
    return "\n".join(printable(line, _LONGEST) for line in text.split("\n"))

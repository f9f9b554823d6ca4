"""What `--debug` shows on stderr: log messages and tracebacks, line by line safe to print."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Final

from reid_tui.text import printable_lines

DEBUG: Final = "--debug"
"""May stand anywhere; taken out before the rest is parsed."""


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable_lines(super().format(record))


def show_log() -> None:
    """Show messages from now on."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter(logging.BASIC_FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def show_traceback() -> None:
    """Show the exception that is being handled."""
    sys.stderr.write(printable_lines(traceback.format_exc()))

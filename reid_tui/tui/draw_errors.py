"""What happens to an exception in drawing: it ends neither the screen nor the training, and it is not kept quiet."""

from __future__ import annotations

import logging
from typing import Final

from reid_tui.text import printable

_LOG: Final = logging.getLogger(__name__)
_LONGEST: Final = 400


class DrawErrors:
    """Of one part of the screen. The log gets a traceback when the exception is another one than before."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._last = ""

    def note(self, error: Exception) -> str:
        """Log it, and give the line to show; call it while the exception is handled."""
        text = f"{type(error).__name__}: {printable(error, _LONGEST)}"
        if text != self._last:
            _LOG.exception("%s cannot be drawn", self._part)
        self._last = text
        return text

    def over(self) -> None:
        """It was drawn."""
        self._last = ""

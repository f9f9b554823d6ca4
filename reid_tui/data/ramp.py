"""Brightness as ink, for pictures where there are no colours."""

from __future__ import annotations

from typing import Final

RAMP: Final = " .:-=+*#%@"


def ramp(brightness: float) -> str:
    """The character for 0 to below 256."""
    return RAMP[min(int(brightness / 256 * len(RAMP)), len(RAMP) - 1)]

"""Numbers, durations and cut text as a person reads them. All of it is one line and safe for a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, set_cell_size

from reid_tui.text import REPLACEMENT, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

UNKNOWN: Final = "\u2013"
"""An en dash: no value."""
MINUS: Final = "\u2212"
"""As wide as the plus sign."""
D_PRIME: Final = "d\u2032"
_LONG: Final = 1e6


def plain(value: float, digits: int = 3) -> str:
    """A number in at most `digits` significant digits, 5e-4 rather than 0.0005, an en dash where it is not finite."""
    if not math.isfinite(value):
        return UNKNOWN
    text = f"{value:.{digits}g}"
    if 0 < abs(value) < 1e-3 and "e" not in text:
        mantissa, exponent = f"{value:.{max(digits - 1, 0)}e}".split("e")
        text = f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{exponent}"
    return text.replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


def fixed(value: float, places: int) -> str:
    """A number with so many decimal places, 1.04e21 where that is long, an en dash where it is not finite."""
    return f"{value:.{places}f}" if abs(value) < _LONG else plain(value)


def likely(probability: float) -> str:
    """A probability in three decimal places, of which none is certain."""
    if 0.0005 <= probability < 0.9995:
        return f"{probability:.3f}"
    return "<0.001" if probability < 0.5 else ">0.999"


def name_of(identity: int, names: Sequence[str]) -> str:
    """As the data calls an identity, else its number."""
    return printable(names[identity]) if 0 <= identity < len(names) else f"identity {identity}"


def amount(value: float) -> str:
    """A margin: two decimals, more only where it has more; an en dash where it is not finite."""
    return fixed(value, 2) if not math.isfinite(value) or abs(value - round(value, 2)) < 1e-9 else plain(value, 4)


def count(value: int) -> str:
    """1234567 as 1,234,567."""
    return f"{value:,}"


def done_of(done: int, total: int) -> tuple[str, str]:
    """How much of something is done, `3,200 of 12,936`, and the share of it, `24 %`."""
    return f"{count(done)} of {count(total)}", f"{min(100 * done // max(total, 1), 100)} %"


def short_count(value: float) -> str:
    """950, 12.3k, 4.69M: at most five cells."""
    if abs(value) < 9999.5:
        return f"{value:.0f}"
    for divisor, unit in ((1e3, "k"), (1e6, "M"), (1e9, "G")):
        scaled = value / divisor
        if abs(scaled) < 999.5:
            return f"{scaled:.{0 if abs(scaled) >= 99.95 else 1 if abs(scaled) >= 9.995 else 2}f}{unit}"
    return plain(value, 1)


def rate(per_second: float) -> str:
    """Things per second, an en dash before the first measurement."""
    return short_count(per_second) if math.isfinite(per_second) and per_second > 0 else UNKNOWN


def duration(seconds: float) -> str:
    """0.4 s, 45 s, 3 min 05 s, 2 h 07 min, 3 d 04 h; an en dash where it is not known."""
    if not math.isfinite(seconds) or seconds < 0:
        return UNKNOWN
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600:02d} h"


def signed(value: float, places: int) -> str:
    """A difference with its sign, empty where it rounds to nothing or is not known."""
    if not math.isfinite(value) or round(value, places) == 0:
        return ""
    return f"{'+' if value > 0 else MINUS}{fixed(abs(value), places)}"


def fit(text: str, width: int) -> str:
    """Text of exactly `width` cells: padded, or cut with an ellipsis. Wide characters count twice."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(set_cell_size(text, width - 1).rstrip(" ") + "…", width)


__all__ = [
    "D_PRIME",
    "MINUS",
    "REPLACEMENT",
    "UNKNOWN",
    "amount",
    "count",
    "done_of",
    "duration",
    "fit",
    "fixed",
    "plain",
    "printable",
    "rate",
    "short_count",
    "signed",
]

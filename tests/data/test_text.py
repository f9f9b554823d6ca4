from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reid_tui.text import REPLACEMENT, printable


@given(st.text(max_size=300), st.integers(1, 200))
def test_anything_becomes_one_printable_line_of_limited_length(text: str, limit: int) -> None:
    found = printable(text, limit)
    assert len(found) <= limit
    assert "\n" not in found
    assert all(c == " " or c.isprintable() or c.isspace() for c in found)
    assert not set(found) & {"\x1b", "\x9b", "\u202e", "\u2028"}
    found.encode()


def test_harmless_text_stays() -> None:
    assert printable("Fußgänger 歩行者 [bold]") == "Fußgänger 歩行者 [bold]"


def test_each_dangerous_character_is_replaced() -> None:
    dangerous = "\x00\n\r\x1b\x7f\x85\x9b\u061c\u200b\u202e\u2028\u2066\ufeff\udc80"
    assert printable(dangerous) == REPLACEMENT * len(dangerous)


def test_long_text_ends_in_an_ellipsis() -> None:
    assert printable("x" * 500) == "x" * 119 + "…"
    assert printable("x" * 120) == "x" * 120

"""The small terminal that recordings are played on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reid_tui.bench.screen import Screen


def show(*parts: bytes, columns: int = 10, rows: int = 3) -> list[str]:
    screen = Screen(columns, rows)
    for part in parts:
        screen.feed(part)
    return [line.rstrip() for line in screen.lines()]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"one\r\ntwo", ["one", "two", ""]),
        (b"\x1b[2;3Hx\x1b[Hy", ["y", "  x", ""]),
        (b"\x1b[1;31;48;2;1;2;3mred\x1b[0m", ["red", "", ""]),
        (b"\x1b[?1049h\x1b[?2026hin\x1b[?2026l", ["in", "", ""]),
        (b"\x1b]2;title\x07a\x1b]0;other\x1b\\b\x1bP+q\x1b\\c", ["abc", "", ""]),
        (b"abc\x1b[2D\x1b[Kd", ["ad", "", ""]),
        (b"abc\x1b[1;2H\x1b[1KX", [" Xc", "", ""]),
        (b"abc\x1b[2J", ["", "", ""]),
        (b"abc\r\ndef\r\nghi\x1b[2;2H\x1b[J", ["abc", "d", ""]),
        (b"abc\r\ndef\r\nghi\x1b[2;2H\x1b[1J", ["", "  f", "ghi"]),
        (b"\x1b[2Bdown\x1b[A\x1b[2G.\x1b[Cx\x1b[1d!\b?", ["    ?", " . x", "down"]),
        ("╭─é⣿".encode(), ["╭─é⣿", "", ""]),
        ("日本x".encode(), ["日本x", "", ""]),
        (b"0123456789beyond\x1b[9;1Hbelow", ["0123456789", "", ""]),
    ],
)
def test_shows(data: bytes, lines: list[str]) -> None:
    assert show(data) == lines
    assert show(*(data[index : index + 1] for index in range(len(data)))) == lines


@given(st.lists(st.binary(max_size=20), max_size=10))
def test_any_bytes_leave_a_grid(parts: list[bytes]) -> None:
    screen = Screen(8, 4)
    for part in parts:
        screen.feed(part)
    assert len(screen.lines()) == 4

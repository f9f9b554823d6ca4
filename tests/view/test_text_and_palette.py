from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from reid_tui.view.grid import Grid, Look
from reid_tui.view.palette import IDENTITY_COLORS, ChartStyle, identity_letter, sgr_codes
from reid_tui.view.text import amount, count, duration, fit, fixed, likely, plain, rate, short_count, signed
from tests.view.samples import stripped


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        (plain(0.001), "0.001"),
        (plain(0.0005), "5e-4"),
        (plain(0.000123456), "1.23e-4"),
        (plain(1e6), "1e6"),
        (plain(math.nan), "\u2013"),
        (amount(1.0), "1.00"),
        (likely(0.9994), "0.999"),
        (likely(0.99998), ">0.999"),
        (likely(0.0), "<0.001"),
        (amount(1.125), "1.125"),
        (amount(math.inf), "\u2013"),
        (fixed(0.12345, 3), "0.123"),
        (fixed(1038066062572528861184.0, 4), "1.04e21"),
        (fixed(-math.inf, 4), "\u2013"),
        (fixed(math.nan, 4), "\u2013"),
        (count(1234567), "1,234,567"),
        (short_count(950), "950"),
        (short_count(9999), "9999"),
        (short_count(12_345), "12.3k"),
        (short_count(999_999), "1.00M"),
        (short_count(4_690_000), "4.69M"),
        (rate(0), "\u2013"),
        (rate(6400.4), "6400"),
        (duration(0.44), "0.4 s"),
        (duration(59.6), "1 min 00 s"),
        (duration(185), "3 min 05 s"),
        (duration(7620), "2 h 07 min"),
        (duration(273_600), "3 d 04 h"),
        (duration(math.nan), "\u2013"),
        (signed(0.0124, 3), "+0.012"),
        (signed(-0.5, 1), "\u22120.5"),
        (signed(0.0001, 3), ""),
        (signed(math.nan, 3), ""),
        (signed(-1.5e9, 4), "\u22121.5e9"),
        (fit("abc", 5), "abc  "),
        (fit("abcdef", 4), "abc…"),
        (fit("人人人", 4), "人… "),
        (fit("x", 0), ""),
    ],
)
def test_numbers_read_well(got: str, wanted: str) -> None:
    assert got == wanted


@given(st.floats(0, 1e12))
def test_short_counts_are_short(value: float) -> None:
    assert len(short_count(value)) <= 5


@given(st.text(), st.integers(0, 20))
def test_fit_is_exact(text: str, width: int) -> None:
    assert cell_len(fit(text, width)) == width


def test_ten_colours_differ_in_every_mode() -> None:
    assert len(set(IDENTITY_COLORS)) == 10
    for style in (ChartStyle(), ChartStyle.light()):
        inks = [style.identity(index) for index in range(10)]
        for colors in ("truecolor", "256", "16"):
            assert len({sgr_codes(ink, colors) for ink in inks}) == 10
        assert style.identity(13) == style.identity(3)


def test_codes_of_each_mode() -> None:
    ink = ChartStyle().ink("muted")
    assert sgr_codes(ink, "truecolor", background=True).startswith("48;2;")
    assert sgr_codes(ink, "256").startswith("38;5;")
    assert (sgr_codes(ink, "16"), sgr_codes(ink, "16", background=True)) == ("90", "100")
    assert (sgr_codes(ink, "none"), sgr_codes(ChartStyle().ink("same"), "none")) == ("2", "")


def test_letters() -> None:
    assert [identity_letter(index) for index in (0, 9, 10, 35, 36, 61, 62)] == ["0", "9", "a", "z", "A", "Z", "0"]


def test_wide_and_combining_characters_keep_the_width() -> None:
    grid = Grid(6, 3, ChartStyle())
    grid.text(0, 0, "a人b人", Look(bold=True))
    grid.text(0, 1, "e\u0301人人人人")
    grid.text(0, 2, "人人人")
    grid.put(1, 2, "x")
    grid.put(2, 2, "y")
    assert stripped(grid.lines()) == ["a人b人", "e人人 ", " xy 人"]
    assert all(cell_len(line) == 6 for line in stripped(grid.lines()))


def test_colours_end_with_the_line_and_change_only_where_needed() -> None:
    grid = Grid(6, 2, ChartStyle(colors="16"))
    look = grid.inked("margin")
    grid.text(0, 0, "ab cd", look)
    assert grid.lines() == ["\x1b[93mab cd \x1b[0m", "      "]

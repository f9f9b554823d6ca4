"""What may stand in a run's name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reid_tui.config import parse_name
from reid_tui.data.folders.listing import run_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("crops", "crops"),
        ("Market-1501-v15.09.15", "Market-1501-v15.09.15"),
        ("my crops (2024)", "my-crops-2024"),
        ("Jérôme", "Jerome"),
        (".hidden", "hidden"),
        ("歩行者", "otherwise"),
        ("", "otherwise"),
        ("a" * 255, "a" * 64),
    ],
)
def test_a_folders_name_becomes_a_runs(text: str, name: str) -> None:
    assert run_name(text, "otherwise") == name


@given(st.text())
def test_every_name_may_name_a_run(text: str) -> None:
    parse_name(run_name(text, "folder"))

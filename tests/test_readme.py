"""What the README says of keys, options and files is what the program has."""

from __future__ import annotations

import re
from pathlib import Path

from reid_tui.data.catalog import SPECS
from reid_tui.tui.keys import markdown_table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_keys() -> None:
    between = re.search(r"<!-- keys -->\n(.*?)\n<!-- /keys -->", README, re.S)
    assert between is not None
    assert between[1].strip() == markdown_table()


def test_pictures_exist() -> None:
    shown = re.findall(r"\]\((screenshots/[^)]+)\)", README)
    assert len(shown) >= 5
    assert all((ROOT / name).is_file() for name in shown)


def test_every_data_set_is_named() -> None:
    assert all(f"`{name}`" in README for name in SPECS)


def test_the_two_commands() -> None:
    assert "pip install uv && uv run reid-tui" in README
    assert "pip install uv && uv run pytest" in README

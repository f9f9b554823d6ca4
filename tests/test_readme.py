"""What the README says of keys, options and files is what the program has."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from reid_tui.data.catalog import SPECS
from reid_tui.training.events import EVENT_TYPES
from reid_tui.tui.keys import markdown_table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_keys() -> None:
    between = re.search(r"<!-- keys -->\n(.*?)\n<!-- /keys -->", (ROOT / "docs" / "keys.md").read_text(), re.S)
    assert between is not None
    assert between[1].strip() == markdown_table()


def test_pictures_exist() -> None:
    pages = [README, *(path.read_text() for path in (ROOT / "docs").iterdir())]
    shown = [name for page in pages for name in re.findall(r"\]\((?:\.\./)?(screenshots/[^)]+)\)", page)]
    assert len(shown) >= 5
    assert all((ROOT / name).is_file() for name in shown)


def test_pages_that_are_linked_exist_and_none_is_forgotten() -> None:
    linked = set(re.findall(r"\]\((docs/[^)#]+)(?:#[^)]*)?\)", README))
    assert linked == {f"docs/{path.name}" for path in (ROOT / "docs").iterdir()}
    assert len(README.splitlines()) <= 200


def test_every_event_and_field_is_told() -> None:
    page = (ROOT / "docs" / "events.md").read_text()
    for name, kind in EVENT_TYPES.items():
        fields = {field.name for field in dataclasses.fields(kind) if field.compare}
        assert all(f"`{word}`" in page for word in (name, *fields)), name


def test_every_data_set_is_named() -> None:
    assert all(f"`{name}`" in README for name in SPECS)


def test_the_two_commands() -> None:
    assert "pip install uv && uv run reid-tui" in README
    assert "pip install uv && uv run pytest" in README

"""The theme that was chosen last is there at the next start, and nothing breaks where it cannot be kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from reid_tui.tui.remembered import remember_theme, remembered_theme

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the folder is named by XDG_STATE_HOME")


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "reid-tui"


def test_the_last_choice_is_kept_privately(state: Path) -> None:
    assert remembered_theme() == "auto"
    for name in ("nord", "light"):
        remember_theme(name)
        assert remembered_theme() == name
    assert [path.name for path in state.iterdir()] == ["theme"]
    assert (state / "theme").stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("content", [b"", b"pink\n", b"\xff\xfe", b"nord" * 100, b"\x1b]11;?\x07"])
def test_what_is_no_theme_is_no_choice(content: bytes, state: Path) -> None:
    state.mkdir(parents=True)
    (state / "theme").write_bytes(content)
    assert remembered_theme() == "auto"


def test_where_it_cannot_be_kept_it_is_forgotten(state: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    state.parent.write_text("a file where the folder would be")
    remember_theme("nord")
    assert remembered_theme() == "auto"
    state.parent.unlink()
    (state / "theme").mkdir(parents=True)
    remember_theme("nord")
    assert remembered_theme() == "auto"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # nobody knows this user
    monkeypatch.chdir(tmp_path)
    remember_theme("nord")
    assert remembered_theme() == "auto"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state"]

"""The theme that was chosen last, in the person's own state folder. Without one it is forgotten, which is no error."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import platformdirs

from reid_tui.config import THEMES
from reid_tui.files import PRIVATE_FOLDER, read_regular, write_whole

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST: Final = 64
"""Bytes."""


def remembered_theme() -> str:
    """One of `config.THEMES`; `auto` where none was chosen, or what is there is none."""
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        name = read_regular(_file(), _LONGEST).decode().strip()
        if name in THEMES:
            return name
    return "auto"


def remember_theme(name: str) -> None:
    """Keep it for the next start; `auto` leaves the choice to the terminal again."""
    with contextlib.suppress(OSError, RuntimeError):
        path = _file()
        path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        write_whole(path, f"{name}\n".encode(), durable=False)


def _file() -> Path:
    folder = platformdirs.user_state_path("reid-tui", appauthor=False)
    if not folder.is_absolute():
        raise FileNotFoundError("no home")
    return folder / "theme"

"""Where the files of a data set may lie, and which of them is there. Reads no content."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs

from reid_tui.errors import DataError
from reid_tui.text import printable

if TYPE_CHECKING:
    from reid_tui.data.idx.format import IdxFile
    from reid_tui.data.idx.sets import IdxSource

ENVIRONMENT: Final = "REID_TUI_DATA"


@dataclass(frozen=True, slots=True)
class Places:
    """Folders in the order in which they are searched."""

    bases: tuple[Path, ...]
    """Asked for, from the environment, the user's own; each is searched with its known subfolders."""
    store: Path
    """Where fetched files go."""
    system: bool = True
    """Whether folders of installed packages are searched after `bases`."""

    def folders(self, source: IdxSource) -> tuple[Path, ...]:
        """Every folder in which a file of `source` may lie, in order, none twice."""
        found = [
            folder for base in self.bases for folder in (base, base / source.name, base / source.torchvision / "raw")
        ]
        if self.system:
            found += [Path(folder) for folder in source.system]
        return tuple(dict.fromkeys(found))


def places(data_dir: str | None) -> Places:
    """The folders for this process: `data_dir`, the environment's, the user's data folder.

    Raises:
        DataError: `data_dir` or the environment's folder is something else than a folder.
    """
    bases: list[Path] = []
    for label, text in (("--data-dir", data_dir), (ENVIRONMENT, os.environ.get(ENVIRONMENT))):
        if not text:
            continue
        base = _folder(label, text)
        bases.append(base)
    user = platformdirs.user_data_path("reid-tui", appauthor=False)
    return Places(bases=tuple(dict.fromkeys([*bases, user])), store=bases[0] if bases else user)


def _folder(label: str, text: str) -> Path:
    try:
        base = Path(text).expanduser()
        if base.exists() and not base.is_dir():
            raise DataError(f"{label} {printable(text, 400)} is not a folder; name the folder that holds the files")
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"{label} {printable(text, 400)} cannot be used: {printable(error)}") from error
    return base


def find(folders: tuple[Path, ...], file: IdxFile) -> Path | None:
    """The first place where `file` lies, whole or not; an unreadable folder counts as empty."""
    for folder in folders:
        for name in file.names:
            path = folder / name
            try:
                if path.is_file():
                    return path
            except OSError:
                continue
    return None

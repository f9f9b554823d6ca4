"""Where the files of a data set may lie, and which of them is there. Reads no content."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs

from reid_tui.errors import DataError, why
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
    store: Path | None
    """Where fetched files go; None where no folder was named and the user has no home."""
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
        DataError: the first that was named is something else than a folder; later ones are left out then.
    """
    bases: list[Path] = []
    for label, text in (("--data-dir", data_dir), (ENVIRONMENT, os.environ.get(ENVIRONMENT))):
        if text:
            try:
                bases.append(_folder(label, text))
            except DataError:
                if not bases:
                    raise
    bases += user_folder()
    return Places(bases=tuple(dict.fromkeys(bases)), store=bases[0] if bases else None)


def user_folder() -> list[Path]:
    """The user's own, which need not exist; none for one without a home."""
    try:
        folder = platformdirs.user_data_path("reid-tui", appauthor=False)
    except RuntimeError:
        return []
    return [folder] if folder.is_absolute() else []


def _folder(label: str, text: str) -> Path:
    try:
        base = Path(text).expanduser()
        is_folder = stat.S_ISDIR(base.stat().st_mode)
    except FileNotFoundError:  # it is made where something is fetched
        return base
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(
            f"{label} {printable(text, 400)} cannot be used: {why(error)}; name the folder that holds the files"
        ) from error
    if not is_folder:
        raise DataError(f"{label} {printable(text, 400)} is not a folder; name the folder that holds the files")
    return base


def find(folders: tuple[Path, ...], file: IdxFile) -> Path | None:
    """The first place where `file` lies, whole or not, and may be read; one that may not be read where no other is."""
    closed: Path | None = None
    for path in (folder / name for folder in folders for name in file.names):
        try:
            if path.is_file():
                if os.access(path, os.R_OK):
                    return path
                closed = closed or path
        except OSError:  # an unreadable folder counts as empty
            continue
    return closed

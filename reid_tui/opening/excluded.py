"""A run's own copy of the table of images that it goes without: the table may be that of a run that is removed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reid_tui.errors import RunError, advice
from reid_tui.files import write_whole

if TYPE_CHECKING:
    from reid_tui.config import RunConfig, RunOptions
    from reid_tui.runs.directory import RunDirectory

COPY: Final = "excluded.csv"


def copied(config: RunConfig, run: RunDirectory) -> RunConfig:
    """Take the table, if there is one, into the run's folder; the settings name it there.

    Raises:
        RunError: it cannot be written.
    """
    if config.exclude is None:
        return config
    path = (run.path / COPY).absolute()
    try:
        write_whole(path, Path(config.exclude).read_bytes())
    except OSError as error:
        raise RunError(f"cannot write {str(path)!r}: {advice(error, '')}") from error
    return replace(config, exclude=str(path))


def with_copy(options: RunOptions, run: RunDirectory) -> RunOptions:
    """Options that name the run's own table, wherever its folder lies by now, unless they name another one."""
    path = (run.path / COPY).absolute()
    return replace(options, exclude=str(path)) if options.exclude is None and path.is_file() else options

"""Where a run will lie, found out before anything is loaded or shown. Loads without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reid_tui.errors import CheckpointError
from reid_tui.runs.directory import RunDirectory, check_writable, locate_run, runs_named
from reid_tui.runs.lock import check_free
from reid_tui.training.manifest import read_manifest

if TYPE_CHECKING:
    from reid_tui.config import RunOptions


def check_place(options: RunOptions) -> None:
    """See that the run to go on with is there, or that a new one can be made; changes nothing.

    Raises:
        RunError: it is not, or cannot.
    """
    runs_dir = Path(options.runs_dir)
    if options.resume is not None:
        locate_run(options.resume, runs_dir)
    elif options.resume_or_start is None or newest_to_go_on(options.resume_or_start, runs_dir) is None:
        check_writable(runs_dir)


def newest_to_go_on(name: str, runs_dir: Path) -> Path | None:
    """The newest run by a name that has a checkpoint, by the manifests; None where there is none.

    Raises:
        RunError: a process trains one of that name, with a checkpoint or not; or the runs folder cannot be read.
    """
    named = runs_named(name, runs_dir)
    for path in named:
        check_free(RunDirectory(path).lock)
    return next((path for path in named if _can_go_on(RunDirectory(path))), None)


def _can_go_on(run: RunDirectory) -> bool:
    return run.config.is_file() and any(_is_whole(path) for path in run.checkpoints.glob("step-*.json"))


def _is_whole(manifest: Path) -> bool:
    try:
        told = read_manifest(manifest)
        size = manifest.with_suffix(".safetensors").stat().st_size
    except (CheckpointError, OSError):
        return False
    return size in (told.size, told.replaces and told.replaces.size)

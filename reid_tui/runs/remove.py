"""Removing a run: its whole folder, nothing outside it, and never under a process that writes it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from reid_tui.errors import RunError
from reid_tui.runs.directory import RunDirectory, locate_run
from reid_tui.runs.lock import RunLock, check_free

if TYPE_CHECKING:
    from pathlib import Path


def find_removable(spec: str, runs_dir: Path) -> Path:
    """Find a run that may be removed; change nothing.

    Returns:
        Its folder, a real one, by its full path.

    Raises:
        RunError: there is none, it is a link, it does not look like a run, or a process writes it.
    """
    path = locate_run(spec, runs_dir, begun=False)
    if path.is_symlink():
        raise RunError(f"{str(path)!r} is a link to {str(path.readlink())!r}; remove the link itself with 'rm'")
    path = path.resolve()
    run = RunDirectory(path)
    in_runs_dir = _is(path.parent, runs_dir)
    ours = run.config.exists() and any(item.exists() for item in (run.events, run.checkpoints, run.lock))
    if not in_runs_dir and not ours:
        raise RunError(f"{str(path)!r} does not look like a run: it lacks a config.json, or log and checkpoints")
    check_free(run.lock)
    return path


def _is(folder: Path, given: Path) -> bool:
    try:
        return folder.samefile(given)
    except (OSError, ValueError):  # of a link that leads nowhere, or no path at all
        return False


def remove_run(path: Path) -> None:
    """Remove a run's folder and all that is in it. Links in it are removed, not followed.

    The lock is held meanwhile, and config.json goes last: a removal that was cut short leaves a run that can be
    listed and removed again. Who waits for the lock finds the run gone.

    Args:
        path: as `find_removable` found it.

    Raises:
        RunError: a process has begun to write it, or something in it cannot be removed.
    """
    run = RunDirectory(path)
    lock = RunLock(run.lock)
    last = (run.config.name, run.lock.name)
    try:
        with os.scandir(path) as entries:
            others = [entry for entry in entries if entry.name not in last]
        for entry in others:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                (path / entry.name).unlink()
        run.lock.unlink()
        if not run.config.is_dir():
            run.config.unlink(missing_ok=True)
        shutil.rmtree(path)
    except OSError as error:
        what = error.filename or path
        raise RunError(f"cannot remove {str(what)!r}: {error.strerror}; the rest of the run is still there") from error
    finally:
        lock.release()

"""What is known of the runs in a folder, from their files and locks alone. Loads without torch and numpy."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from reid_tui.config import WITHOUT_MARGIN
from reid_tui.errors import RunError
from reid_tui.runs.directory import RunDirectory, none_to_see, run_folders
from reid_tui.runs.lock import holder
from reid_tui.runs.log_end import ENDS, LogEnd, number, read_end, whole
from reid_tui.runs.start import started

if TYPE_CHECKING:
    from collections.abc import Iterator

RunStatus = Literal["running", "paused", "finished", "stopped", "diverged", "failed", "crashed", "unreadable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One run. Texts are as they stand on disk, not yet safe to print; None where a value is not known."""

    path: Path
    status: RunStatus
    pid: int | None
    """Of the process that holds the run; 0 where it is held by one that gave no number."""
    data: str | None
    step: int | None
    """Optimiser steps done."""
    total_steps: int | None
    loss: float | None
    """Of the newest step whose loss was finite."""
    map: float | None
    """Of the newest evaluation."""
    map_step: int | None
    """Where that one was."""
    margin: float | None
    started: float
    """Unix seconds."""
    time: float | None
    """Unix seconds of the last event."""
    size: int
    """Bytes of all its files."""

    @property
    def name(self) -> str:
        """By which other commands find it."""
        return self.path.name

    @property
    def age_s(self) -> float | None:
        """Seconds since the last event, never below 0 where the clock was set back."""
        return None if self.time is None else max(0.0, time.time() - self.time)


def list_runs(runs_dir: Path) -> list[RunSummary]:
    """The runs in a folder, newest first, as `latest` takes them; none where there is no folder.

    Raises:
        RunError: it is no folder, or cannot be read.
    """
    return [summarize(folder) for folder in run_folders(runs_dir)]


def newest_running(runs_dir: Path) -> Path:
    """The newest run that a process holds.

    Raises:
        RunError: there is none, or the folder cannot be read.
    """
    folders = run_folders(runs_dir)
    ours = [folder for folder in folders if not RunDirectory(folder).closed]
    for folder in ours:
        if holder(RunDirectory(folder).lock) is not None:
            return folder
    if folders and not ours:
        raise RunError(none_to_see(runs_dir, folders))
    remedy = f"'reid-tui attach {ours[0].name}' shows the newest" if ours else "start one with 'reid-tui'"
    unseen = " that is readable for you" if len(ours) < len(folders) else ""
    raise RunError(f"no run in {str(runs_dir)!r}{unseen} is running; {remedy}")


def summarize(path: Path) -> RunSummary:
    """What is known of the run at a path, however damaged its files are."""
    run = RunDirectory(path)
    # The lock is asked before the log: a run that ends in between has then written its end already.
    pid = holder(run.lock)
    end = read_end(run.events)
    status = "unreadable" if run.closed else _status(end, pid)
    if status == "crashed" and (pid := holder(run.lock)) is not None:
        status = "running"
    written = run.read_config()
    config, dataset = _object(written, "config"), _object(written, "dataset")
    start = end.start or {}
    margin = end.margin if end.margin is not None else number(config.get("margin"))
    if _text(config.get("loss")) in WITHOUT_MARGIN:
        margin = None
    return RunSummary(
        path=path,
        status=status,
        pid=pid,
        data=_text(dataset.get("name")) or _text(config.get("data")) or _text(_object(start, "dataset").get("name")),
        step=end.step,
        total_steps=_total_steps(end, config),
        loss=end.loss,
        map=end.map,
        map_step=end.map_step,
        margin=margin,
        started=started(run),
        time=end.time,
        size=sum(_sizes(path)),
    )


def _status(end: LogEnd, pid: int | None) -> RunStatus:
    if pid is None:
        # Only the event that came last may be an end: what was resumed after one and then killed has crashed.
        return end.mark if end.mark in ENDS else "crashed"  # type: ignore[return-value]
    start = end.start if end.start_is_newest else None
    if start is not None and pid and start.get("pid") != pid:
        return "running"  # The holder still loads; the log is about the process before it.
    if end.mark in ENDS and end.mark != "diverged":
        return "running"
    match end.steered:
        case "paused" | "diverged" as status:
            return status
    return "running"


def _total_steps(end: LogEnd, config: dict[str, Any]) -> int | None:
    """Planned steps. A resume may have changed them after a start that lies far back; config.json then knows better."""
    start = end.start or {}
    told = whole(start.get("total_steps"))
    epochs, per_epoch = whole(config.get("epochs")), whole(start.get("steps_per_epoch"))
    if end.start_is_newest or epochs is None or per_epoch is None:
        return told if told is not None else whole(config.get("steps"))
    steps = whole(config.get("steps"))
    return epochs * per_epoch if steps is None else min(steps, epochs * per_epoch)


def _object(value: dict[str, Any], key: str) -> dict[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _sizes(folder: Path) -> Iterator[int]:
    """Bytes of each file below a folder, links not followed; what vanishes meanwhile does not count."""
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                found = Path(parent, name).lstat()
            except OSError:
                continue
            if stat.S_ISREG(found.st_mode):
                yield found.st_size

"""Short runs on the tiny data: eight steps an epoch, three epochs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reid_tui.config import RunOptions
from reid_tui.engine import run_training
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training.channels import CommandBox


def begin(runs: Path, *, stop_at: int | None = None, save: bool = True, **asked: Any) -> list[ev.AnyEvent]:
    """Train to the end, or to a stop; what was told, the end last."""
    told: list[ev.AnyEvent] = []
    inbox = CommandBox()

    def listen(event: ev.AnyEvent) -> None:
        told.append(event)
        if isinstance(event, ev.Progress) and stop_at is not None and event.step >= stop_at:
            inbox.put(cmd.Stop(save=save))

    options = {"device": "cpu", "runs_dir": str(runs), "batch_size": 16, **asked}
    end = run_training(RunOptions(**options), listen, inbox, steerable=False)
    assert type(told[-1]) is type(end)
    return told


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file but the lock, which names whoever held it last."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "lock"}

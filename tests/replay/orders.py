"""Runs that are given commands at their steps, and what they tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reid_tui.config import RunOptions
from reid_tui.engine import run_training
from reid_tui.runs.directory import locate_run
from reid_tui.runs.log import read_events
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training.channels import CommandBox
from reid_tui.training.checkpoint import load_latest, weights_sha256

Orders = dict[int, list[cmd.Command]]
SETTINGS: dict[str, Any] = {"epochs": 3, "batch_size": 16, "seed": 3}
Say = Callable[..., tuple[int, str, str]]


def go(folder: Path, orders: Orders, **options: Any) -> ev.AnyEvent:
    """Train, and give commands when the progress of a step is told: they act from the next step on."""
    inbox = CommandBox()

    def hear(event: ev.AnyEvent) -> None:
        if isinstance(event, ev.Progress | ev.Diverged):
            for command in orders.pop(event.step, ()):
                inbox.put(command, "attach 42")

    if "resume" not in options:
        options = {**SETTINGS, "name": "run", **options}
    return run_training(RunOptions(runs_dir=str(folder), **options), hear, inbox, steerable=True)


def told(folder: Path, run: str, *kinds: type[ev.AnyEvent]) -> list[Any]:
    return [event for event in read_events(locate_run(run, folder) / "events.jsonl") if isinstance(event, kinds)]


def turns(folder: Path, run: str) -> list[tuple[int, float]]:
    return [(event.step, event.new) for event in told(folder, run, ev.MarginChanged, ev.LrChanged)]


def digest(folder: Path, run: str) -> str:
    return weights_sha256(load_latest(locate_run(run, folder) / "checkpoints")[0].tensors)


def edit_log(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
    path = locate_run("run", folder) / "events.jsonl"
    lines = [change(json.loads(line)) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines if line is not None))

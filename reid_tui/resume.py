"""Taking a run up again: finding and locking it, its newest good checkpoint, and what may not have changed meanwhile.

Imports torch inside functions.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reid_tui.config import RunConfig, RunOptions, flag
from reid_tui.errors import CheckpointError, RunError
from reid_tui.runs.directory import RunDirectory, locate_run, tidy
from reid_tui.runs.follow import EventFollower
from reid_tui.runs.lock import RunLock
from reid_tui.runs.log_end import read_end
from reid_tui.runs.snapshots import NewestPictures
from reid_tui.training.events import Listener, ends_run

if TYPE_CHECKING:
    import contextlib

    from reid_tui.data.dataset import Dataset
    from reid_tui.training.checkpoint import Checkpoint, Manifest

CHANGEABLE = frozenset({"epochs", "steps", "eval_every"})
"""What a resumed run may do otherwise without being another run."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """A run that is taken up, and the checkpoint that it goes on from."""

    run: RunDirectory
    lock: RunLock
    checkpoint: Checkpoint
    passed_over: list[str]
    """A line for each newer checkpoint that does not verify."""


def take_again(options: RunOptions, resources: contextlib.ExitStack) -> tuple[RunDirectory, RunLock]:
    """Find the run to resume and lock it, before anything in it is touched.

    Raises:
        RunError: there is no such run, another process has it, or it cannot be written to.
    """
    run = RunDirectory(locate_run(options.resume or "", Path(options.runs_dir)))
    lock = RunLock(run.lock)
    resources.callback(lock.release)
    try:
        tidy(run)
    except OSError as error:
        raise RunError(f"cannot write to the run {str(run.path)!r}: {error.strerror}") from error
    return run, lock


def reopen(run: RunDirectory, lock: RunLock) -> Resumed:
    """Load its newest checkpoint that verifies.

    Raises:
        CheckpointError: there is none.
    """
    from reid_tui.training.checkpoint import load_latest

    checkpoint, passed_over = load_latest(run.checkpoints)
    return Resumed(run, lock, checkpoint, passed_over)


def check_same_run(
    options: RunOptions,
    config: RunConfig,
    purpose: str = "to resume",
    changeable: frozenset[str] = CHANGEABLE | {"margin", "lr"},
) -> None:
    """Refuse options that would make another run of it.

    Args:
        options: what was asked.
        config: of the run.
        purpose: what is done with the run, for the message.
        changeable: names of options that may differ.

    Raises:
        RunError: one differs.
    """
    known = config.to_json()
    for name, value in options.given().items():
        if name in known and name not in changeable and value not in (known[name], "auto"):
            raise RunError(
                f"{flag(name)} {value} does not fit the run {purpose}, which has {known[name]}; "
                f"leave {flag(name)} out, or start a new run"
            )
    if options.resume and options.name is not None:
        raise RunError("--name is for a new run; a resumed one keeps its name")


def check_same_data(manifest: Manifest, dataset: Dataset) -> None:
    """Refuse data that is not what the checkpoint was trained on.

    Raises:
        CheckpointError: it is not.
    """
    if dataset.fingerprint != manifest.data_fingerprint:
        raise CheckpointError(
            f"the data of {dataset.name} changed since the run: fingerprint {dataset.fingerprint[:12]}…, "
            f"the checkpoint has {manifest.data_fingerprint[:12]}…; restore the data or start a new run"
        )


def continued(options: RunOptions, resumed: Resumed, dataset: Dataset) -> RunConfig:
    """The run's own config with what may change.

    Raises:
        RunError: the run has finished, and nothing makes it longer.
    """
    manifest = resumed.checkpoint.manifest
    changes = {name: value for name, value in options.given().items() if name in CHANGEABLE}
    config = dataclasses.replace(manifest.config, **changes)
    if "epochs" in changes and "steps" not in changes:
        config = dataclasses.replace(config, steps=None)
    from reid_tui.training.trainer import total_steps

    all_done = manifest.state.step >= total_steps(config, len(dataset.train))
    if all_done and read_end(resumed.run.events).mark == "finished":
        by_steps = config.steps is not None and config.steps <= manifest.state.step
        more = f"--steps above {config.steps}" if by_steps else f"--epochs above {config.epochs}"
        raise RunError(
            f"the run {resumed.run.name!r} is finished at step {manifest.state.step}; give {more} to train it longer"
        )
    return config


def replay_past(run: RunDirectory, listener: Listener) -> None:
    """Hand earlier events on, but for the ends of earlier parts; of the pictures the newest that still count."""
    follower, pictures = EventFollower(run.events), NewestPictures()
    while (events := follower.read()) is not None:
        for event in events:
            if not pictures.take(event) and not ends_run(event):
                listener(event)
    follower.close()
    for picture in pictures.newest(run.path):
        listener(picture)

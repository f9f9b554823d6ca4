"""What may not differ between a run and what is made of it: settings and data."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from reid_tui.config import DataOptions, RunConfig, RunOptions, flag
from reid_tui.data.catalog import in_files
from reid_tui.errors import CheckpointError, RunError

if TYPE_CHECKING:
    from reid_tui.data.dataset import Dataset
    from reid_tui.training.manifest import Manifest


def check_same_run(
    options: RunOptions, config: RunConfig, purpose: str, changeable: frozenset[str] = frozenset()
) -> None:
    """Refuse options that would make another run of it.

    Args:
        options: what was asked.
        config: of the run.
        purpose: what is done with the run, for the message.
        changeable: names of options that may differ.

    Raises:
        RunError: one differs. Where files lie may: `check_same_data` sees whether they are the same.
    """
    known = config.to_json()
    settled = {"data", "image_root"} if in_files(options.data) and in_files(config.data) else set()
    settled.add("exclude")  # which images it leaves out is in the data's fingerprint
    if config.compile_why:
        settled.add("compile")  # it was tried, and stays as it was found to be best
    for name, value in options.given().items():
        if name in known and name not in changeable | settled and value not in (known[name], "auto"):
            raise RunError(
                f"{flag(name)} {value} does not fit the run {purpose}, which has {known[name]}; "
                f"leave {flag(name)} out, or start a new run"
            )


def same_data(options: RunOptions, config: RunConfig) -> DataOptions:
    """What opens a run's data again, where its files lie by now."""
    moved = {name: getattr(options, name) for name in ("data", "image_root") if getattr(options, name) is not None}
    again = dataclasses.replace(config.data_options(options.data_dir), exclude=options.exclude or config.exclude)
    return dataclasses.replace(again, **moved) if in_files(options.data) and in_files(config.data) else again


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

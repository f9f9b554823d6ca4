"""A new run that repeats another one: its settings and data, and its changes at their steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from reid_tui.opening.beside import uncollected
from reid_tui.opening.excluded import copied, with_copy
from reid_tui.opening.new import made, on_device
from reid_tui.opening.opening import Opening
from reid_tui.opening.same import check_same_data, check_same_run, same_data
from reid_tui.runs.directory import RunDirectory
from reid_tui.runs.start import started

if TYPE_CHECKING:
    from reid_tui.config import RunOptions
    from reid_tui.opening.loading import Loading
    from reid_tui.runs.replay import Replay


def repeated(options: RunOptions, again: Replay, loading: Loading) -> Opening:
    """Begin a run that repeats `again`, on the CPU unless the options name a device.

    Raises:
        ReidTuiError: it cannot be repeated, or not with these options.
    """
    loading.start_torch(options)
    with loading.timed("torch"), uncollected():
        import torch

        from reid_tui.data import catalog
        from reid_tui.data.pairs import steps_per_epoch
        from reid_tui.training.checkpoint import load_step
        from reid_tui.training.device import pick_device

    device = pick_device("cpu" if options.device == "auto" else options.device)
    loading.report("looking for the data")
    again.open()
    check_same_run(options, again.manifest.config, "to replay")
    loading.resources.callback(torch.set_num_threads, again.use_recorded_threads())
    with loading.timed("data"):
        opened = same_data(with_copy(options, RunDirectory(again.path)), again.manifest.config)
        dataset = catalog.load(opened, loading.report)
    check_same_data(again.manifest, dataset)
    config = again.config(steps_per_epoch(len(dataset.train), again.manifest.config.batch_size))
    loading.stop_if_told()
    run, lock = made(Path(options.runs_dir), options.name or again.name, loading.resources)
    return Opening(
        config=copied(on_device(replace(config, exclude=opened.exclude), device), run),
        dataset=dataset,
        device=device,
        run=run,
        lock=lock,
        started=started(run),
        asked=options.given() | {"replay": str(again.path)},
        script=again.script,
        checkpoint=load_step(RunDirectory(again.path).checkpoints, 0) if config.init or config.pretrained else None,
        passed_over=tuple(again.passed_over),
    )

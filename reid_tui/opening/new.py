"""A new run: data and settings first, then its folder and lock."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from reid_tui.config import LOSSES, WITHOUT_SAME, RunConfig, RunOptions, resolve, tested_feature
from reid_tui.errors import UsageError
from reid_tui.opening.beside import data_and_device
from reid_tui.opening.excluded import copied
from reid_tui.opening.opening import Opening
from reid_tui.runs.directory import RunDirectory, create_run, discard_empty, locate_run
from reid_tui.runs.lock import RunLock
from reid_tui.runs.start import started
from reid_tui.view.wording import precision_chosen

if TYPE_CHECKING:
    import contextlib

    import torch
    from torch import Tensor

    from reid_tui.data.dataset import Dataset
    from reid_tui.opening.loading import Loading


def new(options: RunOptions, loading: Loading) -> Opening:
    """Begin a run as the options say.

    Raises:
        ReidTuiError: a device, data or settings that cannot be; or no place for the run.
    """
    loading.start_torch(options)
    dataset, device = data_and_device(options, loading)
    spec, identities = dataset.spec or dataset.name, len(dataset.train_identity_names)
    config = resolve(options, spec, identities, image_size=dataset.image_size, images=len(dataset.train))
    _check_pairs(config, dataset)
    config = _timed(config, dataset, loading) if _open_on_cpu(config, device) else on_device(config, device)
    if config.compile:
        config = _compiled(config, dataset, device, loading)
    if config.pretrained:
        from reid_tui.learning.weights import fetch_pretrained

        fetch_pretrained(config.model, loading.report)
    _tell_choices(config, dataset, loading)
    start = None if config.init is None else _weights_of(config.init, options, loading)
    loading.stop_if_told()
    run, lock = made(Path(options.runs_dir), options.name or dataset.name, loading.resources)
    return Opening(
        config=copied(config, run),
        dataset=dataset,
        device=device,
        run=run,
        lock=lock,
        started=started(run),
        start=start,
        asked=options.given(),
    )


def _check_pairs(config: RunConfig, dataset: Dataset) -> None:
    """Refuse what would be trained on nothing.

    Raises:
        UsageError: no identity has two images, and loss and miner form nothing without them.
    """
    import numpy as np

    in_vain = config.pairs == "batch" and (config.loss, config.miner) not in WITHOUT_SAME
    if in_vain and np.bincount(dataset.train.identities).max(initial=0) < 2:
        raise UsageError(
            f"--loss {config.loss} with --miner {config.miner} needs two images of an identity, and each of the "
            f"{len(dataset.train):,} in training has one; take more images, or --loss {LOSSES[0]} --miner all"
        )


def _open_on_cpu(config: RunConfig, device: torch.device) -> bool:
    return config.precision == "auto" and device.type == "cpu"


def _timed(config: RunConfig, dataset: Dataset, loading: Loading) -> RunConfig:
    """With the precision that is fastest on this processor."""
    from reid_tui.training.precision import with_fastest_precision

    loading.report("timing fp32 against bf16")
    config = with_fastest_precision(config, dataset.train)
    loading.report(precision_chosen(config))
    return config


def _compiled(config: RunConfig, dataset: Dataset, device: torch.device, loading: Loading) -> RunConfig:
    """Through torch's compiler, where that pays."""
    from reid_tui.training.compiling import compiled_where_it_pays

    loading.report("compiling the network, which takes about a minute")
    config = compiled_where_it_pays(config, dataset.train, device)
    loading.report(config.compile_why)
    return config


def _tell_choices(config: RunConfig, dataset: Dataset, loading: Loading) -> None:
    """Say what follows from the settings and is not seen from them."""
    from reid_tui.data.batches import small_identities

    if config.bnneck or config.normalize:
        loading.report(f"distances are taken from the {tested_feature(config.network)}")
    if config.images_per_identity is not None:
        few = small_identities(dataset.train.identities, config.images_per_identity)
        if few:
            each = f"{config.images_per_identity} of an identity in a batch"
            loading.report(f"{few:,} identities have fewer images than the {each}: theirs come more than once")


def _weights_of(named: str, options: RunOptions, loading: Loading) -> dict[str, Tensor]:
    """The tensors of another run's newest good checkpoint."""
    from reid_tui.training.checkpoint import load_latest

    path = locate_run(named, Path(options.runs_dir))
    checkpoint, _ = load_latest(RunDirectory(path).checkpoints)
    loading.report(f"begins with the weights of {path.name} at step {checkpoint.manifest.state.step:,}")
    return checkpoint.tensors


def on_device(config: RunConfig, device: torch.device) -> RunConfig:
    """The config with the precision that the device gives."""
    from reid_tui.training.device import pick_precision

    return dataclasses.replace(config, precision=pick_precision(config.precision, device))


def made(runs_dir: Path, name: str, resources: contextlib.ExitStack) -> tuple[RunDirectory, RunLock]:
    """Make a run's folder and lock it; what never begins leaves none behind.

    Raises:
        RunError: it cannot be made or locked.
    """
    run = create_run(runs_dir, name)
    resources.callback(discard_empty, run)
    lock = RunLock(run.lock)
    resources.callback(lock.release)
    return run, lock

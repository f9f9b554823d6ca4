"""The network of a run, opened from its newest good checkpoint. The part of using a network that needs torch.

A run that trains meanwhile is not disturbed: its folder is only read, without its lock.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from typing import TYPE_CHECKING, Any, Final

import torch

from reid_tui.config import MODELS
from reid_tui.errors import CheckpointError, RunError, UsageError
from reid_tui.learning.averages import PREFIX as AVERAGE
from reid_tui.learning.networks import build_network, to_input
from reid_tui.learning.weights import NETWORK, fitting, put_weights
from reid_tui.text import printable
from reid_tui.training.card import ModelCard, card_from
from reid_tui.training.checkpoint import Checkpoint, load_latest, manifests
from reid_tui.training.device import pick_device
from reid_tui.using.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import nn

    from reid_tui.config import NetworkOptions
    from reid_tui.data.catalog import Report
    from reid_tui.data.dataset import Dataset, UInt8Array
    from reid_tui.runs.directory import RunDirectory
    from reid_tui.training.manifest import Manifest
    from reid_tui.using.model import FloatArray

_TRIES: Final = 8
"""So often a run may save or remove a checkpoint while its newest one is looked for."""


class TorchNetwork:
    """Computes as evaluations of a run do: evaluation mode, full precision, channels last, without gradients."""

    def __init__(self, module: nn.Module, options: NetworkOptions, device: torch.device) -> None:
        """Take a network and put it on a device.

        Args:
            module: from (N, C, H, W) in 0..1 to (N, D).
            options: what it was built from.
            device: where to compute.
        """
        self.options = options
        self.module = module.requires_grad_(requires_grad=False).eval().to(device)
        self._device = device

    def __call__(self, images_NCHW: UInt8Array) -> FloatArray:
        """(N, D) of uint8 pixels."""
        images = torch.from_numpy(images_NCHW if images_NCHW.flags.writeable else images_NCHW.copy())
        with torch.inference_mode(), _full_precision(self._device):
            points_ND: FloatArray = self.module(to_input(images.to(self._device))).float().cpu().numpy()
        return points_ND


@contextlib.contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Without TF32, which torch takes on CUDA by default; the process's own setting comes back."""
    convolutions: Any = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before = convolutions.fp32_precision
    if device.type == "cuda":
        convolutions.fp32_precision = "ieee"
    try:
        yield
    finally:
        if device.type == "cuda":
            convolutions.fp32_precision = before


def open_run(run: RunDirectory, device: str) -> Model:
    """Open the network of a run.

    Args:
        run: begun.
        device: auto, cpu, cuda, cuda:N or mps.

    Raises:
        RunError: no good checkpoint verifies, or what is there is of another network or program version.
        UsageError: there is no such device.
    """
    place = pick_device(device)
    if not manifests(run.checkpoints):
        raise RunError(
            f"the run {printable(run.name)} has no checkpoint yet; wait for its first one, or take another run"
        )
    try:
        checkpoint, passed_over = _newest(run.checkpoints)
        manifest = checkpoint.manifest
        card = manifest.card or _derived_card(run, manifest)
        module = _built(checkpoint, card)
    except CheckpointError as error:
        raise RunError(f"the run {printable(run.name)} cannot be used: {error}") from error
    return Model(
        TorchNetwork(module, manifest.config.network, place),
        name=run.path.resolve().name,
        step=manifest.state.step,
        card=card,
        digest=manifest.sha256,
        data=functools.partial(_dataset, manifest),
        note=tuple(f"a newer checkpoint was passed over: {line}" for line in passed_over),
    )


def _dataset(manifest: Manifest, report: Report) -> Dataset:
    from reid_tui.using.torch_fitting import dataset_of

    return dataset_of(manifest, report)


def _newest(folder: Path) -> tuple[Checkpoint, list[str]]:
    """As `load_latest`, also where checkpoints come and go meanwhile.

    Raises:
        CheckpointError: there is none.
    """
    for _ in range(_TRIES):
        before = _listed(folder)
        try:
            found = load_latest(folder)
        except CheckpointError:
            if _listed(folder) == before:
                raise
            continue
        if not found[1] or _listed(folder) == before:
            return found
    return load_latest(folder)


def _listed(folder: Path) -> list[tuple[str, int]]:
    """Names and times of change, which differ once something was saved or removed."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry.name, entry.stat().st_mtime_ns) for entry in entries)
    except OSError:
        return []


def _built(checkpoint: Checkpoint, card: ModelCard) -> nn.Module:
    """The network that the run evaluates: with --average-weights that of the averaged ones.

    Our own networks are laid out without memory first: a damaged manifest may tell of one that is larger than all
    memory. Those of torchvision cannot be.

    Raises:
        CheckpointError: the weights are not those of the network that the run says it has.
    """
    config = checkpoint.manifest.config
    if card.embedding_dim != config.embedding_dim:
        raise CheckpointError(f"its card has {card.embedding_dim} dimensions, its settings {config.embedding_dim}")
    wanted = dataclasses.replace(config.network, pretrained=False)
    try:
        with torch.device("meta") if wanted.model in MODELS else contextlib.nullcontext():
            module = build_network(wanted, card.channels, card.height, card.width, config.seed)
    except UsageError as error:
        raise CheckpointError(f"{checkpoint.manifest.file}: {error}") from error
    start = AVERAGE if config.average_weights else NETWORK
    weights = fitting(module, checkpoint.tensors, start, "open it with the version of reid-tui that trained it")
    put_weights(module, weights, assign=True)
    return module.to(memory_format=torch.channels_last)


def _derived_card(run: RunDirectory, manifest: Manifest) -> ModelCard:
    """What an older checkpoint does not say follows from the run's settings and its config.json.

    Raises:
        CheckpointError: config.json is damaged or missing.
    """
    dataset = run.read_config().get("dataset")
    config = manifest.config
    try:
        if not isinstance(dataset, dict):
            raise ValueError("it tells no dataset")  # noqa: TRY004, TRY301  one kind of error for all that is wrong
        channels, height, width = dataset["image_shape"]
        return card_from(
            {
                "channels": channels,
                "height": height,
                "width": width,
                "embedding_dim": config.embedding_dim,
                "normalized": config.normalize,
                "data": dataset["name"],
                "identities": dataset["identities"],
            }
        )
    except (ValueError, TypeError, KeyError) as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else printable(error, 200)
        raise CheckpointError(f"config.json does not say what its images are: {said}") from error

"""Checkpoints on disk: a safetensors file and, written last, a JSON manifest with everything that is no tensor.

A checkpoint counts only when its manifest is there and agrees with the file. No pickle.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import safetensors.torch
import torch

from reid_tui import __version__
from reid_tui.errors import CheckpointError
from reid_tui.files import read_regular, write_whole
from reid_tui.text import printable
from reid_tui.training.card import ModelCard, card_json
from reid_tui.training.manifest import LARGEST_MANIFEST, SCHEMA, Manifest, TrainingState, decode, encode, read_manifest
from reid_tui.training.saved import LARGEST, complete, in_order, manifests, named, rank, step_of, verified

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from reid_tui.config import RunConfig

__all__ = [
    "Checkpoint",
    "Manifest",
    "TrainingState",
    "load_checkpoint",
    "load_latest",
    "load_step",
    "manifests",
    "prune",
    "read_manifest",
    "save_checkpoint",
    "versions",
]

LARGEST_HEADER: Final = 2**20
"""Bytes of names and shapes: some ten thousand tensors."""
KEPT: Final = 3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One that verified."""

    manifest: Manifest
    tensors: dict[str, Tensor]


def versions() -> dict[str, str]:
    """Of everything that decides the numbers."""
    return {
        "reid_tui": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
    }


def save_checkpoint(
    folder: Path,
    tensors: dict[str, Tensor],
    state: TrainingState,
    config: RunConfig,
    data_fingerprint: str,
    reason: str,
    card: ModelCard | None = None,
) -> Path:
    """Write a checkpoint, durable on return.

    The manifest comes last. Where a step is saved again and its tensors differ, the manifest comes first and carries
    the one before: whichever tensors are found, one of the two fits.

    Args:
        folder: the run's checkpoints.
        tensors: contiguous, on the CPU.
        state: the rest of what the next step depends on.
        config: of the run.
        data_fingerprint: of the data set.
        reason: why it is saved; "asked" is kept for ever.
        card: what the network needs to be used.

    Returns:
        The safetensors file.

    Raises:
        OSError: nothing valid is lost.
        CheckpointError: what a divergence left would take the place of a good one.
    """
    content = safetensors.torch.save(tensors)
    if len(content) > LARGEST:
        raise OSError(f"{len(content)} bytes, at most {LARGEST} can be read again")
    path = folder / f"step-{state.step:08d}.safetensors"
    beside = path.with_suffix(".json")
    before = _verified(beside)
    if before is not None and before.good and not state.sound:
        raise CheckpointError(f"its weights are ruined, and a good checkpoint of step {state.step} is there")
    manifest = {
        "schema": SCHEMA,
        "file": path.name,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "reason": reason,
        "keep": reason == "asked" or (before is not None and before.keep),
        "state": asdict(state),
        "config": config.to_json(),
        "data_fingerprint": data_fingerprint,
        "card": None if card is None else card_json(card),
        "versions": versions(),
    }
    if before is None:
        write_whole(path, content)
        write_whole(beside, encode(manifest))
    elif before.sha256 == manifest["sha256"]:
        write_whole(beside, encode(manifest))
    else:
        write_whole(beside, encode({**manifest, "replaces": asdict(replace(before, replaces=None))}))
        write_whole(path, content)
    return path


def save_card(manifest_path: Path, card: ModelCard) -> None:
    """Put another card into a manifest.

    Raises:
        OSError: the old one stays.
        CheckpointError: the manifest cannot be read.
    """
    read_manifest(manifest_path)  # refuses what is none
    value = decode(read_regular(manifest_path, LARGEST_MANIFEST))
    write_whole(manifest_path, encode({**value, "card": card_json(card)}))


def _verified(manifest_path: Path) -> Manifest | None:
    """The manifest in force of a checkpoint that could be loaded, None where there is none."""
    try:
        return verified(manifest_path)[0]
    except CheckpointError:
        return None


def load_checkpoint(manifest_path: Path) -> Checkpoint:
    """Load a checkpoint after checking size and SHA-256.

    Raises:
        CheckpointError: it does not verify.
    """
    manifest, content = verified(manifest_path)
    try:
        header = int.from_bytes(content[:8], "little")
        if not 2 <= header <= LARGEST_HEADER:
            raise ValueError(f"a header of {header} bytes")  # noqa: TRY301
        tensors = safetensors.torch.load(content)
    except Exception as error:  # shapes and types of a stranger: the libraries refuse them in many ways
        raise CheckpointError(f"{manifest.file}: no safetensors file: {printable(error, 200)}") from error
    return Checkpoint(manifest, tensors)


def weights_sha256(tensors: dict[str, Tensor]) -> str:
    """SHA-256 over weights and optimiser state: name, dtype, shape and bytes of each tensor, by name.

    The axes of the map are left out: they follow from how often it was looked at.

    Args:
        tensors: of a checkpoint; contiguous, on the CPU.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        if not name.startswith("projection."):
            digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def load_latest(folder: Path) -> tuple[Checkpoint, list[str]]:
    """The newest good checkpoint that verifies.

    Returns:
        The checkpoint, and one line for each newer one that was passed over.

    Raises:
        CheckpointError: there is none.
    """
    rejected: list[str] = []
    waiting = [(ranked, path) for ranked, path, _ in in_order(folder)]
    while waiting:
        ranked, path = waiting.pop(0)
        try:
            checkpoint = load_checkpoint(path)
        except CheckpointError as error:
            rejected.append(str(error))
            continue
        if (own := rank(checkpoint.manifest)) < ranked:  # a save over it was cut short: the one before is in force
            waiting = sorted([*waiting, (own, path)], reverse=True)
        elif checkpoint.manifest.good:
            return checkpoint, rejected
        else:
            rejected.append(f"{checkpoint.manifest.file}: left by a divergence, its weights are ruined")
    why = f" ({'; '.join(rejected[:3])})" if rejected else ""
    raise CheckpointError(f"no usable checkpoint in {str(folder)!r}{why}; start a new run")


def load_step(folder: Path, step: int) -> Checkpoint:
    """The checkpoint of exactly this step, good or not.

    Raises:
        CheckpointError: there is none, or it does not verify; the steps of the others are told.
    """
    path = folder / f"step-{step:08d}.json"
    others = [step_of(other) for other, _ in complete(folder) if other != path]
    try:
        if not os.path.lexists(path):
            raise CheckpointError(f"no checkpoint of step {step} in {str(folder)!r}")  # noqa: TRY301
        return load_checkpoint(path)
    except CheckpointError as error:
        raise CheckpointError(f"{error}; {named(others)}") from error


def prune(folder: Path, newest: int) -> None:
    """Remove all but the last `KEPT` good ones, the best of them by mAP, and those that a person asked for.

    Of what divergences left only a last one stays, and only while nothing good is newer. A checkpoint of a step beyond
    the newest is one that a resume passed over: it neither counts nor goes.

    Args:
        folder: the run's checkpoints.
        newest: step of the one saved last.

    Raises:
        OSError: a file cannot be removed.
    """
    found = [(path, manifest) for path, manifest in complete(folder) if manifest.state.step <= newest]
    scored = [
        (manifest.state.map, path) for path, manifest in found if manifest.good and manifest.state.map is not None
    ]
    best = max(scored, key=lambda item: item[0])[1] if scored else None
    ruined = [path for path, manifest in found[1:] if not manifest.good and not manifest.keep]
    automatic = [path for path, manifest in found if manifest.good and not manifest.keep]
    for path in (*automatic[KEPT:], *ruined):
        if path != best:
            path.unlink()  # first: without its manifest a checkpoint is none
            path.with_suffix(".safetensors").unlink()

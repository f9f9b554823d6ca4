"""Checkpoints on disk: a safetensors file and, written last, a JSON manifest with everything that is no tensor.

A checkpoint counts only when its manifest is there and agrees with the file. No pickle.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import safetensors.torch
import torch

from reid_tui import __version__
from reid_tui.errors import CheckpointError
from reid_tui.files import read_regular, write_whole
from reid_tui.text import printable
from reid_tui.training.manifest import SCHEMA, Manifest, TrainingState, encode, read_manifest

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
    "manifests",
    "prune",
    "read_manifest",
    "save_checkpoint",
    "versions",
]

LARGEST: Final = 2 * 2**30
"""Bytes of tensors: 178 million parameters in float32 with Adam's two averages. Larger files are not even read."""
LARGEST_HEADER: Final = 2**20
"""Bytes of names and shapes: some ten thousand tensors."""
KEPT: Final = 3
_STEM: Final = re.compile(r"step-\d{8,12}")


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

    Returns:
        The safetensors file.

    Raises:
        OSError: nothing valid is lost.
    """
    content = safetensors.torch.save(tensors)
    if len(content) > LARGEST:
        raise OSError(f"{len(content)} bytes, at most {LARGEST} can be read again")
    path = folder / f"step-{state.step:08d}.safetensors"
    beside = path.with_suffix(".json")
    before = _verified(beside)
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


def _verified(manifest_path: Path) -> Manifest | None:
    """The manifest in force of a checkpoint that could be loaded, None where there is none."""
    try:
        return _read_verified(manifest_path)[0]
    except CheckpointError:
        return None


def load_checkpoint(manifest_path: Path) -> Checkpoint:
    """Load a checkpoint after checking size and SHA-256.

    Raises:
        CheckpointError: it does not verify.
    """
    manifest, content = _read_verified(manifest_path)
    try:
        header = int.from_bytes(content[:8], "little")
        if not 2 <= header <= LARGEST_HEADER:
            raise ValueError(f"a header of {header} bytes")  # noqa: TRY301
        tensors = safetensors.torch.load(content)
    except Exception as error:  # shapes and types of a stranger: the libraries refuse them in many ways
        raise CheckpointError(f"{manifest.file}: no safetensors file: {printable(error, 200)}") from error
    return Checkpoint(manifest, tensors)


def _read_verified(manifest_path: Path) -> tuple[Manifest, bytes]:
    """A manifest, or the one that it replaces, and the file that it describes to the byte."""
    manifest = read_manifest(manifest_path)
    candidates = [item for item in (manifest, manifest.replaces) if item is not None]
    path = manifest_path.with_name(manifest.file)
    try:
        size = path.stat().st_size
        if size not in [item.size for item in candidates]:
            raise CheckpointError(f"{path.name}: {size} bytes instead of {manifest.size}")
        content = read_regular(path, LARGEST)
    except OSError as error:
        raise CheckpointError(f"{path.name}: {error.strerror or error}") from error
    found = hashlib.sha256(content).hexdigest()
    for item in candidates:
        if found == item.sha256:
            return item, content
    raise CheckpointError(f"{path.name}: SHA-256 is {found[:12]}…, the manifest says {manifest.sha256[:12]}…")


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


def manifests(folder: Path) -> list[Path]:
    """Manifest files by step, newest first."""
    found = [path for path in folder.glob("step-*.json") if _STEM.fullmatch(path.stem)]
    return sorted(found, key=lambda path: int(path.stem.removeprefix("step-")), reverse=True)


def load_latest(folder: Path) -> tuple[Checkpoint, list[str]]:
    """The newest checkpoint that verifies.

    Returns:
        The checkpoint, and one line for each newer one that was passed over.

    Raises:
        CheckpointError: none verifies.
    """
    rejected: list[str] = []
    for path in manifests(folder):
        try:
            return load_checkpoint(path), rejected
        except CheckpointError as error:
            rejected.append(str(error))
    why = f" ({'; '.join(rejected[:3])})" if rejected else ""
    raise CheckpointError(f"no usable checkpoint in {str(folder)!r}{why}; start a new run")


def prune(folder: Path, newest: int) -> None:
    """Remove all but the last `KEPT`, the best by mAP, and those that a person asked for.

    A checkpoint of a step beyond the newest is one that a resume passed over: it neither counts nor goes.

    Args:
        folder: the run's checkpoints.
        newest: step of the one saved last.

    Raises:
        OSError: a file cannot be removed.
    """
    found = []
    for path in manifests(folder):
        try:
            manifest = read_manifest(path)
            complete = path.with_suffix(".safetensors").stat().st_size == manifest.size
        except (CheckpointError, OSError):
            continue
        if complete and manifest.state.step <= newest:
            found.append((path, manifest))
    scored = [(manifest.state.map, path) for path, manifest in found if manifest.state.map is not None]
    best = max(scored, key=lambda item: item[0])[1] if scored else None
    automatic = [path for path, manifest in found if not manifest.keep]
    for path in automatic[KEPT:]:
        if path != best:
            path.unlink()  # first: without its manifest a checkpoint is none
            path.with_suffix(".safetensors").unlink()

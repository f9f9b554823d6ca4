"""Checkpoints on disk: a safetensors file and, written last, a JSON manifest with everything that is no tensor.

A checkpoint counts only when its manifest is there and agrees with the file. No pickle.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import safetensors
import safetensors.torch
import torch

from reid_tui import __version__
from reid_tui.config import RunConfig
from reid_tui.errors import CheckpointError
from reid_tui.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

SCHEMA: Final = 1
LARGEST_MANIFEST: Final = 2**20
KEPT: Final = 3
_STEM: Final = re.compile(r"step-\d{8,12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingState:
    """Where training stands, apart from tensors. Pairs come from (seed, epoch), so there is no generator state."""

    step: int
    """Steps done; epoch and position in it follow from this, the data and the batch size."""
    epoch_loss_sum: float
    """Sum over the pairs of the running epoch."""
    epoch_pairs: int
    """Pairs in that sum."""
    pairs_seen: int
    margin: float
    lr: float
    skipped: int
    skipped_in_row: int
    wall_s: float
    map: float | None
    """mAP of the last evaluation at this step, for keeping the best."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What stands beside the tensors."""

    file: str
    size: int
    sha256: str
    reason: str
    keep: bool
    """Asked for by a person: never removed."""
    state: TrainingState
    config: RunConfig
    data_fingerprint: str


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
    path = folder / f"step-{state.step:08d}.safetensors"
    manifest = {
        "schema": SCHEMA,
        "file": path.name,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "reason": reason,
        "keep": reason == "asked" or _is_kept(path.with_suffix(".json")),
        "state": asdict(state),
        "config": config.to_json(),
        "data_fingerprint": data_fingerprint,
        "versions": versions(),
    }
    write_whole(path, content)
    write_whole(path.with_suffix(".json"), json.dumps(manifest, indent=2).encode() + b"\n")
    return path


def _is_kept(manifest_path: Path) -> bool:
    try:
        return read_manifest(manifest_path).keep
    except CheckpointError:
        return False


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest, not the tensors.

    Raises:
        CheckpointError: missing, too large, no JSON, or not of this schema.
    """
    try:
        with path.open("rb") as file:
            manifest = _parse(file.read(LARGEST_MANIFEST + 1))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path.name}: {error}") from error
    if manifest.file != f"{path.stem}.safetensors" or manifest.state.step != int(path.stem.removeprefix("step-")):
        raise CheckpointError(f"{path.name}: it describes another file")
    return manifest


def _parse(content: bytes) -> Manifest:
    if len(content) > LARGEST_MANIFEST:
        raise ValueError("larger than 1 MiB")
    value = json.loads(content)
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise ValueError(f"not a manifest of schema {SCHEMA}")
    state = TrainingState(**_typed(TrainingState, value["state"]))
    config = RunConfig(**_typed(RunConfig, value["config"]))
    return Manifest(**_typed(Manifest, {**value, "state": state, "config": config}))


_CHECKS: Final[dict[str, tuple[type, ...]]] = {
    "int": (int,),
    "int | None": (int, type(None)),
    "float": (float, int),
    "float | None": (float, int, type(None)),
    "str": (str,),
    "bool": (bool,),
    "TrainingState": (TrainingState,),
    "RunConfig": (RunConfig,),
}


def _typed(kind: type[Any], value: Any) -> dict[str, Any]:  # noqa: ANN401
    """The fields of dataclass `kind` out of untrusted JSON, each of its declared type."""
    if not isinstance(value, dict):
        raise TypeError(f"{kind.__name__} is no object")
    result = {}
    for item in fields(kind):
        found = value[item.name]
        if not isinstance(found, _CHECKS[str(item.type)]) or (isinstance(found, bool) and item.type != "bool"):
            raise TypeError(f"{item.name} has the wrong type")
        result[item.name] = found
    return result


def load_checkpoint(manifest_path: Path) -> Checkpoint:
    """Load a checkpoint after checking size and SHA-256.

    Raises:
        CheckpointError: it does not verify.
    """
    manifest = read_manifest(manifest_path)
    path = manifest_path.with_name(manifest.file)
    try:
        if path.stat().st_size != manifest.size:
            raise CheckpointError(f"{path.name}: {path.stat().st_size} bytes instead of {manifest.size}")
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path.name}: {error.strerror}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != manifest.sha256:
        raise CheckpointError(f"{path.name}: SHA-256 is {found[:12]}…, the manifest says {manifest.sha256[:12]}…")
    try:
        tensors = safetensors.torch.load(content)
    except (safetensors.SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path.name}: no safetensors file: {error}") from error
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


def prune(folder: Path) -> None:
    """Remove all but the last `KEPT`, the best by mAP, and those that a person asked for.

    Raises:
        OSError: a file cannot be removed.
    """
    found = []
    for path in manifests(folder):
        try:
            found.append((path, read_manifest(path)))
        except CheckpointError:
            continue
    scored = [(manifest.state.map, path) for path, manifest in found if manifest.state.map is not None]
    best = max(scored, key=lambda item: item[0])[1] if scored else None
    automatic = [path for path, manifest in found if not manifest.keep]
    for path in automatic[KEPT:]:
        if path != best:
            path.unlink()
            path.with_suffix(".safetensors").unlink()

"""The checkpoints of a run as their manifests tell them: in which order, which are good, which verify. No torch."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from reid_tui.errors import CheckpointError
from reid_tui.files import read_regular
from reid_tui.training.manifest import Manifest, read_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LARGEST: Final = 2 * 2**30
"""Bytes of tensors: 178 million parameters in float32 with Adam's two averages. Larger files are not even read."""
_STEM: Final = re.compile(r"step-\d{8,12}")
_NAMED: Final = 8
"""Steps in a message."""


def rank(manifest: Manifest) -> tuple[int, int]:
    """The higher, the newer: of two checkpoints that of more rewinds, then that of more steps.

    A run that goes on from another checkpoint than its newest one (after a divergence, past a damaged file, because a
    person chose it) counts a rewind, and saves at once what it took up. So all that it saves from then on is newer than
    all that was saved before, whatever the steps, and a crash does not bring back what it has left. That stays on disk
    and can be chosen, until the run comes to the same step and overwrites it, or past it and counts it as old.
    """
    return manifest.state.rewinds, manifest.state.step


def step_of(path: Path) -> int:
    """The step that a checkpoint's file is named for."""
    return int(path.stem.removeprefix("step-"))


def in_order(folder: Path) -> list[tuple[tuple[int, int], Path, Manifest | None]]:
    """Rank, file and content of every manifest, newest first; None for one that cannot be read.

    That one is taken for one of the present rewind, so that it is missed where it would have been the newest.
    """
    found: dict[Path, Manifest | None] = {}
    for path in folder.glob("step-*.json"):
        if _STEM.fullmatch(path.stem):
            try:
                found[path] = read_manifest(path)
            except CheckpointError:
                found[path] = None
    most = max((item.state.rewinds for item in found.values() if item), default=0)
    ranked = [(rank(item) if item else (most, step_of(path)), path, item) for path, item in found.items()]
    return sorted(ranked, key=lambda entry: entry[0], reverse=True)


def manifests(folder: Path) -> list[Path]:
    """Manifest files, newest first."""
    return [path for _, path, _ in in_order(folder)]


def complete(folder: Path) -> list[tuple[Path, Manifest]]:
    """Checkpoints whose files are there with all their bytes, newest first; their content is not looked at."""
    found = []
    for _, path, manifest in in_order(folder):
        try:
            if manifest is not None and path.with_name(manifest.file).stat().st_size == manifest.size:
                found.append((path, manifest))
        except OSError:
            continue
    return found


def good(folder: Path) -> list[Manifest]:
    """Of the complete ones those that no divergence left behind, newest first."""
    return [manifest for _, manifest in complete(folder) if manifest.good]


def rewinds_from(folder: Path, step: int) -> int:
    """How often a run will have gone back once it goes on from the checkpoint of a step."""
    entries = in_order(folder)
    most = max((manifest.state.rewinds for _, _, manifest in entries if manifest), default=0)
    return most if entries and step_of(entries[0][1]) == step else most + 1


def named(steps: Sequence[int]) -> str:
    """Steps for a message: there are 8, 16 and 24."""
    if not steps:
        return "there is none"
    *others, last = [str(step) for step in sorted(steps)[-_NAMED:]]
    return f"there are {', '.join(others)} and {last}" if others else f"there is {last}"


def verified(manifest_path: Path) -> tuple[Manifest, bytes]:
    """A manifest, or the one that it replaces, and the file that it describes to the byte.

    Raises:
        CheckpointError: there is none such.
    """
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

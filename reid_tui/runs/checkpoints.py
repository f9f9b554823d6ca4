"""The checkpoints of a run, from their files alone: which are good, which one a resume takes. Loads without torch."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from reid_tui.errors import CheckpointError
from reid_tui.runs.log_end import HEAD, number, open_regular, parsed, whole
from reid_tui.training.saved import good, in_order, step_of, verified
from reid_tui.training.splits import chooses

if TYPE_CHECKING:
    from pathlib import Path

    from reid_tui.runs.directory import RunDirectory
    from reid_tui.training.manifest import Manifest

CHEAP: Final = 64 * 2**20
"""Bytes of tensors that are read to the last; of larger ones the size is checked."""
_EVALUATED: Final = b'{"event":"evaluated"'
CheckpointState = Literal["good", "diverged", "damaged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedCheckpoint:
    """One checkpoint. Texts are not yet safe to print; None where a value is not known."""

    path: Path
    """Of its tensors."""
    step: int
    state: CheckpointState
    why: str
    """What is wrong with it; empty where nothing is."""
    checked: Literal["sha256", "size"]
    """How its tensors were held against the manifest."""
    time: float | None
    """Unix seconds."""
    size: int
    """Bytes of its tensors."""
    reason: str | None
    loss: float | None
    """Of the pairs that come next, by these weights."""
    map: float | None
    """Of the split that chooses, by the evaluation at this very step: before it was saved, else told by the log."""
    rank1: float | None
    """By the same."""
    split: str = ""
    """Which split that is; empty where nothing was scored, and where an older manifest does not say."""
    asked: bool
    """A person asked for it: it is never removed."""
    best: bool = False
    """Highest mAP of the good ones that were scored before they were saved: it is not removed while that is so."""
    newest: bool = False
    """What `--resume` takes."""
    passed_over: bool = False
    """It lies ahead of where the run has gone on from an earlier one."""


_Scores = tuple[float | None, float | None, str]


def can_go_on(run: RunDirectory) -> bool:
    """Whether there is a checkpoint to resume from, as far as the manifests tell."""
    return bool(good(run.checkpoints))


def list_checkpoints(run: RunDirectory) -> list[SavedCheckpoint]:
    """Every checkpoint of a run, newest first, however damaged."""
    entries = [(path, *_checked(path, manifest)) for _, path, manifest in in_order(run.checkpoints)]
    fit = [(path, manifest) for path, manifest, fault in entries if manifest and manifest.good and not fault]
    newest = next((path for path, _ in fit), None)
    scored = [(manifest.state.map, path) for path, manifest in fit if manifest.state.map is not None]
    best = max(scored, key=lambda item: item[0])[1] if scored else None
    told = _scores(run.events)
    rows = [_described(path, manifest, fault, told) for path, manifest, fault in entries]
    return [
        dataclasses.replace(row, best=path == best, newest=path == newest, passed_over=row.step > rows[0].step)
        for row, (path, _, _) in zip(rows, entries, strict=True)
    ]


def _checked(path: Path, manifest: Manifest | None) -> tuple[Manifest | None, str]:
    """The manifest in force, and why its tensors are not those; empty where they are."""
    try:
        if manifest is None or manifest.size <= CHEAP:
            return verified(path)[0], ""
    except CheckpointError as error:
        return manifest, str(error)
    size = _stat(path.with_name(manifest.file))[1]
    return manifest, "" if size == manifest.size else f"{manifest.file}: {size} bytes instead of {manifest.size}"


def _described(path: Path, manifest: Manifest | None, fault: str, told: dict[int, _Scores]) -> SavedCheckpoint:
    tensors = path.with_suffix(".safetensors")
    state = manifest.state if manifest else None
    ruined = manifest is not None and not manifest.good
    map_, rank1, split = told.get(step_of(path), (None, None, ""))
    if state and state.map is not None:
        map_, rank1, split = state.map, state.rank1, state.split
    return SavedCheckpoint(
        path=tensors,
        step=step_of(path),
        state="damaged" if fault else "diverged" if ruined else "good",
        why=fault or ("left by a divergence, its weights are ruined" if ruined else ""),
        checked="size" if manifest and manifest.size > CHEAP else "sha256",
        time=_stat(path)[0],
        size=_stat(tensors)[1],
        reason=manifest.reason if manifest else None,
        loss=state.loss if state else None,
        map=map_,
        rank1=rank1,
        split=split,
        asked=manifest is not None and manifest.keep,
    )


def _scores(log: Path) -> dict[int, _Scores]:
    """By step the mAP and rank-1 that the log tells of the split that chooses; the later line counts."""
    found: dict[int, dict[str, _Scores]] = {}
    with contextlib.suppress(OSError), os.fdopen(open_regular(log), "rb") as lines:
        while line := lines.readline(HEAD):
            event = parsed(line) if line.startswith(_EVALUATED) else None
            if event and (step := whole(event.get("step"))) is not None:
                split = str(event.get("split", ""))
                found.setdefault(step, {})[split] = number(event.get("map")), number(event.get("rank1")), split
    return {step: by_split[chooses(by_split)] for step, by_split in found.items()}


def _stat(path: Path) -> tuple[float | None, int]:
    """When it was written, and its bytes."""
    try:
        found = path.stat()
    except OSError:
        return None, 0
    return found.st_mtime, found.st_size

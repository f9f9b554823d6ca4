"""The manifest beside a checkpoint's tensors: JSON with all that is no tensor, read as if a stranger wrote it."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import MISSING, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

from reid_tui.config import (
    LARGEST_ALL_PAIRS,
    LIMITS,
    LOSSES,
    MINERS,
    OPTIMIZERS,
    PAIRINGS,
    PRECISIONS,
    PRESETS,
    SCHEDULES,
    RunConfig,
    parse_augment,
    parse_camera_pattern,
    parse_holdout,
    parse_image_size,
    parse_model,
)
from reid_tui.errors import CheckpointError, UsageError
from reid_tui.files import read_regular
from reid_tui.text import printable
from reid_tui.training.card import ModelCard, card_from

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCHEMA: Final = 1
LARGEST_MANIFEST: Final = 2**20
_LARGEST_COUNT: Final = 10**15
_DIGEST: Final = "digest"
EXPLODED: Final = 100 * LIMITS["margin"].high ** 2
"""A loss above this is that of ruined weights, whatever the margin.

It has the size of a squared distance, and nobody trains for distances beyond the largest margin: turned from there to
the smallest one, the loss stays a hundred times lower. A learning rate of 1 was seen to lead to 1e13, and one of 10 to
1e21, where gradients are no longer finite.
"""
_CHOICES: Final = {
    "preset": PRESETS,
    "loss": LOSSES,
    "miner": MINERS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "pairs": PAIRINGS,
    "precision": PRECISIONS,
}
_PARSED: Final[dict[str, Callable[[str], str]]] = {
    "augment": parse_augment,
    "image_size": parse_image_size,
    "model": parse_model,
    "holdout": parse_holdout,
    "camera_pattern": parse_camera_pattern,
}


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
    """By now; steps whose loss has exploded count here too."""
    wall_s: float
    map: float | None
    """mAP of the last evaluation at this step, of the split that chooses the best."""
    rank1: float | None = None
    """Of the same evaluation."""
    split: str = ""
    """That split; empty where nothing was scored, and in older manifests."""
    loss: float | None = None
    """Of the pairs that come next, by these very weights; the largest float32 where a number is not finite."""
    rewinds: int = 0
    """How often the run had gone back to an earlier checkpoint by then."""
    left_out: tuple[int, ...] = ()
    """Training images that no pair of the running epoch is formed with."""
    left_out_next: tuple[int, ...] = ()
    """Of the epochs after it."""

    @property
    def sound(self) -> bool:
        """Whether training can go on from here: the last step was a good one, and so is the loss.

        The loss of a step is that of the weights before it: the step that ruins them looks well. So a checkpoint is
        judged by the step that comes next; an older one, which does not know it, by the running epoch's mean.
        """
        loss = self.loss
        if loss is None:
            loss = self.epoch_loss_sum / self.epoch_pairs if self.epoch_pairs else 0.0
        return not self.skipped_in_row and loss <= EXPLODED


def beginning(config: RunConfig) -> TrainingState:
    """Before the first step."""
    return TrainingState(
        step=0,
        epoch_loss_sum=0.0,
        epoch_pairs=0,
        pairs_seen=0,
        margin=config.margin,
        lr=config.lr,
        skipped=0,
        skipped_in_row=0,
        wall_s=0.0,
        map=None,
    )


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
    replaces: Manifest | None = None
    """The one before at the same step, in force until the new tensors are in place."""
    card: ModelCard | None = None
    """What the network needs to be used; None in older manifests."""

    @property
    def good(self) -> bool:
        """Whether a run may go on from it unasked: none that a divergence left behind."""
        return self.state.sound and self.reason != "diverged"


def encode(value: dict[str, Any]) -> bytes:
    """A manifest's file, with a digest over its content: a flipped bit is found wherever it is."""
    return json.dumps({**value, _DIGEST: _digest(value)}, indent=2).encode() + b"\n"


def decode(content: bytes) -> dict[str, Any]:
    """What `encode` was given; a manifest without a digest is an older one.

    Raises:
        ValueError: no JSON object of this schema, or not as it was written.
        RecursionError: nested too deeply.
    """
    value = json.loads(content)
    if not isinstance(value, dict) or "schema" not in value:
        raise ValueError("not a manifest")
    if value["schema"] != SCHEMA:
        raise ValueError(f"another version of reid-tui wrote it: schema {value['schema']!r} instead of {SCHEMA}")
    digest = value.pop(_DIGEST, None)
    if digest is not None and digest != _digest(value):
        raise ValueError("damaged: its digest does not agree with its content")
    return value


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest, not the tensors.

    Raises:
        CheckpointError: missing, too large, no JSON, or not of this schema.
    """
    try:
        value = decode(read_regular(path, LARGEST_MANIFEST))
        manifest = _manifest(value)
        if (before := value.get("replaces")) is not None:
            manifest = replace(manifest, replaces=_manifest(before))
    except OSError as error:
        raise CheckpointError(f"{path.name}: {error.strerror or error}") from error
    except (ValueError, OverflowError) as error:
        raise CheckpointError(f"{path.name}: {printable(error, 200)}") from error
    except RecursionError as error:
        raise CheckpointError(f"{path.name}: nested too deeply") from error
    for described in (manifest, manifest.replaces or manifest):
        if described.file != f"{path.stem}.safetensors" or f"step-{described.state.step:08d}" != path.stem:
            raise CheckpointError(f"{path.name}: it describes another file")
    return manifest


def _digest(value: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _manifest(value: object) -> Manifest:
    given = _typed(Manifest, value)
    state = TrainingState(**_typed(TrainingState, given["state"]))
    for name in ("margin", "lr"):
        if getattr(state, name) <= 0:
            raise ValueError(f"state.{name} is {getattr(state, name)}")
    card = value.get("card") if isinstance(value, dict) else None
    return Manifest(
        **{**given, "state": state, "config": checked_config(given["config"])},
        card=None if card is None else card_from(card),
    )


def checked_config(value: object) -> RunConfig:
    """A run's config out of untrusted JSON.

    Raises:
        ValueError: it is none, or a value is out of its limits.
    """
    config = RunConfig(**_typed(RunConfig, value))
    for name, limit in LIMITS.items():
        found = getattr(config, name, None)
        if found is not None and (found > limit.high or found < limit.low or (limit.above and found == limit.low)):
            raise ValueError(f"config.{name} is {found}")
    for name, choices in _CHOICES.items():
        if getattr(config, name) not in choices:
            raise ValueError(f"config.{name} is {getattr(config, name)!r}")
    for name, parse in _PARSED.items():
        if (told := getattr(config, name)) is not None and not _is_spelled(parse, told):
            raise ValueError(f"config.{name} is {told!r}")
    if config.pairs == "batch" and config.batch_size > LARGEST_ALL_PAIRS:
        raise ValueError(f"config.batch_size is {config.batch_size}")
    return config


def _is_spelled(parse: Callable[[str], str], told: str) -> bool:
    """Whether a value is as the command line would have stored it."""
    try:
        return parse(told) == told
    except UsageError:
        return False


_CHECKS: Final[dict[str, tuple[type, ...]]] = {
    "int": (int,),
    "int | None": (int, type(None)),
    "float": (float, int),
    "float | None": (float, int, type(None)),
    "str": (str,),
    "str | None": (str, type(None)),
    "bool": (bool,),
    "tuple[int, ...]": (list,),
    "TrainingState": (dict,),
    "RunConfig": (dict,),
}


def _typed(kind: type[Any], value: object) -> dict[str, Any]:
    """The fields of dataclass `kind` out of untrusted JSON, each of its declared type, counts not below 0."""
    if not isinstance(value, dict):
        raise ValueError(f"{kind.__name__} is no object")  # noqa: TRY004  one kind of error for all that is wrong
    given: dict[str, Any] = value
    result: dict[str, Any] = {}
    for item in fields(kind):
        declared = str(item.type)
        if declared not in _CHECKS:
            continue
        if item.name not in given:
            if item.default is not MISSING:
                continue
            raise ValueError(f"{item.name} is missing")
        found = given[item.name]
        if type(found) not in _CHECKS[declared]:
            raise ValueError(f"{item.name} has the wrong type")
        if declared.startswith("tuple"):
            found = tuple(found)
            if not all(type(part) is int and 0 <= part <= _LARGEST_COUNT for part in found):
                raise ValueError(f"{item.name} has the wrong type")
        if declared.startswith("int") and found is not None and not 0 <= found <= _LARGEST_COUNT:
            raise ValueError(f"{item.name} is {found}")
        if declared.startswith("float") and found is not None:
            found = float(found)
            if not math.isfinite(found):
                raise ValueError(f"{item.name} is {found}")
        result[item.name] = found
    return result

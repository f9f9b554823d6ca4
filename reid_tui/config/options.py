"""What a person asks for."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from reid_tui.config.choices import LARGEST_ON_SPHERE, WITHOUT_MARGIN
from reid_tui.config.learning import NetworkOptions
from reid_tui.config.limits import LIMITS, Limit
from reid_tui.errors import UsageError

if TYPE_CHECKING:
    from reid_tui.config.choices import JsonScalar


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """Which data, and how it is read and divided. None means: not said, the source decides."""

    data: str = "auto"
    data_dir: str | None = None
    image_root: str | None = None
    """Folder that the relative paths of a table start from."""
    image_size: str | None = None
    """HxW in pixels, as `parse_image_size` gives it."""
    camera_pattern: str | None = None
    """Regular expression whose first group finds the camera in a file's name."""
    holdout: str | None = None
    """Identities kept out of training: how many, or which share, as `parse_holdout` gives it."""
    exclude: str | None = None
    """Table of images that are left out, as an absolute path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions(DataOptions):
    """What the person asked for. None means: not said, the preset (or the resumed run) decides."""

    preset: str | None = None
    epochs: int | None = None
    steps: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    margin: float | None = None
    pairs: str | None = None
    images_per_identity: int | None = None
    miner: str | None = None
    loss: str | None = None
    model: str | None = None
    embedding_dim: int | None = None
    normalize: bool | None = None
    bnneck: bool | None = None
    pretrained: bool | None = None
    init: str | None = None
    """A run whose network is started from."""
    augment: str | None = None
    rotations: bool | None = None
    optimizer: str | None = None
    weight_decay: float | None = None
    schedule: str | None = None
    average_weights: float | None = None
    device: str = "auto"
    precision: str | None = None
    compile: bool | None = None
    seed: int | None = None
    runs_dir: str = "runs"
    name: str | None = None
    resume: str | None = None
    resume_or_start: str | None = None
    at: int | None = None
    """Step of the checkpoint to resume from; None for the newest good one."""
    nproc: int | None = None
    """Processes on this machine that train together."""
    eval_every: float | None = None

    def given(self) -> dict[str, Any]:
        """The options that were said, by name."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) != f.default}


def check_one_beginning(options: RunOptions, replay: str | None = None) -> None:
    """Refuse options that say in two ways which run it is to be.

    Raises:
        UsageError: they do.
    """
    ways = {"--replay": replay, "--resume": options.resume, "--resume-or-start": options.resume_or_start}
    given = [name for name, value in ways.items() if value is not None]
    if options.resume_or_start is not None and options.name is not None:
        given.append("--name")
    if options.at is not None and options.resume is None:
        raise UsageError("--at chooses a checkpoint of the run that --resume names; give --resume RUN too")
    if len(given) > 1:
        raise UsageError(f"{given[0]} and {given[1]} each say which run it is; give one of the two")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Everything that decides the course of a run, with no value left open. Stored in config.json and checkpoints."""

    data: str
    preset: str
    epochs: int
    steps: int | None
    """Stop after so many optimiser steps, whatever the epochs say."""
    batch_size: int
    """Pairs a step."""
    lr: float
    margin: float
    pairs: str
    loss: str
    model: str
    embedding_dim: int
    precision: str
    seed: int
    eval_every: float
    """In epochs."""
    eval_images: int
    """Test images scored during the run, balanced over the identities. At the end all are."""
    image_root: str | None = None
    image_size: str | None = None
    """HxW in pixels to which pictures were brought; None where the data has one size."""
    camera_pattern: str | None = None
    holdout: str | None = None
    exclude: str | None = None
    """Table of images that are left out; which those are is in the data's fingerprint."""
    images_per_identity: int | None = None
    """Of each identity in a batch; None: images of randomly drawn pairs, as in runs of older versions."""
    miner: str = "all"
    normalize: bool = False
    bnneck: bool = False
    pretrained: bool = False
    init: str | None = None
    """Run whose network was started from."""
    augment: str = "none"
    rotations: bool = False
    """Whether each identity turned by a quarter, a half and three quarters is an identity of its own."""
    optimizer: str = "adam"
    weight_decay: float = 0.0
    schedule: str = "constant"
    average_weights: float = 0.0
    """Share that the moving average of the weights keeps in a step; 0 for none."""
    precision_gain: float = 0.0
    """How many times as fast as fp32 a step was when `auto` chose the precision; 0 where nothing was timed."""
    precision_why: str = ""
    """Why it chose that one."""
    compile: bool = False
    """Whether network and loss go through torch's compiler."""
    compile_why: str = ""
    """What it gains, where it was asked for."""

    @property
    def network(self) -> NetworkOptions:
        """Which network is trained."""
        return NetworkOptions(self.model, self.embedding_dim, self.normalize, self.bnneck, self.pretrained)

    @property
    def why_no_margin(self) -> str:
        """Why the margin does nothing, as a clause; empty where it does something."""
        return WITHOUT_MARGIN.get(self.loss, "")

    @property
    def margin_limit(self) -> Limit:
        """What the margin may be turned to: two embeddings of length 1 are never farther apart than their sphere."""
        return replace(LIMITS["margin"], high=LARGEST_ON_SPHERE) if self.normalize else LIMITS["margin"]

    def data_options(self, data_dir: str | None) -> DataOptions:
        """What opens the same data again, whose files may lie elsewhere."""
        return DataOptions(
            data=self.data,
            data_dir=data_dir,
            image_root=self.image_root,
            image_size=self.image_size,
            camera_pattern=self.camera_pattern,
            holdout=self.holdout,
            exclude=self.exclude,
        )

    def to_json(self) -> dict[str, JsonScalar]:
        """As a flat JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenOptions:
    """How the dashboard is drawn."""

    fps: int = 10
    """Repaints a second, what `auto` stands for already settled."""
    glyphs: str = "auto"
    color: str = "auto"
    theme: str = "auto"
    """One of `THEMES`."""
    mouse: bool = True
    exit_when_done: bool = False
    on_hangup: str = "continue"

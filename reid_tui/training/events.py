"""What a trainer tells: frozen facts in the past tense. Loads without torch.

Legend: N images, D embedding dimensions, B histogram bins, all arrays read-only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from reid_tui.config import RunConfig
    from reid_tui.data.dataset import ImageSet, UInt8Array
    from reid_tui.evaluation.hub import Hub
    from reid_tui.evaluation.operating import Fitted

SCHEMA: Final = 1
SCHEDULE: Final = "schedule"
"""Origin of what the run's own schedule turns."""
FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
Rates = tuple[tuple[float, float], ...]
Intervals = tuple[tuple[str, tuple[float, float]], ...]
Phase = Literal["importing", "loading", "training", "evaluating", "saving"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Common to all. `seq` and `time` are stamped on the way out by the one who emits."""

    step: int
    """Optimiser steps done, skipped ones counted."""
    seq: int = 0
    time: float = 0.0
    """Unix seconds."""
    origin: str = ""
    """Who gave the command that led to it; empty for what the trainer does by itself."""


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """What the screen and the log say of the data."""

    name: str
    train_images: int
    test_images: int
    identities: int
    identity_names: tuple[str, ...]
    """Of the test images, in the order of their labels; empty where they are more than a line of the log may hold."""
    source: str
    """Where it was found, and for `auto` why it was taken."""
    unseen: bool
    """True where no test identity occurs in training."""
    choice: str = ""
    """Why `auto` took it, in a few words; empty where the person named it."""
    same_names: bool = False
    """Whether the labels of the training images mean the same identities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseChanged(Event):
    """The trainer turned to something else; `detail` is a sentence for the screen."""

    phase: Phase
    detail: str = ""
    done: int = 0
    total: int = 0
    """How much of it is done, of how much; 0 where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """Data, model and device are ready. `step` > 0 after a resume."""

    schema: int
    run: str
    device: str
    precision: str
    dataset: DatasetFacts
    model: str
    parameters: int
    batch_size: int
    pairs: str
    margin: float
    lr: float
    seed: int
    epochs: int
    total_steps: int
    steps_per_epoch: int
    pid: int
    config: RunConfig
    torch: str = ""
    """Its version; empty where it was not recorded."""
    threads: int = 0
    """That torch computes with on the CPU; 0 where it was not recorded."""
    cpu: str = ""
    """The instructions that torch uses there, such as AVX2."""
    processes: int = 1
    """That share each step."""
    left_out: tuple[int, ...] = ()
    """Training images that no epoch to come forms pairs with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(Event):
    """A step was taken with this margin and learning rate, or several were."""

    epoch: int
    """From 1."""
    loss: float
    """Of the step's batch; not finite where the step was skipped."""
    margin: float
    lr: float
    pairs_seen: int
    pairs_per_s: float
    """Over the last seconds of training, evaluations and pauses left out."""
    wall_s: float
    """Seconds trained, pauses left out."""
    skipped: int
    """Steps skipped so far because loss or gradient were not finite."""
    teaching: float = math.nan
    """Share of the step's pairs, or triplets, that still cost something; NaN in older logs."""
    rate: float = math.nan
    """The learning rate that the step was taken with: `lr` times the factor of its schedule; NaN in older logs."""
    losses: tuple[float, ...] = ()
    """Of each step that this line tells of, the last one being `step`; empty where it tells of one."""
    inside: float = math.nan
    """Share of the step's different pairs, or triplets, inside the margin; NaN where the loss has none."""

    def of_steps(self) -> list[tuple[int, float]]:
        """Step and loss of each."""
        losses = self.losses or (self.loss,)
        return list(enumerate(losses, self.step - len(losses) + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochEnded(Event):
    """`loss` is the mean over the epoch's pairs."""

    epoch: int
    loss: float
    wall_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated(Event):
    """Scores of one split, all but `threshold` and `d_prime` in 0..1; `threshold` in units of distance."""

    epoch: int
    split: str
    """unseen | test | seen | validation"""
    images: int
    rank1: float
    map: float
    auc: float
    eer: float
    threshold: float
    d_prime: float
    protocol: str = ""
    """Who was compared with whom, in a few words; empty where it was not recorded."""
    queries: int = 0
    """That have a match; the others are not counted."""
    queries_without_match: int = 0
    gallery: int = 0
    """Images that could be found."""
    rank5: float = math.nan
    rank10: float = math.nan
    rank20: float = math.nan
    map_trapezoid: float = math.nan
    """As the code of Market-1501 computes it: each precision averaged with that of the rank before."""
    minp: float = math.nan
    tar_at_far: Rates = ()
    """True acceptance rates at false acceptance rates; NaN where the pairs are too few."""
    intervals: Intervals = ()
    """Lower and upper end of 95 % intervals by the score's name; only of a final evaluation."""
    fitted: Fitted | None = None
    """Thresholds and what they are worth, without the calibration; of the main split, None in older logs."""
    hub: Hub | None = None
    """Of the main split during the run; None where no nearest answer is wrong, and in older logs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingsReady(Event):
    """A snapshot of the map. In the log the arrays lie in the file at `path`; in the process they travel along."""

    split: str
    path: str
    """Relative to the run directory; empty where the snapshot was not kept on disk."""
    full: bool = False
    """Of a whole evaluation: with the embeddings and where their images are, on disk too."""
    points: FloatArray | None = field(default=None, repr=False, compare=False)
    """(N, 2): the embedding itself, or its projection."""
    identities: IntArray | None = field(default=None, repr=False, compare=False)
    """(N,) indices into `DatasetFacts.identity_names`."""
    embeddings: FloatArray | None = field(default=None, repr=False, compare=False)
    """(N, D), where it is full."""
    rows: IntArray | None = field(default=None, repr=False, compare=False)
    """(N,) places of the points in their split, where it is full."""
    cameras: IntArray | None = field(default=None, repr=False, compare=False)
    """(N,) labels, where it is full and the data has cameras."""
    images: ImageSet | None = field(default=None, repr=False, compare=False)
    """The split; only in the process that trains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DistancesReady(Event):
    """Histogram of distances between fixed pairs; the last bin takes what lies beyond it."""

    split: str
    edges: tuple[float, ...]
    """(B + 1,)"""
    same: tuple[int, ...]
    """(B,) pairs of one identity."""
    different: tuple[int, ...]
    """(B,) pairs of two."""
    threshold: float = math.nan
    """Distance of the equal error rate of these same pairs."""
    norm: float = math.nan
    """Median length of the embeddings; NaN in older logs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused(Event):
    """Training waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed(Event):
    """Training goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginChanged(Event):
    """From the next step on. The run's schedule changes it with the origin `SCHEDULE`."""

    old: float
    new: float
    ramp: tuple[float, ...] = ()
    """Where the straight line of a schedule begins and ends that this is one of the stairs of; else empty."""

    @property
    def on_the_way(self) -> bool:
        """Whether other stairs follow."""
        return bool(self.ramp) and self.new != self.ramp[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class LrChanged(Event):
    """From the next step on."""

    old: float
    new: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspectMarked(Event):
    """A person suspects an image of a wrong label, or does no more; `suspects.csv` in the run says so."""

    split: str
    row: int
    """Place in the split."""
    identity: str
    camera: str
    """Empty where none is known."""
    path: str
    """Of the picture's file; empty where no file is one picture."""
    distance: float
    marked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLeftOut(Event):
    """No pair is formed with a training image, or pairs are again where `out` is false."""

    row: int
    """Place among the training images."""
    out: bool
    epoch: int
    """From 1, the first that it acts in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairExplained(Event):
    """Which parts of two images their distance depends on, from 0 to 9, each image for itself."""

    split: str
    first: int
    second: int
    """Places in the split."""
    distance: float
    columns: int
    """Of both images' parts."""
    first_parts: tuple[int, ...]
    second_parts: tuple[int, ...]
    """Row by row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureEmbedded(Event):
    """A picture's file was looked at, or could not be."""

    path: str
    """As it was asked for."""
    embedding: tuple[float, ...]
    """Empty where there is none."""
    problem: str = ""
    """Why not."""
    image: UInt8Array | None = field(default=None, repr=False, compare=False)
    """(C, H, W) as the network took it; only in the process that trains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSaved(Event):
    """`path` of the safetensors file, relative to the run directory; its manifest is on disk too."""

    path: str
    seconds: float
    reason: str
    """epoch | asked | stopped | finished | rewound; in older logs also diverged"""
    good: bool = True
    """False where a divergence has ruined the weights: no resume takes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewound(Event):
    """The run went on from a checkpoint, at `step`, before `from_step`: steps after it are taken again.

    What else the checkpoint brings back is not known, NaN and 0, in older logs.
    """

    from_step: int
    """The last one in the log."""
    margin: float = math.nan
    lr: float = math.nan
    pairs_seen: int = 0
    skipped: int = 0
    wall_s: float = 0.0
    left_out: tuple[int, ...] = ()
    """As in a start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRefused(Event):
    """`command` is its class name in lower_snake."""

    command: str
    reason: str
    count: int = 1
    """So many times within a second, the last of them at `step`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned(Event):
    """Something went wrong that training survives."""

    code: str
    """step_skipped | save_failed | log_failed | log_gap | checkpoint_rejected | ..."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRaised(Event):
    """Something goes wrong that the loss alone does not show."""

    alarm: str
    """collapse | nothing_left | overfitting | norm | plateau | hub | slow"""
    since: int
    """The step at which it began."""
    message: str
    """What is seen."""
    remedy: str
    """What to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmOver(Event):
    """It holds no longer."""

    alarm: str
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Diverged(Event):
    """Three steps in a row were not finite, or exploded. Training waits, or ends where nobody can steer it."""

    reason: str
    checkpoint: str
    """The last good one, relative to the run directory; empty where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(Event):
    """Training ended by an error."""

    message: str
    exit_code: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped(Event):
    """Training ended because it was told to."""

    reason: str
    """asked | SIGINT | SIGTERM | SIGXCPU | SIGHUP"""
    saved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(Event):
    """Training reached its last step."""

    reason: str
    """epochs | steps"""
    steps: int
    wall_s: float
    loss: float
    """Mean of the last epoch's pairs."""
    note: str = ""
    """Told again, of a run that was finished before: which, and how it is made longer. Never in its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost(Event):
    """The process that trained is gone without a word. Told by whoever looks at the run, never in its log."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Output(Event):
    """Native code or a library wrote a line. Told by whoever reads the run's `run.log`, never in its log of events."""

    text: str


AnyEvent = (
    PhaseChanged
    | RunStarted
    | Progress
    | EpochEnded
    | Evaluated
    | EmbeddingsReady
    | DistancesReady
    | Paused
    | Resumed
    | MarginChanged
    | LrChanged
    | SuspectMarked
    | ImageLeftOut
    | PairExplained
    | PictureEmbedded
    | CheckpointSaved
    | Rewound
    | CommandRefused
    | Warned
    | AlarmRaised
    | AlarmOver
    | Diverged
    | Failed
    | Stopped
    | Finished
    | Lost
    | Output
)
Listener = Callable[[AnyEvent], None]


def snake(name: str) -> str:
    """CamelCase to lower_snake."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


EVENT_TYPES: Final[dict[str, type[AnyEvent]]] = {snake(kind.__name__): kind for kind in AnyEvent.__args__}
_LAST: Final = (Failed, Stopped, Finished)


def ends_run(event: AnyEvent) -> bool:
    """True for the event after which no other follows."""
    return isinstance(event, _LAST)

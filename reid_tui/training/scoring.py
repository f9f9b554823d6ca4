"""What a run is scored on: a fixed sample of each split's images, and all of them at the end.

Legend: N images, D embedding dimensions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import numpy as np
import torch

from reid_tui.data.sample import balanced_sample, retrieval_sample
from reid_tui.errors import CheckpointError
from reid_tui.evaluation.embed import embed
from reid_tui.evaluation.evaluate import PAIRS, evaluate
from reid_tui.evaluation.fitting import FEWER_PAIRS, fit_operating_points
from reid_tui.evaluation.fitting import PAIRS as PAIRS_TO_FIT
from reid_tui.evaluation.hub import hub_of
from reid_tui.evaluation.projection import Projection
from reid_tui.evaluation.ranking import MAX_BYTES
from reid_tui.learning.networks import layout_on, to_input
from reid_tui.training.splits import VALIDATION, chooses

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from reid_tui.config import RunConfig
    from reid_tui.data.dataset import Dataset, ImageSet
    from reid_tui.evaluation.evaluate import Evaluation
    from reid_tui.evaluation.hub import Hub
    from reid_tui.evaluation.labels import Labels
    from reid_tui.evaluation.operating import Fitted
    from reid_tui.training.events import FloatArray, IntArray
    from reid_tui.training.together.group import Group

Kind = TypeVar("Kind", bound=np.generic)
EVALUATION_SEED: Final = 0
"""The same images and pairs in every run, whatever its seed: scores of two runs compare."""
MAP_IMAGES: Final = 512
"""In the snapshots between two evaluations."""
FARTHEST: Final = 1e15
"""A coordinate beyond this has no distance in float32: its square overflows."""
MAP_PAIRS: Final = 4000
MAP_SHARE: Final = 0.025
"""Of the time, at most, that these snapshots may cost."""
MOST_POINTS: Final = 20_000
"""Of a picture; of more images those of the run's sample are shown."""
GPU_STEPS: Final = 16
"""So many times the steps pass there while a snapshot is made: half of it is made beside the GPU."""
BF16_STEPS: Final = 2
"""The same where they pass in bf16, 1.6 to 3 times as fast as in float32."""
MOST_BYTES: Final = 16 * 2**20
"""Of its embeddings; the same holds where they are larger."""
MAP_SNAPSHOTS: Final = 200
"""About so many in a long run."""
ROOM: Final = 4 * MAX_BYTES
"""Bytes: a GPU's sort gives the order of the keys along, twice their size, and works on copies of both."""


def ranks_on(device: torch.device) -> bool:
    """Whether embeddings are scored on the device where they are: on a GPU with memory to spare."""
    return device.type == "cuda" and torch.cuda.mem_get_info(device)[0] >= ROOM


def map_interval(batch_size: int, total_steps: int, *, on_gpu: bool = False, bf16: bool = False) -> int:
    """Steps between two snapshots of the map, so that they cost little and stay few.

    Args:
        batch_size: pairs a step. A step costs three times the forward pass of its 2 * `batch_size` images.
        total_steps: of the run.
        on_gpu: steps are taken there, while half of a snapshot is made beside it.
        bf16: steps are taken in it, while a snapshot is made in float32.
    """
    cost_in_steps = MAP_IMAGES / (2 * batch_size * 3) * (GPU_STEPS if on_gpu else BF16_STEPS if bf16 else 1)
    return max(1, round(cost_in_steps / MAP_SHARE), total_steps // MAP_SNAPSHOTS)


class Gallery(NamedTuple):
    """What the points of a picture are, beyond their place on the map. Arrays are read-only."""

    embeddings: FloatArray
    """(N, D)"""
    rows: IntArray
    """(N,) places in the split."""
    cameras: IntArray | None
    """(N,)"""
    images: ImageSet
    """The split."""


class LookedAt(NamedTuple):
    """Embeddings as points, scored or not."""

    points: FloatArray
    """(N, 2) read-only."""
    identities: IntArray
    """(N,) read-only, >= 0."""
    gallery: Gallery | None


@dataclass(frozen=True, slots=True)
class Picture:
    """A scored set of embeddings, ready to be shown. Distractors are no points."""

    points: FloatArray
    """(N, 2) read-only."""
    identities: IntArray
    """(N,) read-only, >= 0."""
    evaluation: Evaluation
    norm: float
    """Median length of the embeddings."""
    gallery: Gallery | None = None
    """None for a quick look."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What one moment's network is worth on every split."""

    evaluations: dict[str, Evaluation]
    """By split, the main one last."""
    picture: Picture
    """Of the main one."""
    fitted: Fitted | None
    """To it; None where it has no pairs of a kind."""
    hub: Hub | None
    """Of it; None where all images were scored, or no nearest answer is wrong."""


class _Measured(NamedTuple):
    places: IntArray
    embeddings_ND: Tensor
    labels: Labels
    evaluation: Evaluation


@dataclass(frozen=True, slots=True, eq=False)
class _Split:
    name: str
    images: ImageSet
    sample: IntArray
    """(n,) places of the images that are scored during the run."""

    @classmethod
    def of(cls, name: str, images: ImageSet, count: int) -> _Split:
        """With a sample of at most `count` images, also where no query has a match."""
        sample = retrieval_sample(images.labels, count, EVALUATION_SEED)
        some = (images.identities[sample] >= 0).any()
        return cls(name, images, sample if some else np.flatnonzero(images.identities >= 0)[:count])


def all_places(labels: Labels) -> IntArray:
    """(N,) places of all images, where none has a role those that a smaller sample takes first."""
    if labels.roles_N is None:
        return balanced_sample(labels.identities_N, len(labels), EVALUATION_SEED)
    return np.arange(len(labels))


class Scorer:
    """Scores a network on the test images, and on those of a validation. Keeps nothing of the training but the axes."""

    def __init__(self, dataset: Dataset, config: RunConfig, device: torch.device, group: Group | None = None) -> None:
        """Fix the samples. Each of the other splits costs at most half of what the main one does.

        Args:
            dataset: its test and validation images are scored.
            config: of the run.
            device: where the network is.
            group: the processes that embed the images together.
        """
        main = "unseen" if dataset.unseen else "test"
        others = {"validation": dataset.validation, "seen": dataset.seen}
        self._others = [
            _Split.of(name, images, config.eval_images // 2) for name, images in others.items() if images is not None
        ]
        self._main = _Split.of(main, dataset.test, config.eval_images)
        self.choosing = chooses(split.name for split in (*self._others, self._main))
        """The split whose mAP says which checkpoint is the best."""
        self._device = device
        self._layout = layout_on(device, config.precision)
        self._group = group
        self._dim = config.embedding_dim
        self._projection = Projection(config.embedding_dim)

    @property
    def split(self) -> str:
        """The main one: that of the map and the histogram."""
        return self._main.name

    def tensors(self) -> dict[str, Tensor]:
        """The map's axes, for a checkpoint; none before the first snapshot, and none where D is 2."""
        if self._dim == 2:
            return {}
        return {f"projection.{name}": torch.from_numpy(value) for name, value in self._projection.state().items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take over what `tensors` gave.

        Raises:
            CheckpointError: they do not fit; nothing is changed.
        """
        shapes = {"basis": (self._dim, 2), "mean": (self._dim,)}
        state = {name: tensors[key] for name in shapes if (key := f"projection.{name}") in tensors}
        if self._dim == 2 or not state:
            self._projection = Projection(self._dim)
            return
        for name, shape in shapes.items():
            value = state.get(name)
            fits = value is not None and value.shape == shape and value.dtype == torch.float64
            if not fits or not bool(state[name].isfinite().all()):
                raise CheckpointError(f"the checkpoint is damaged: projection.{name} is missing or does not fit")
        self._projection = Projection(self._dim, {name: value.numpy() for name, value in state.items()})

    def snapshot(self, network: nn.Module, margin: float) -> Picture | None:
        """A quick look at the first images of the sample; None where embeddings have no usable distances."""
        measured = self._measured(network, self._main, self._main.sample[:MAP_IMAGES], margin, MAP_PAIRS)
        return None if measured is None else self._picture(measured)

    def looked_at(self, network: nn.Module, images: ImageSet, places: IntArray) -> LookedAt | None:
        """Some images of any split, by this process alone; None where embeddings have no usable distances.

        Scores nothing, and the map's axes stay as they are.
        """
        embeddings_ND = self._embed_images(network, images, places)
        if not within_bounds(embeddings_ND):
            return None
        identities = read_only(images.identities[places])
        points = self._projection.place(embeddings_ND)
        return LookedAt(points, identities, gallery_of(images, places, embeddings_ND))

    def evaluate(
        self, network: nn.Module, margin: float, *, everything: bool = False, go_on: Callable[[], None] = lambda: None
    ) -> Scored | None:
        """Score the sample of every split, or all its images; None where embeddings have no usable distances.

        Args:
            network: scored as it is.
            margin: in units of distance.
            everything: all images.
            go_on: called every fraction of a second; what it raises ends the work and leaves the scorer as it was.
        """

        def measured(split: _Split) -> _Measured | None:
            index = all_places(split.images.labels) if everything else split.sample
            reported = everything and split.name != VALIDATION
            return self._measured(network, split, index, margin, intervals=reported, go_on=go_on)

        evaluations = {}
        for split in self._others:
            if (other := measured(split)) is None:
                return None
            evaluations[split.name] = other.evaluation
        if (main := measured(self._main)) is None:
            return None
        go_on()
        pairs = PAIRS_TO_FIT if everything else FEWER_PAIRS
        fitted = fit_operating_points(main.embeddings_ND, main.labels, seed=EVALUATION_SEED, pairs=pairs)
        sample = self._main.sample
        first = not everything or main.labels.roles_N is None
        picture = self._picture(main, np.arange(len(sample)) if first else sample, self._main.images)
        hub = None if everything else hub_of(main.embeddings_ND, main.labels)
        return Scored({**evaluations, self.split: main.evaluation}, picture, fitted, hub)

    def _measured(
        self,
        network: nn.Module,
        split: _Split,
        index: IntArray,
        margin: float,
        pairs: int = PAIRS,
        *,
        intervals: bool = False,
        go_on: Callable[[], None] = lambda: None,
    ) -> _Measured | None:
        embeddings_ND = self._embedded(network, split, index, go_on)
        if not within_bounds(embeddings_ND):
            return None
        labels = split.images.labels.of(index)
        evaluation = evaluate(
            embeddings_ND,
            labels,
            seed=EVALUATION_SEED,
            margin=margin,
            pairs=pairs,
            intervals=intervals,
            go_on=go_on,
        )
        return _Measured(index, embeddings_ND, labels, evaluation)

    def _embedded(self, network: nn.Module, split: _Split, index: IntArray, go_on: Callable[[], None]) -> Tensor:
        """(n, D) on the CPU, or where they were computed."""
        if self._group is None:
            return self._embed(network, split, index, go_on)
        from reid_tui.training.together.embedding import embed_together

        number = [*self._others, self._main].index(split)
        return embed_together(
            self._group, number, index, lambda part: self._embed(network, split, part).cpu(), self._dim, go_on
        )

    def embed(self, network: nn.Module, number: int, index: IntArray) -> Tensor:
        """(n, D) on the CPU: images of a split by its number, for another process."""
        return self._embed(network, [*self._others, self._main][number], index).cpu()

    def _embed(
        self, network: nn.Module, split: _Split, index: IntArray, go_on: Callable[[], None] = lambda: None
    ) -> Tensor:
        return self._embed_images(network, split.images, index, go_on)

    def _embed_images(
        self, network: nn.Module, images: ImageSet, index: IntArray, go_on: Callable[[], None] = lambda: None
    ) -> Tensor:
        def prepare(part: Tensor) -> Tensor:
            go_on()
            return to_input(torch.from_numpy(images.take(part.numpy())).to(self._device), layout=self._layout)

        embeddings_ND = embed(network, torch.from_numpy(index), prepare=prepare)
        return embeddings_ND if ranks_on(embeddings_ND.device) else embeddings_ND.cpu()

    def _picture(self, measured: _Measured, sample: IntArray | None = None, images: ImageSet | None = None) -> Picture:
        """Of all that was measured, or where that is too much of some of it; full where the images are given."""
        shown = measured.labels.identities_N >= 0
        if sample is not None and len(shown) > min(MOST_POINTS, MOST_BYTES // (4 * self._dim)):
            shown &= np.isin(np.arange(len(shown)), sample)
        shown_MD = measured.embeddings_ND[torch.from_numpy(shown)]
        identities = read_only(measured.labels.identities_N[shown])
        norm = float(torch.linalg.vector_norm(shown_MD.float(), dim=1).median()) if len(shown_MD) else math.nan
        points = self._projection.points(shown_MD)
        gallery = None if images is None else gallery_of(images, measured.places[shown], shown_MD)
        return Picture(points, identities, measured.evaluation, norm, gallery)


def within_bounds(embeddings_ND: Tensor) -> bool:
    """Whether distances can be taken between them."""
    lowest, highest = torch.aminmax(embeddings_ND)
    return bool(-lowest < FARTHEST and highest < FARTHEST)  # false for NaN too


def gallery_of(images: ImageSet, rows: IntArray, embeddings_ND: Tensor) -> Gallery:
    """Some images of a split with their embeddings."""
    cameras = None if images.cameras is None else read_only(images.cameras[rows])
    return Gallery(read_only(embeddings_ND.cpu().numpy()), read_only(rows), cameras, images)


def read_only(array: NDArray[Kind]) -> NDArray[Kind]:
    """The same array, which nobody changes any more."""
    array.flags.writeable = False
    return array

"""What a run is scored on: a fixed sample of the test images, and all of them at the end.

Legend: N images, D embedding dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from reid_tui.data.sample import balanced_sample
from reid_tui.errors import CheckpointError
from reid_tui.evaluation.embed import embed
from reid_tui.evaluation.evaluate import PAIRS, evaluate
from reid_tui.evaluation.projection import Projection
from reid_tui.learning.networks import to_input

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from reid_tui.config import RunConfig
    from reid_tui.data.dataset import Dataset
    from reid_tui.evaluation.evaluate import Evaluation
    from reid_tui.training.events import FloatArray, IntArray

EVALUATION_SEED: Final = 0
"""The same images and pairs in every run, whatever its seed: scores of two runs compare."""
MAP_IMAGES: Final = 512
"""In the snapshots between two evaluations."""
FARTHEST: Final = 1e15
"""A coordinate beyond this has no distance in float32: its square overflows."""
MAP_PAIRS: Final = 4000
MAP_SHARE: Final = 0.025
"""Of the time, at most, that these snapshots may cost."""
MAP_SNAPSHOTS: Final = 200
"""About so many in a long run."""


def map_interval(batch_size: int, total_steps: int) -> int:
    """Steps between two snapshots of the map, so that they cost little and stay few.

    Args:
        batch_size: pairs a step. A step costs three times the forward pass of its 2 * `batch_size` images.
        total_steps: of the run.
    """
    cost_in_steps = MAP_IMAGES / (2 * batch_size * 3)
    return max(1, round(cost_in_steps / MAP_SHARE), total_steps // MAP_SNAPSHOTS)


@dataclass(frozen=True, slots=True)
class Picture:
    """A scored set of embeddings, ready to be shown."""

    points: FloatArray
    """(N, 2) read-only."""
    identities: IntArray
    """(N,) read-only."""
    evaluation: Evaluation


class Scorer:
    """Scores a network on the test images. Keeps nothing of the training but the map's axes."""

    def __init__(self, dataset: Dataset, config: RunConfig, device: torch.device) -> None:
        """Fix the sample.

        Args:
            dataset: its test images are scored.
            config: of the run.
            device: where the network is.
        """
        self.split = "unseen" if dataset.unseen else "test"
        self._test = dataset.test
        self._device = device
        self._sample = balanced_sample(dataset.test.identities, config.eval_images, EVALUATION_SEED)
        self._dim = config.embedding_dim
        self._projection = Projection(config.embedding_dim)

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
        return self._picture(network, self._sample[:MAP_IMAGES], margin, MAP_PAIRS)

    def evaluate(
        self, network: nn.Module, margin: float, *, everything: bool = False, go_on: Callable[[], None] = lambda: None
    ) -> Picture | None:
        """Score the sample, or all test images; None where embeddings have no usable distances.

        Args:
            network: scored as it is.
            margin: in units of distance.
            everything: all test images.
            go_on: called every fraction of a second; what it raises ends the work and leaves the scorer as it was.
        """
        if everything:
            index = balanced_sample(self._test.identities, len(self._test), EVALUATION_SEED)
            return self._picture(network, index, margin, intervals=True, go_on=go_on)
        return self._picture(network, self._sample, margin, go_on=go_on)

    def _picture(
        self,
        network: nn.Module,
        index: IntArray,
        margin: float,
        pairs: int = PAIRS,
        *,
        intervals: bool = False,
        go_on: Callable[[], None] = lambda: None,
    ) -> Picture | None:
        def prepare(part: Tensor) -> Tensor:
            go_on()
            return to_input(part.to(self._device))

        embeddings_ND = embed(network, torch.from_numpy(self._test.take(index)), prepare=prepare).cpu()
        if not embeddings_ND.abs().max() < FARTHEST:  # false for NaN too
            return None
        labels = self._test.labels.of(index)
        labels.identities_N.flags.writeable = False
        evaluation = evaluate(
            embeddings_ND,
            labels,
            seed=EVALUATION_SEED,
            margin=margin,
            pairs=pairs,
            intervals=intervals,
            go_on=go_on,
        )
        return Picture(self._projection.points(embeddings_ND), labels.identities_N, evaluation)

"""One optimiser step, and all that it changes: network, loss, optimiser, average, margin, learning rate.

Legend: P pairs of a batch, N images.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from reid_tui.data.leaving_out import batches_without, pairs_without
from reid_tui.data.pairs import EpochPairs
from reid_tui.errors import CheckpointError
from reid_tui.evaluation.embed import evaluating
from reid_tui.learning.averages import PREFIX as AVERAGE
from reid_tui.learning.averages import WeightAverage
from reid_tui.learning.networks import build_network
from reid_tui.learning.objectives import build_objective
from reid_tui.learning.optimizers import STATE, build_optimizer, load_state, state_tensors
from reid_tui.learning.rotations import check_square, rotated_labels
from reid_tui.learning.weights import NETWORK, fitting, put_weights, take_weights
from reid_tui.training.placed import PlacedImages
from reid_tui.training.steps import build_steps
from reid_tui.training.steps.parts import Parts, StepResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor, nn

    from reid_tui.config import RunConfig
    from reid_tui.data.dataset import ImageSet
    from reid_tui.training.together.group import Group

OBJECTIVE = "loss."
"""Beginning of the names of the loss's tensors in a checkpoint."""


class Learner:
    """The Siamese network in training. Owns margin and learning rate; nobody else keeps a copy that counts."""

    def __init__(
        self,
        config: RunConfig,
        train: ImageSet,
        device: torch.device,
        start: dict[str, Tensor] | None = None,
        *,
        restored: bool = False,
        group: Group | None = None,
    ) -> None:
        """Build network, loss and optimiser on a device and put the images there, if they fit.

        Args:
            config: resolved.
            train: the images that pairs index.
            device: where to compute.
            start: tensors of another run, from which the network begins.
            restored: whether all weights come from a checkpoint of the run anyway.
            group: the processes that train together; rank 0 hands out what it begins with.

        Raises:
            UsageError: unknown model, images it cannot take, settings that do not go together, or weights that do not
                fit.
        """
        self.device = device
        if device.type == "cuda":
            # torch's default, TF32, keeps 10 bits of 23; and cuDNN's fastest backward pass adds in any order
            torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]
            torch.backends.cudnn.deterministic = True
        self._config = config
        channels, height, width = train.shape
        classes = int(train.identities.max(initial=0)) + 1
        self.identities_N = train.identities
        """Of what pairs index: the training images, or these and their turns."""
        if config.rotations:
            check_square(height, width)
            self.identities_N, classes = rotated_labels(train.identities, classes), 4 * classes
        self._train_images = len(train)
        self._images = PlacedImages(train, device, turned=config.rotations)
        self._start = start
        wanted = dataclasses.replace(config.network, pretrained=config.pretrained and not restored)
        self._build = functools.partial(build_network, wanted, channels, height, width, config.seed)
        self._build_objective = functools.partial(
            build_objective, config.loss, config.miner, classes=classes, dim=config.embedding_dim, seed=config.seed
        )
        self.network = self._begun().to(device)
        in_batches = config.images_per_identity is not None
        self.objective = self._build_objective().to(device) if in_batches else None
        self._parameters = list(self.network.parameters())
        if self.objective is not None:
            self._parameters += self.objective.parameters()
        self.optimizer = build_optimizer(config.optimizer, self._parameters, config.lr, config.weight_decay, device)
        self._lr, self._factor = config.lr, 1.0
        self.average = WeightAverage(self.network, config.average_weights) if config.average_weights else None
        self._margin = torch.tensor(config.margin, dtype=torch.float32, device=device)
        self._margin_value = config.margin
        self.parts = Parts(
            config=config,
            device=device,
            images=self._images,
            identities_N=self.identities_N,
            network=self.network,
            objective=self.objective,
            parameters=self._parameters,
            optimizer=self.optimizer,
            average=self.average,
            margin=self._margin,
            group=group,
        )
        """What a step works with."""
        self._steps = build_steps(self.parts)
        self._hand_out(self.tensors)

    @property
    def margin(self) -> float:
        """In units of distance."""
        return self._margin_value

    @margin.setter
    def margin(self, value: float) -> None:
        self._margin_value = value
        self._margin.fill_(value)

    def margin_refused(self, value: float) -> str:
        """Why this margin does nothing, or nothing any more, as a clause; empty where it does something."""
        highest = self._config.margin_limit.high
        if not self._config.why_no_margin and self._config.normalize and value > highest:
            return f"embeddings of length 1 are at most {highest:g} apart, so the margin ends there"
        return self._config.why_no_margin

    @property
    def lr(self) -> float:
        """The learning rate that a schedule scales."""
        return self._lr

    @lr.setter
    def lr(self, value: float) -> None:
        self._lr = value

    @property
    def rate(self) -> float:
        """The learning rate of the newest step: what was set, times the schedule's factor."""
        return self._lr * self._factor

    @property
    def scored(self) -> nn.Module:
        """The network that is evaluated, shown and used: the average of the weights, where there is one."""
        return self.network if self.average is None else self.average.network

    def draw(self, epoch: int, left_out: frozenset[int] = frozenset()) -> EpochPairs:
        """The pairs of an epoch, whose halves are the images of a batch; without some training images and their turns.

        Raises:
            DataError: fewer than two identities are left.
        """
        seed, size = self._config.seed, self._config.batch_size
        without = np.flatnonzero(np.isin(np.arange(len(self.identities_N)) % self._train_images, list(left_out)))
        if self._config.images_per_identity is None:
            return pairs_without(self.identities_N, without, seed, epoch)
        each = self._config.images_per_identity
        batches = batches_without(self.identities_N, without, 2 * size, each, seed, epoch)
        first_P, second_P = batches[:, :size].ravel(), batches[:, size:].ravel()
        return EpochPairs(first_P, second_P, self.identities_N[first_P] == self.identities_N[second_P])

    def loss(self, pairs: EpochPairs, step: int = 0) -> Tensor:
        """Loss of a batch, with its graph: of its P pairs, or of what its 2P images form.

        Args:
            pairs: index pairs into the training images.
            step: of the run, from 0; decides what is drawn for it.

        Returns:
            () float32.
        """
        return self._steps.loss(pairs, step)

    @property
    def at_once(self) -> int:
        """Most steps that `advance` should take in one call."""
        return self._steps.at_once

    def step(self, pairs: EpochPairs, step: int = 0, factor: float = 1.0) -> StepResult:
        """Take one optimiser step; arguments as for `advance`."""
        return self.advance([pairs], step, [factor])[0]

    def advance(self, batches: Sequence[EpochPairs], step: int, factors: Sequence[float]) -> list[StepResult]:
        """Take one optimiser step on each batch of pairs, unless its loss or gradient is not finite.

        Args:
            batches: index pairs into the training images.
            step: of the run, from 0, that the first one is.
            factors: of the learning rate, from its schedule, one for each.
        """
        self._factor = factors[-1]
        return self._steps.take(batches, step, [self._lr * factor for factor in factors])

    def loss_ahead(self, pairs: EpochPairs, step: int = 0) -> float:
        """Loss of a batch that is not trained on, by the present weights. Changes nothing.

        Returns:
            The largest float32 where the loss, a weight or one of the optimiser's averages is not finite.
        """
        with evaluating(self.network):
            value = self.loss(pairs, step).item()
        averages = [state[key] for state in self.optimizer.state.values() for key in STATE[self._config.optimizer]]
        numbers = [*self.network.state_dict().values(), *self._parameters, *averages]
        finite = math.isfinite(value) and all(bool(tensor.isfinite().all()) for tensor in numbers)
        return value if finite else torch.finfo(torch.float32).max

    def _begun(self) -> nn.Module:
        """A network before its first step."""
        network = self._build()
        if self._start is not None:
            take_weights(network, self._start)
        return network

    def beginning(self) -> dict[str, Tensor]:
        """As `tensors`, before the first step.

        Raises:
            CheckpointError: the run began with weights that it has not drawn; its checkpoint of step 0 has them.
        """
        if self._config.init is not None or self._config.pretrained:
            raise CheckpointError("no checkpoint of step 0, which holds the weights that this run began with")
        weights = self._build().state_dict()
        named = {NETWORK + name: value for name, value in weights.items()}
        if self.objective is not None:
            named |= {OBJECTIVE + name: value for name, value in self._build_objective().state_dict().items()}
        if self.average is not None:
            named |= WeightAverage(self._build(), self._config.average_weights).tensors()
        return named

    def tensors(self) -> dict[str, Tensor]:
        """Weights and optimiser state by name, on the CPU and contiguous, for a checkpoint."""
        named = {NETWORK + name: value for name, value in self.network.state_dict().items()}
        if self.objective is not None:
            named |= {OBJECTIVE + name: value for name, value in self.objective.state_dict().items()}
        whole = {name: value.detach().cpu().contiguous() for name, value in named.items()}
        whole |= state_tensors(self._config.optimizer, self.optimizer, self._parameters)
        return whole if self.average is None else whole | self.average.tensors()

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take over what `tensors` gave. Nothing is changed when something does not fit.

        Raises:
            CheckpointError: names or shapes are those of another network.
        """
        weights = fitting(self.network, tensors, NETWORK)
        losses = {} if self.objective is None else fitting(self.objective, tensors, OBJECTIVE)
        if self.average is not None:
            fitting(self.average.network, tensors, AVERAGE)
        load_state(self._config.optimizer, self.optimizer, self._parameters, tensors)
        put_weights(self.network, weights)
        if self.average is not None:
            self.average.restore(tensors)
        if self.objective is not None:
            put_weights(self.objective, losses)
        self._steps.restored()
        self._hand_out(lambda: tensors)

    def _hand_out(self, tensors: Callable[[], dict[str, Tensor]]) -> None:
        """Let the other processes, if there are some, go on from the same."""
        group = self.parts.group
        if group is not None and group.leads:
            group.hand_out(tensors())

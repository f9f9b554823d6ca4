"""Several steps without waiting for the device: all that they depend on lies there, and so does what they gave.

On CUDA the step is captured into a graph once, and replayed. What the host decides (pairs, rates, augmentations) lies
in queues on the device, of which each step takes its row: so a live change needs no new capture.

Legend: K steps at once, N images of a batch, P pairs.
"""

from __future__ import annotations

import functools
import logging
import time
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np
import torch

from reid_tui.config import augment_kinds
from reid_tui.learning.augment import Augmentation
from reid_tui.learning.networks import to_input
from reid_tui.learning.objectives import alike_in_every_step
from reid_tui.training.steps.batches import Batch, Batches
from reid_tui.training.steps.costs import Costs
from reid_tui.training.steps.parts import StepResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from reid_tui.data.pairs import EpochPairs
    from reid_tui.training.steps.parts import Parts

LOGGER = logging.getLogger("reid_tui")
MOST: Final = 128
"""Steps at once."""
LONGEST_S: Final = 0.05
"""About what they may take: so long a command waits."""
AGREES: Final = 0.05
"""Part of a step's change by which a replay's may differ: the first step of Adam makes much of rounding."""
ROUNDING: Final = 1e-6
WARM_UP: Final = 3
"""Steps before the capture, in which libraries choose their kernels."""


def can_stay_on_device(parts: Parts) -> bool:
    """Whether a step needs nothing of the host but what it can be given beforehand."""
    config = parts.config
    return (
        parts.images.resident is not None
        and config.optimizer in ("adam", "adamw")  # only these skip a whole update on the device
        and not (config.pairs == "batch" and parts.objective is None)
        and alike_in_every_step(config.loss, config.miner)
    )


class Replayed(Protocol):
    """A captured step."""

    def replay(self) -> None:
        """Take it."""
        ...


class _Queue(NamedTuple):
    """What K steps are given and give, row by row."""

    index_KN: Tensor
    labels_KN: Tensor
    same_KP: Tensor
    plan_KN: Tensor
    """Augmentations."""
    numbers_K2: Tensor
    """Learning rate, and the share of the weights in their average."""
    results_K4: Tensor
    """Loss, teaching, 1 where the step was applied, and the gradient's norm."""
    row: Tensor
    """(1,) of the next step."""


class DeviceSteps:
    """Takes steps of Adam whose images all lie on the device."""

    def __init__(self, parts: Parts, costs: Costs) -> None:
        self._parts = parts
        self._costs = costs
        self._augmentation = Augmentation(augment_kinds(parts.config.augment))
        self._statistics = list(parts.network.buffers())
        self._before = [buffer.clone() for buffer in self._statistics]
        self._rate, self._bad, self._held = torch.zeros(3, device=parts.device).unbind()
        """The learning rate; 1 where a step is not to be applied; 1 where none is."""
        parts.optimizer.found_inf, parts.optimizer.grad_scale = self._bad, None  # type: ignore[attr-defined]
        self._queue: _Queue | None = None
        self._graph: torch.cuda.CUDAGraph | None = None
        self._captures = parts.device.type == "cuda"
        """Whether it is to be tried."""
        self._at_once = 1

    @property
    def at_once(self) -> int:
        """As `Steps`."""
        return self._at_once

    def loss(self, pairs: EpochPairs, step: int) -> Tensor:
        """As `Steps`."""
        return Costs(self._parts).of(Batches(self._parts).of(pairs, step), step).loss

    def take(self, batches: Sequence[EpochPairs], step: int, rates: Sequence[float]) -> list[StepResult]:
        """As `Steps`. Waits for the device once, and once more where an epoch's last batch is smaller."""
        if len(batches[-1]) < len(batches[0]):
            return [
                *self.take(batches[:-1], step, rates[:-1]),
                *self.take(batches[-1:], step + len(batches) - 1, rates[-1:]),
            ]
        before = time.perf_counter()
        for group in self._parts.optimizer.param_groups:
            group["lr"], group["capturable"] = self._rate, self._captures
        given = self._given(batches, step, rates)
        whole = len(batches[0].first_P) == self._parts.config.batch_size
        if whole and self._captures and self._graph is None:
            self._capture(given)
        if whole and self._graph is not None and self._queue is not None:
            for kept, new in zip(self._queue, given, strict=True):
                kept[: len(new)].copy_(new, non_blocking=True)
            for _ in batches:
                self._graph.replay()
            given = self._queue
        else:
            for _ in batches:
                self._one(given)
        results = given.results_K4[: len(batches)].tolist()
        seconds = (time.perf_counter() - before) / len(batches)
        self._at_once = max(1, min(MOST, int(LONGEST_S / seconds)))
        return [StepResult(loss, applied=bool(applied), teaching=teaching) for loss, teaching, applied, _ in results]

    def restored(self) -> None:
        """As `Steps`: a graph would go on with the tensors of before."""
        self._graph = None

    def _given(self, batches: Sequence[EpochPairs], step: int, rates: Sequence[float]) -> _Queue:
        """A queue of steps whose batches are of one size."""
        parts = self._parts
        _, height, width = parts.images.shape
        index_KN = np.stack([np.concatenate([pairs.first_P, pairs.second_P]) for pairs in batches])
        steps, images = index_KN.shape
        plans = [
            self._augmentation.plan(images, height, width, seed=parts.config.seed, step=number)
            for number in range(step, step + steps)
            if self._augmentation.kinds
        ]
        shares = [parts.average.share(number + 1) if parts.average else 0.0 for number in range(step, step + steps)]
        host = (
            index_KN,
            parts.identities_N[index_KN],
            np.stack([pairs.same_P for pairs in batches]),
            np.stack(plans) if plans else np.zeros((steps, 0), np.float32),
            np.stack([rates, shares], axis=1).astype(np.float32),
            np.zeros((steps, 4), np.float32),
            np.zeros(1, np.int64),
        )
        return _Queue._make(self._sent(torch.from_numpy(part)) for part in host)

    def _sent(self, part: Tensor) -> Tensor:
        pinned = part.pin_memory() if self._parts.device.type == "cuda" else part
        return pinned.to(self._parts.device, non_blocking=True)

    def _one(self, queue: _Queue) -> None:
        """Take the queue's next step, with nothing that the host waits for."""
        parts, optimizer = self._parts, self._parts.optimizer
        assert parts.images.resident is not None
        index_N, labels_N, same_P, plan_N, numbers_2 = (part.index_select(0, queue.row)[0] for part in queue[:5])
        if self._statistics:
            torch._foreach_copy_(self._before, self._statistics)
        images = to_input(parts.images.resident.index_select(0, index_N), layout=parts.layout)
        if self._augmentation.kinds:
            images = self._augmentation.apply(images, plan_N)
        optimizer.zero_grad(set_to_none=True)
        cost = self._costs.of(Batch(images, labels_N, index_N, same_P), 0)
        cost.loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            gradients = [parameter.grad for parameter in parts.parameters if parameter.grad is not None]
            norm = torch.nn.utils.get_total_norm(gradients)
            good = cost.loss.isfinite() & norm.isfinite()
            self._bad.copy_(torch.maximum((~good).float(), self._held))
            self._rate.copy_(numbers_2[0])
            optimizer.step()
            for now, before in zip(self._statistics, self._before, strict=True):
                torch.where(self._bad > 0, before, now, out=now)
            if parts.average is not None:
                parts.average.update(numbers_2[1] * (1 - self._bad))
            result_4 = torch.stack([cost.loss.detach().float(), cost.teaching.float(), good.float(), norm.float()])
            queue.results_K4.index_copy_(0, queue.row, result_4[None])
            queue.row.add_(1)

    def _capture(self, given: _Queue) -> None:
        """Capture a step, held back so that it changes nothing. What cannot be captured is taken as it is."""
        rows = torch.arange(MOST, device=self._parts.device) % len(given.index_KN)
        self._queue = _Queue._make([*(part[rows] for part in given[:-1]), given.row.clone()])
        self._held.fill_(1)
        try:
            self._graph = self._captured(self._queue)
        except RuntimeError:
            LOGGER.exception("a step could not be captured into a CUDA graph; steps are taken without one")
            self._captures = False
        finally:
            self._held.fill_(0)

    def _captured(self, queue: _Queue) -> torch.cuda.CUDAGraph:
        """A graph of one step.

        Raises:
            RuntimeError: it cannot be captured, or a replay gives something else than the step itself.
        """
        stream = torch.cuda.Stream(self._parts.device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(self._parts.device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._one(queue)
        torch.cuda.current_stream(self._parts.device).wait_stream(stream)
        self._parts.optimizer.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        # other threads may use the device meanwhile
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            self._one(queue)
        self._held.fill_(0)
        if not self._agrees(graph, queue):
            raise RuntimeError("a replay of the graph gives other weights than the step itself")
        return graph

    def _agrees(self, graph: Replayed, queue: _Queue) -> bool:
        """Whether a replay changes what a step changes, and by as much. Both are undone."""
        before = [tensor.detach().clone() for tensor in self._changed()]
        ways: list[tuple[list[Tensor], Tensor]] = []
        both: tuple[Callable[[], None], ...] = (functools.partial(self._one, queue), graph.replay)
        for take in both:
            queue.row.zero_()
            take()
            ways.append(([tensor.detach().clone() for tensor in self._changed()], queue.results_K4[0].clone()))
            with torch.no_grad():
                for tensor, value in zip(self._changed(), before, strict=True):
                    tensor.copy_(value)
        queue.row.zero_()
        (steps, step_4), (replays, replay_4) = ways
        return torch.allclose(step_4, replay_4, rtol=1e-2, equal_nan=True) and all(
            bool((one - two).float().norm() <= AGREES * (one - old).float().norm() + ROUNDING * old.float().norm())
            for one, two, old in zip(steps, replays, before, strict=True)
        )

    def _changed(self) -> list[Tensor]:
        """All that a step changes."""
        parts = self._parts
        states = parts.optimizer.state.values()
        average = [] if parts.average is None else parts.average.network.state_dict().values()
        moments = (value for state in states for value in state.values() if isinstance(value, torch.Tensor))
        return [*parts.parameters, *self._statistics, *moments, *average]

"""One optimiser step, and all that it changes: network, optimiser, margin, learning rate.

Legend: P pairs of a batch, N images.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch.nn.functional import pdist

from reid_tui.config import NetworkOptions
from reid_tui.errors import CheckpointError
from reid_tui.evaluation.embed import evaluating
from reid_tui.learning.distances import pair_distance
from reid_tui.learning.losses import LOSSES
from reid_tui.learning.networks import build_network, to_input
from reid_tui.text import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from reid_tui.config import RunConfig
    from reid_tui.data.dataset import ImageSet, IntArray
    from reid_tui.data.pairs import EpochPairs

ADAM_STATE: Final = ("step", "exp_avg", "exp_avg_sq")


def _first_times(index: IntArray) -> NDArray[np.bool_]:
    """(n,) True where an image has not stood before."""
    first: NDArray[np.bool_] = np.zeros(len(index), np.bool_)
    first[np.unique(index, return_index=True)[1]] = True
    return first


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step did. `applied` is False where loss or gradient were not finite: the weights are as they were."""

    loss: float
    applied: bool


class PlacedImages:
    """The images of a split as a uint8 tensor where they are computed with.

    On the CPU it is the memory that they already lie in, mapped from a file or not; so too where they would take over
    half of a GPU's free memory.
    """

    def __init__(self, images: ImageSet, device: torch.device) -> None:
        """Put them there, if they fit."""
        self._device = device
        self._rows = images.rows
        self._tensor = torch.from_numpy(images.images)
        if device.type == "cpu":
            return
        size = len(images) * math.prod(images.shape)
        if device.type == "cuda" and size > torch.cuda.mem_get_info(device)[0] // 2:
            return
        whole = images.images if images.rows is None else images.take(np.arange(len(images)))
        self._tensor, self._rows = torch.from_numpy(whole).to(device), None

    def batch(self, index: IntArray) -> Tensor:
        """(n, C, H, W) uint8 on the device: the images at these places of the split."""
        rows = torch.from_numpy(index if self._rows is None else self._rows[index])
        return self._tensor[rows.to(self._tensor.device)].to(self._device)


class Learner:
    """The Siamese network in training. Owns margin and learning rate; nobody else keeps a copy that counts."""

    def __init__(self, config: RunConfig, train: ImageSet, device: torch.device) -> None:
        """Build the network and its optimiser on a device and put the images there, if they fit.

        Args:
            config: resolved.
            train: the images that pairs index.
            device: where to compute.

        Raises:
            UsageError: unknown model, or images it cannot take.
        """
        self.device = device
        if device.type == "cuda":
            # torch's default, TF32, keeps 10 bits of 23; and cuDNN's fastest backward pass adds in any order
            torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]
            torch.backends.cudnn.deterministic = True
        self._all_pairs = config.pairs == "batch"
        self._loss = LOSSES[config.loss]
        self._autocast = config.precision == "bf16"
        self._images = PlacedImages(train, device)
        self._identities_N = train.identities
        self._alone_N = np.bincount(train.identities)[train.identities] == 1
        channels, height, width = train.shape
        wanted = NetworkOptions(config.model, config.embedding_dim)
        self._build = functools.partial(build_network, wanted, channels, height, width, config.seed)
        self.network = self._build().to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=config.lr, fused=device.type in ("cpu", "cuda"))
        self._margin = torch.tensor(config.margin, dtype=torch.float32, device=device)
        self._margin_value = config.margin

    @property
    def margin(self) -> float:
        """In units of distance."""
        return self._margin_value

    @margin.setter
    def margin(self, value: float) -> None:
        self._margin_value = value
        self._margin.fill_(value)

    @property
    def lr(self) -> float:
        """Adam's learning rate."""
        return float(self.optimizer.param_groups[0]["lr"])

    @lr.setter
    def lr(self, value: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = value

    def loss(self, pairs: EpochPairs) -> Tensor:
        """Loss of a batch, with its graph: of its P pairs, or of all pairs among their 2P images.

        Among these an image may stand twice, and makes a same pair with itself; an identity's only image stands once.

        One forward over both halves is the Siamese network: its two branches share their weights.

        Args:
            pairs: index pairs into the training images.

        Returns:
            () float32.
        """
        index = np.concatenate([pairs.first_P, pairs.second_P])
        if self._all_pairs:
            index = index[_first_times(index) | ~self._alone_N[index]]
        batch = self._images.batch(index)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._autocast):
            points_ND = self.network(to_input(batch))
        points_ND = points_ND.float()
        if self._all_pairs:
            identities_N = self._identities_N[index]
            row, column = np.triu_indices(len(index), 1)  # the order of pdist
            same_P = torch.from_numpy(identities_N[row] == identities_N[column]).to(self.device)
            return self._loss.of_all(pdist(points_ND), same_P, self._margin)
        first_PD, second_PD = points_ND.chunk(2)
        same_P = torch.from_numpy(pairs.same_P).to(self.device)
        return self._loss.of_drawn(pair_distance(first_PD, second_PD), same_P, self._margin)

    def step(self, pairs: EpochPairs) -> StepResult:
        """Take one optimiser step on a batch of pairs, unless its loss or gradient is not finite."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(pairs)
        value = loss.item()
        if not math.isfinite(value):
            return StepResult(value, applied=False)
        loss.backward()  # type: ignore[no-untyped-call]
        gradients = [parameter.grad for parameter in self.network.parameters() if parameter.grad is not None]
        if not math.isfinite(torch.nn.utils.get_total_norm(gradients).item()):
            return StepResult(value, applied=False)
        self.optimizer.step()
        return StepResult(value, applied=True)

    def loss_ahead(self, pairs: EpochPairs) -> float:
        """Loss of a batch that is not trained on, by the present weights. Changes nothing.

        Returns:
            The largest float32 where the loss, a weight or one of Adam's averages is not finite.
        """
        with evaluating(self.network):
            value = self.loss(pairs).item()
        averages = [state[key] for state in self.optimizer.state.values() for key in ADAM_STATE]
        numbers = [*self.network.state_dict().values(), *averages]
        finite = math.isfinite(value) and all(bool(tensor.isfinite().all()) for tensor in numbers)
        return value if finite else torch.finfo(torch.float32).max

    def beginning(self) -> dict[str, Tensor]:
        """As `tensors`, before the first step."""
        return {f"network.{name}": value for name, value in self._build().state_dict().items()}

    def tensors(self) -> dict[str, Tensor]:
        """Weights and optimiser state by name, on the CPU and contiguous, for a checkpoint."""
        named = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            named.update({f"adam.{index}.{key}": state[key] for key in ADAM_STATE})
        return {name: value.detach().cpu().contiguous() for name, value in named.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take over what `tensors` gave. Nothing is changed when something does not fit.

        Raises:
            CheckpointError: names or shapes are those of another network.
        """
        start = "network."
        weights = {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
        mine = self.network.state_dict()
        for name in sorted(mine.keys() | weights.keys()):
            here = tuple(mine[name].shape) if name in mine else "no such tensor"
            there = tuple(weights[name].shape) if name in weights else "no such tensor"
            if here != there:
                raise CheckpointError(
                    f"the checkpoint is of another network: {printable(name)} is {there} there and {here} here; "
                    "resume with the run's own --model, --embedding-dim and --data"
                )
            if weights[name].dtype != mine[name].dtype:
                raise CheckpointError(
                    f"the checkpoint is damaged: {name} is {weights[name].dtype} there and {mine[name].dtype} here"
                )
        state = self._optimizer_state(tensors)
        self.network.load_state_dict(weights)
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})

    def _optimizer_state(self, tensors: dict[str, Tensor]) -> dict[int, dict[str, Any]]:
        """Adam's state of every parameter, or of none where no step has been taken."""
        state: dict[int, dict[str, Any]] = {}
        if not any(name.startswith("adam.") for name in tensors):
            return state
        for index, parameter in enumerate(self.network.parameters()):
            state[index] = {}
            for key in ADAM_STATE:
                like = torch.zeros(()) if key == "step" else parameter  # its memory order too
                value = tensors.get(f"adam.{index}.{key}")
                if value is None or value.shape != like.shape or value.dtype != like.dtype:
                    raise CheckpointError(
                        f"the checkpoint's optimiser state adam.{index}.{key} is missing or does not fit; "
                        "resume from an older checkpoint by removing this one"
                    )
                state[index][key] = torch.empty_like(like).copy_(value)
        return state

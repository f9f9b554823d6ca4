"""Optimisers by name, and their state as named tensors."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Final

import torch

from reid_tui.config import OPTIMIZERS
from reid_tui.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from torch import Tensor
    from torch.nn import Parameter
    from torch.optim import Optimizer

MOMENTUM: Final = 0.9
ADAM_STATE: Final = ("step", "exp_avg", "exp_avg_sq")
STATE: Final = {"adam": ADAM_STATE, "adamw": ADAM_STATE, "sgd": ("momentum_buffer",)}
"""What each optimiser keeps of a parameter."""


def build_optimizer(
    name: str, parameters: Iterable[Parameter], lr: float, weight_decay: float, device: torch.device
) -> Optimizer:
    """Build an optimiser, fused into one kernel where torch has that.

    Args:
        name: one of `config.OPTIMIZERS`. `sgd` has Nesterov momentum 0.9. `adamw` takes the decay from the weights, the
            others add it to the gradient.
        parameters: to optimise, on the device.
        lr: learning rate.
        weight_decay: not of biases and of the scales of normalisations, that is of what has one dimension or none.
        device: of the parameters.

    Returns:
        One group of parameters, or with a weight decay two: with and without it.

    Raises:
        ValueError: another name.
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"no optimiser: {name}")
    groups: list[dict[str, Any]] = [{"params": list(parameters)}]
    if weight_decay:
        everything = groups[0]["params"]
        groups = [
            {"params": [parameter for parameter in everything if parameter.ndim > 1], "weight_decay": weight_decay},
            {"params": [parameter for parameter in everything if parameter.ndim <= 1]},
        ]
        groups = [group for group in groups if group["params"]]
    fused = device.type in ("cpu", "cuda")
    match name:
        case "adamw":
            return _bare(torch.optim.AdamW)(groups, lr=lr, weight_decay=0, fused=fused)
        case "sgd":
            return _bare(torch.optim.SGD)(groups, lr=lr, momentum=MOMENTUM, nesterov=True, fused=fused)
        case _:
            return _bare(torch.optim.Adam)(groups, lr=lr, fused=fused)


@functools.cache
def _bare(kind: type[Optimizer]) -> Callable[..., Optimizer]:
    """A kind of optimiser without what torch wraps around its methods for `torch.compile`.

    They would import the compiler, which takes longer than torch itself, only to tell it to leave them alone.
    """
    names = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    methods: dict[str, Any] = {name: inspect.unwrap(getattr(kind, name)) for name in names}
    return type(kind.__name__, (kind,), methods | {"step": torch.no_grad()(inspect.unwrap(kind.step))})


def state_tensors(name: str, optimizer: Optimizer, parameters: Sequence[Parameter]) -> dict[str, Tensor]:
    """An optimiser's state, on the CPU and contiguous, for a checkpoint.

    Args:
        name: by which it was built.
        optimizer: whose state.
        parameters: as it was built with.

    Returns:
        Tensors `{name}.{i}.{key}`, where i counts `parameters`, not the optimiser's groups: these depend on the weight
        decay. None where no step has been taken.
    """
    return {
        f"{name}.{index}.{key}": optimizer.state[parameter][key].detach().cpu().contiguous()
        for index, parameter in enumerate(parameters)
        if parameter in optimizer.state
        for key in STATE[name]
    }


def load_state(name: str, optimizer: Optimizer, parameters: Sequence[Parameter], tensors: dict[str, Tensor]) -> None:
    """Take over what `state_tensors` gave, among others. Nothing is changed when something does not fit.

    Args:
        name: by which the optimiser was built.
        optimizer: to restore.
        parameters: as it was built with.
        tensors: of a checkpoint.

    Raises:
        CheckpointError: a tensor is missing or does not fit, or they are another optimiser's.
    """
    held = {known for known in OPTIMIZERS if any(given.startswith(f"{known}.") for given in tensors)}
    if held - {name}:
        raise CheckpointError(
            f"the checkpoint is of --optimizer {min(held - {name})}, not {name}; resume with that one"
        )
    states = {
        parameter: _state_of(name, index, parameter, tensors)
        for index, parameter in enumerate(parameters)
        if held and parameter.requires_grad
    }
    groups = optimizer.state_dict()["param_groups"]
    own_order = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state = {place: states[parameter] for place, parameter in enumerate(own_order) if parameter in states}
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _state_of(name: str, index: int, parameter: Parameter, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of one parameter, in that one's memory order."""
    state = {}
    for key in STATE[name]:
        like = torch.zeros(()) if key == "step" else parameter.detach()
        value = tensors.get(f"{name}.{index}.{key}")
        if value is None or value.shape != like.shape or value.dtype != like.dtype:
            raise CheckpointError(
                f"the checkpoint's optimiser state {name}.{index}.{key} is missing or does not fit; "
                "resume from an older checkpoint by removing this one"
            )
        state[key] = torch.empty_like(like).copy_(value)
    return state

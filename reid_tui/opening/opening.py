"""What a run begins with. Whoever holds an `Opening` never asks how it came about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from reid_tui.config import RunConfig
    from reid_tui.data.dataset import Dataset
    from reid_tui.runs.directory import RunDirectory
    from reid_tui.runs.lock import RunLock
    from reid_tui.training.channels import Order
    from reid_tui.training.checkpoint import Checkpoint
    from reid_tui.training.steering import Script


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Opening:
    """All that training starts from; the lock is held, nothing has been trained."""

    config: RunConfig
    dataset: Dataset
    device: torch.device
    run: RunDirectory
    lock: RunLock
    started: float
    """Unix seconds at which the run was begun, however often it was resumed."""
    asked: dict[str, Any] = field(default_factory=dict)
    """What the person said, for config.json."""
    checkpoint: Checkpoint | None = None
    """Weights and state to start from; None for fresh ones."""
    start: dict[str, Tensor] | None = None
    """Tensors of another run's checkpoint, from which a new network begins."""
    rewinds: int = 0
    """How often the run has gone back to an earlier checkpoint, this time counted."""
    script: Script | None = None
    """Orders set beforehand."""
    orders: tuple[Order, ...] = ()
    """Carried out before the first step, as if somebody had just given them."""
    passed_over: tuple[str, ...] = ()
    """A line for each newer checkpoint that does not verify, or that a divergence left."""
    tells_refusal: bool = True
    """Whether the run's own log says so where no network can be built; False leaves the run as it is."""

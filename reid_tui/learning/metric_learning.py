"""Losses of pytorch-metric-learning behind our own margin and our own choice of pairs. The only module that knows it.

It is imported when one of its losses is built: it takes seconds.

Legend: N images of a batch, D dimensions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable

Pairs = tuple[Tensor, ...]
"""Columns of a batch: anchors, same; anchors, different. Or of triplets: anchors, same, different."""

_STEEPEST: Final = 1 - 1e-6
"""Largest cosine that is taken to an angle: at 1 the gradient of the angle is infinite, and not in all releases of
torch is it stopped where the cosine is limited to 1."""


class Foreign(NamedTuple):
    """A loss of theirs."""

    of: str
    """Class, in their `losses`."""
    has_classes: bool = False
    """Whether it compares points with weights of its own for each identity, not with each other."""
    steer: Callable[[Any, Tensor], None] | None = None
    """Hands the loss our margin."""


def _steer_margin(loss: Any, margin: Tensor) -> None:  # noqa: ANN401
    """Different pairs cost nothing from our margin on; the rest in the proportions of Wu et al. (2017)."""
    loss.margin = margin * (0.2 / 1.4)
    loss.beta = (margin * (1.2 / 1.4)).reshape(1)


FOREIGN: Final[dict[str, Foreign]] = {
    "circle": Foreign("CircleLoss"),
    "supcon": Foreign("SupConLoss"),
    "arcface": Foreign("ArcFaceLoss", has_classes=True),
    "proxy-anchor": Foreign("ProxyAnchorLoss", has_classes=True),
    "margin": Foreign("MarginLoss", steer=_steer_margin),
}


class ForeignLoss:
    """One of theirs."""

    def __init__(self, name: str, classes: int, dim: int, seed: int) -> None:
        """Build it with weights drawn from `seed`; the process-wide generator is left as it was."""
        from pytorch_metric_learning import distances, losses, reducers

        _, self.has_classes, self._steer = foreign = FOREIGN[name]
        arguments: dict[str, Any] = {"num_classes": classes, "embedding_size": dim} if self.has_classes else {}
        if self._steer is not None:
            arguments["distance"] = distances.LpDistance(normalize_embeddings=False)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.module: nn.Module = getattr(losses, foreign.of)(**arguments)
        self._of_costing = isinstance(self.module.reducer, reducers.AvgNonZeroReducer)
        if name == "arcface":
            self.module.distance.register_forward_hook(lambda *called: called[-1].clamp(-_STEEPEST, _STEEPEST))

    def cost(self, points_ND: Tensor, labels_N: Tensor, pairs: Pairs | None, margin: Tensor) -> tuple[Tensor, Tensor]:
        """Loss (), and the share () of what it is the mean of that is not 0.

        Their own reducers are not used: some leave out what is no number, so that a ruined step would look good.
        """
        module: Any = self.module
        if self._steer is not None:
            self._steer(module, margin)
        total, costing, formed = (points_ND * 0).sum(), torch.zeros_like(margin), 0
        for part in module.compute_loss(points_ND, labels_N, pairs, points_ND, labels_N).values():
            cost = part["losses"]
            if isinstance(cost, Tensor):
                count = (cost != 0).sum()
                divisor = part.get("divisor", count if self._of_costing else cost.numel())
                total = total + cost.sum() / torch.as_tensor(divisor).clamp(min=1)
                costing, formed = costing + count, formed + cost.numel()
        return total, costing / max(1, formed)

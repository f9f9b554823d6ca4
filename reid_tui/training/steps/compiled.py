"""Network and loss through torch's compiler, which turns them into fewer kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from reid_tui.errors import UsageError, cause
from reid_tui.learning.objectives import alike_in_every_step
from reid_tui.training.steps.costs import Costs

if TYPE_CHECKING:
    from reid_tui.learning.objectives import Cost
    from reid_tui.training.steps.batches import Batch
    from reid_tui.training.steps.parts import Parts


class CompiledCosts(Costs):
    """As `Costs`; compiled when the first batch of a size comes, which takes a minute."""

    def __init__(self, parts: Parts) -> None:
        """Find out whether there is a compiler.

        Raises:
            UsageError: there is none that works.
        """
        super().__init__(parts)
        check_compiler(parts.device)
        eager = Costs(parts)
        self._alike = alike_in_every_step(parts.config.loss, parts.config.miner)
        """Whether the loss is compiled too."""
        self._points, self._of = torch.compile(eager.points), torch.compile(eager.of)

    def of(self, batch: Batch, step: int) -> Cost:
        """As `Costs`."""
        if self._alike:
            return self._of(batch, 0)  # for another step it would be compiled anew
        return self.of_points(self._points(batch), batch, step)


def check_compiler(device: torch.device) -> None:
    """Compile next to nothing.

    Raises:
        UsageError: that does not work.
    """
    try:
        torch.compile(lambda values: values.relu() + 1)(torch.ones(8, device=device))
    except (RuntimeError, ImportError, OSError) as error:
        raise UsageError(
            f"--compile: torch finds no compiler that works here ({cause(error)}); leave --compile out, or install g++ "
            "and Python's headers"
        ) from error

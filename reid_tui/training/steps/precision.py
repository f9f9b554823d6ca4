"""Numbers of 16 bits inside oneDNN's kernels, for as long as a step takes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

INSIDE: Final = "bf16-mkldnn"
"""The precision in which tensors stay float32, and only convolutions and products on the CPU round what they take."""


@contextlib.contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Let convolutions and products, backward too, compute as this precision asks.

    The switch is the whole process's, so it is put back at the end: what is evaluated is computed in float32.
    """
    if precision != INSIDE:
        yield
        return
    kinds = (torch.backends.mkldnn.conv, torch.backends.mkldnn.matmul)  # type: ignore[attr-defined]
    before = [kind.fp32_precision for kind in kinds]
    for kind in kinds:
        kind.fp32_precision = "bf16"
    try:
        yield
    finally:
        for kind, precision_before in zip(kinds, before, strict=True):
            kind.fp32_precision = precision_before

"""The memory of a CUDA device."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

import torch

MIB = 1024**2
GIB = 1024**3


@contextlib.contextmanager
def filled(left: int) -> Iterator[None]:
    """All of the card but about `left` bytes is taken by plain tensors."""
    gc.collect()
    torch.cuda.empty_cache()
    taken = []
    for size in (GIB, 64 * MIB, 20 * MIB):  # torch takes no less than 20 MiB from the driver for a large tensor
        with contextlib.suppress(torch.OutOfMemoryError):
            while torch.cuda.mem_get_info()[0] - size >= left:
                taken.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
    try:
        yield
    finally:
        taken.clear()
        torch.cuda.empty_cache()

"""Images that do not fit a GPU: the next batch is copied there while the step before it computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor

    from reid_tui.data.dataset import IntArray


class _Coming(NamedTuple):
    rows: IntArray
    images: Tensor
    """On the device, once `copied`."""
    copied: torch.cuda.Event


class Ahead:
    """Copies one batch ahead, through pinned memory and on a stream of its own."""

    def __init__(self, device: torch.device) -> None:
        """Of a CUDA device."""
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pinned: Tensor | None = None
        self._coming: _Coming | None = None

    def bring(self, source: Tensor, rows: IntArray) -> None:
        """Begin to copy rows of `source`, which lies on the CPU."""
        if self._coming is not None:
            self._coming.copied.synchronize()  # what is pinned is free again
        if self._pinned is None or len(self._pinned) < len(rows):
            self._pinned = torch.empty((len(rows), *source.shape[1:]), dtype=source.dtype, pin_memory=True)
        pinned = self._pinned[: len(rows)]
        torch.index_select(source, 0, torch.from_numpy(rows), out=pinned)
        copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
        with torch.cuda.stream(self._stream):
            images = pinned.to(self._device, non_blocking=True)
            copied.record(self._stream)
        self._coming = _Coming(rows, images, copied)

    def taken(self, rows: IntArray) -> Tensor | None:
        """What was brought, where it is these rows; whatever is computed next waits for it on the device."""
        coming = self._coming
        if coming is None or not np.array_equal(coming.rows, rows):
            return None
        current = torch.cuda.current_stream(self._device)
        current.wait_event(coming.copied)
        coming.images.record_stream(current)
        return coming.images

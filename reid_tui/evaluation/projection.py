"""Embeddings as points of a map, in which one snapshot follows from the one before.

Legend: N images, D embedding dimensions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

FloatArray = NDArray[np.float64]


class Projection:
    """To two dimensions: the embedding itself where it has two, otherwise its first two principal components.

    Principal components are known up to sign, and two of similar variance change places from one snapshot to the next.
    The first snapshot takes the signs that make each component's largest loading positive. Each later one is turned or
    mirrored within its plane so that its points lie as close as can be to where the axes of the snapshot before would
    put them (orthogonal Procrustes).
    """

    def __init__(self, dim: int, state: Mapping[str, NDArray[np.floating]] | None = None) -> None:
        """Start anew, or where `state` left off.

        Args:
            dim: D, >= 2.
            state: what `state()` returned, possibly empty.

        Raises:
            ValueError: `dim` below 2, or a state of another dimension.
        """
        if dim < 2:
            raise ValueError(f"a map needs an embedding of at least 2 dimensions, not {dim}")
        self._dim = dim
        self._basis: FloatArray | None = None
        self._mean: FloatArray | None = None
        if dim == 2:
            self._basis, self._mean = np.eye(2), np.zeros(2)
        elif state:
            self._basis, self._mean = (np.array(state[name], dtype=np.float64) for name in ("basis", "mean"))
            if self._basis.shape != (dim, 2) or self._mean.shape != (dim,):
                raise ValueError(
                    f"the projection's state is for {self._basis.shape} and {self._mean.shape}, not D={dim}"
                )

    def state(self) -> dict[str, FloatArray]:
        """All that the next snapshot depends on: `basis` (D, 2) and `mean` (D,); empty before the first one."""
        if self._basis is None or self._mean is None:
            return {}
        return {"basis": self._basis.copy(), "mean": self._mean.copy()}

    def points(self, embeddings_ND: Tensor) -> NDArray[np.float32]:
        """Fit the axes to a snapshot and project it.

        Args:
            embeddings_ND: (N, D) finite, N >= 1, on any device.

        Returns:
            (N, 2) read-only.

        Raises:
            ValueError: another shape, or embeddings that are not finite.
        """
        if embeddings_ND.ndim != 2 or embeddings_ND.shape[1] != self._dim or len(embeddings_ND) == 0:
            raise ValueError(f"embeddings must be (N, {self._dim}), not {tuple(embeddings_ND.shape)}")
        if not bool(embeddings_ND.isfinite().all()):
            raise ValueError("embeddings must be finite")
        if self._dim > 2:
            embeddings = embeddings_ND.detach().cpu().double()
            points = self._fit(embeddings)
        else:
            points = embeddings_ND.detach().cpu()
        points_N2: NDArray[np.float32] = points.numpy().astype(np.float32)
        points_N2.flags.writeable = False
        return points_N2

    def place(self, embeddings_ND: Tensor) -> NDArray[np.float32]:
        """(N, 2) read-only, in the axes of the newest snapshot, which stay; its first two dimensions before any."""
        embeddings = embeddings_ND.detach().cpu().double().numpy()
        points = embeddings[:, :2] if self._basis is None else (embeddings - self._mean) @ self._basis
        points_N2: NDArray[np.float32] = points.astype(np.float32)
        points_N2.flags.writeable = False
        return points_N2

    def _fit(self, embeddings_ND: Tensor) -> Tensor:
        """Take new axes and give the (N, 2) points in them."""
        mean = embeddings_ND.mean(dim=0)
        centred_ND = embeddings_ND - mean
        axes = torch.linalg.eigh(centred_ND.T @ centred_ND).eigenvectors[:, -2:].flip(1)
        points: Tensor = centred_ND @ axes
        if self._basis is None:
            turn = torch.diag(axes.gather(0, axes.abs().argmax(dim=0, keepdim=True)).sign()[0])
        else:
            before = centred_ND @ torch.from_numpy(self._basis)
            left, _, right = torch.linalg.svd(points.T @ before)
            turn = left @ right
        self._basis, self._mean = (axes @ turn).numpy(), mean.numpy()
        turned: Tensor = points @ turn
        return turned

"""What an image stands for where embeddings are scored. Numpy only.

Legend: N images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

JUNK: Final = -1
"""Identity of an image that is neither right nor wrong, and left out of every ranking."""
DISTRACTOR: Final = -2
"""Identity of an image that shows nobody who is asked for: it stays in galleries, and no two of them are the same."""
QUERY: Final = 1
GALLERY: Final = 2
"""Roles; an image may have both."""


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Who is seen on each image, by which camera, and what the image is used for."""

    identities_N: NDArray[np.int64]
    """(N,) labels >= 0, `JUNK` or `DISTRACTOR`."""
    cameras_N: NDArray[np.int64] | None = None
    """(N,) labels where the data knows cameras; they decide who is compared with whom."""
    roles_N: NDArray[np.int8] | None = None
    """(N,) `QUERY`, `GALLERY` or their sum; None: every image is the query once, and all others are its gallery."""

    def __len__(self) -> int:
        return len(self.identities_N)

    def of(self, index: NDArray[np.int64]) -> Labels:
        """Those of some of the images."""
        cameras, roles = self.cameras_N, self.roles_N
        return Labels(
            self.identities_N[index],
            None if cameras is None else cameras[index],
            None if roles is None else roles[index],
        )

    @property
    def queries(self) -> NDArray[np.int64]:
        """(Q,) places of the images that ask who is seen on them."""
        asks_N = self.identities_N >= 0
        return np.flatnonzero(asks_N if self.roles_N is None else asks_N & (self.roles_N & QUERY > 0))

    @property
    def gallery(self) -> NDArray[np.int64]:
        """(G,) places of the images that can be found."""
        stays_N = self.identities_N != JUNK
        return np.flatnonzero(stays_N if self.roles_N is None else stays_N & (self.roles_N & GALLERY > 0))

    def matches(self) -> NDArray[np.int64]:
        """(Q,) images of the gallery that each query is to find: of its identity, and where known of another camera."""
        queries, gallery = self.queries, self.gallery
        identity_N = np.unique(self.identities_N, return_inverse=True)[1]
        if self.cameras_N is None:
            own_N = np.zeros(len(self), dtype=np.int64)
            own_N[gallery] = 1
        else:
            cameras, camera_N = np.unique(self.cameras_N, return_inverse=True)
            block_N = identity_N * len(cameras) + camera_N
            own_N = np.bincount(block_N[gallery], minlength=block_N.max(initial=0) + 1)[block_N]
        found_N = np.bincount(identity_N[gallery], minlength=identity_N.max(initial=0) + 1)[identity_N]
        matches_Q: NDArray[np.int64] = (found_N - own_N)[queries]
        return matches_Q

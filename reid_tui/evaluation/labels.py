"""What an image stands for where embeddings are scored. Numpy only.

Legend: N images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
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

"""Distances by matrix products, which are fast, with how far their rounding may lead astray; and as `ranking` has them.

Legend: N images, D embedding dimensions, Q queries of a group, G images of a block of the gallery, P pairs.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid_tui.evaluation.distances import euclidean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reid_tui.evaluation.labels import Labels

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]

FARTHEST: Final = 1e15
"""A coordinate beyond this may have no square in float32."""
GROUP: Final = 64
"""Queries at once."""
BLOCK: Final = 2048
"""Of the gallery: with a group's distances to it, it stays in the processor's caches. Below 2**16, as it is counted."""
MEASURED: Final = 8192
"""Pairs whose embeddings are gathered at once."""
OPEN_SHARE: Final = 0.25
"""Of a group's distances to a block; where more are left open, all of them are measured."""
_ROUNDING: Final = 2.0**-24
_SMALLEST: Final = 1e-37
"""Squares below it may be lost."""


class Asking(NamedTuple):
    """A group of queries."""

    points_QD: Tensor
    factors_QD1: FloatArray
    """Their product with a block's is the squared distance, without the query's own square."""
    length_Q: NDArray[np.float64]
    """Of the centred embeddings."""

    @classmethod
    def of(cls, points_QD: Tensor, centre_D: Tensor) -> Asking:
        """Of these embeddings."""
        centred_QD = (points_QD - centre_D).numpy()
        factors_QD1 = np.concatenate((-2 * centred_QD, np.ones((len(centred_QD), 1), np.float32)), axis=1)
        return cls(points_QD, factors_QD1, _lengths(centred_QD))


class Block(NamedTuple):
    """A part of the gallery."""

    points_GD: Tensor
    factors_GD1: FloatArray
    """Centred, and their squares."""
    radius: float
    """The largest length of a centred embedding."""

    @classmethod
    def of(cls, points_GD: Tensor, centre_D: Tensor) -> Block:
        """Of these embeddings."""
        centred_GD = (points_GD - centre_D).numpy()
        length_G = _lengths(centred_GD)
        squares_G1 = (length_G**2).astype(np.float32)[:, None]
        return cls(points_GD, np.concatenate((centred_GD, squares_G1), axis=1), float(length_G.max(initial=0.0)))

    def products(self, asking: Asking) -> FloatArray:
        """(Q, G) squared distances, without the query's own square."""
        factors = torch.from_numpy(asking.factors_QD1), torch.from_numpy(self.factors_GD1)
        return np.asarray((factors[0] @ factors[1].T).numpy(), dtype=np.float32)

    def slack(self, asking: Asking) -> NDArray[np.float64]:
        """(Q,) by how much such a product and a measured distance's square may differ, and two of these be mistaken.

        The product's own rounding is at most D + 1 units of (|q| + |g|)^2, that of both measured distances D + 4, that
        of centring 2; see Higham (2002), "Accuracy and stability of numerical algorithms", section 3.1.
        """
        units = 2 * asking.points_QD.shape[1] + 16
        return units * (_ROUNDING * (asking.length_Q + self.radius) ** 2 + _SMALLEST)

    def measured(self, asking: Asking, query_P: IntArray, other_P: IntArray) -> FloatArray:
        """(P,) distances of pairs."""
        return pair_distances(asking.points_QD, query_P, self.points_GD, other_P)

    def all_measured(self, asking: Asking) -> FloatArray:
        """(Q, G) distances."""
        return np.asarray(euclidean(asking.points_QD, self.points_GD).numpy(), dtype=np.float32)


@contextlib.contextmanager
def workers() -> Iterator[ThreadPoolExecutor]:
    """As many threads as torch computes with.

    Meanwhile each computes alone, the caller's too: torch's own threads would wait busily for their next part.

    Products are in float32, whatever precision the caller trains with.
    """
    threads, matmul = torch.get_num_threads(), torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    precision, matmul.fp32_precision = matmul.fp32_precision, "ieee"
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads, "reid-tui-products", torch.set_num_threads, (1,)) as pool:
            yield pool
    finally:
        matmul.fp32_precision = precision
        torch.set_num_threads(threads)


def few_own(embeddings_ND: Tensor, labels: Labels, queries: IntArray, smallest: int, most: int) -> bool:
    """Whether products can be trusted, the gallery is as large as that, and the queries' identities as small.

    Args:
        embeddings_ND: (N, D) float32.
        labels: of the same images.
        queries: places of the images that ask.
        smallest: images of a gallery.
        most: images of a query's identity in it, on average.
    """
    if embeddings_ND.is_cuda or len(labels.gallery) < smallest or not len(queries):
        return False
    start_Q, stop_Q, _ = own_runs(labels, queries)
    if int((stop_Q - start_Q).sum()) > most * len(queries):
        return False
    return all(abs(float(end)) < FARTHEST for end in torch.aminmax(embeddings_ND))


def own_runs(labels: Labels, queries: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Where the images of each query's identity start and stop in the gallery sorted by identity, and that gallery."""
    gallery = labels.gallery
    sorted_G = gallery[np.argsort(labels.identities_N[gallery], kind="stable")]
    identity_G, identity_Q = labels.identities_N[sorted_G], labels.identities_N[queries]
    start_Q, stop_Q = (np.searchsorted(identity_G, identity_Q, side) for side in ("left", "right"))
    return start_Q, stop_Q, sorted_G


def own_pairs(start_Q: IntArray, stop_Q: IntArray, sorted_G: IntArray) -> tuple[IntArray, IntArray]:
    """(P,) place among the queries, and the image of its identity."""
    count_Q = stop_Q - start_Q
    query_P = np.repeat(np.arange(len(count_Q)), count_Q)
    before_Q = np.cumsum(count_Q) - count_Q
    return query_P, sorted_G[np.arange(len(query_P)) + (start_Q - before_Q)[query_P]]


def are_hits(labels: Labels, query_P: IntArray, image_P: IntArray) -> NDArray[np.bool_]:
    """(P,) whether an image of a query's identity is one that it is to find.

    Args:
        labels: of all images.
        query_P: places of the queries.
        image_P: places of images of their identities.
    """
    hit_P: NDArray[np.bool_] = image_P != query_P
    if labels.cameras_N is not None:
        hit_P &= labels.cameras_N[image_P] != labels.cameras_N[query_P]
    return hit_P


def pair_distances(first_ND: Tensor, first_P: IntArray, second_ND: Tensor, second_P: IntArray) -> FloatArray:
    """(P,) of pairs of places."""
    found = [np.zeros(0, np.float32)]
    for at in range(0, len(first_P), MEASURED):
        first_PD = first_ND[torch.from_numpy(first_P[at : at + MEASURED])]
        second_PD = second_ND[torch.from_numpy(second_P[at : at + MEASURED])]
        found.append(euclidean(first_PD[:, None], second_PD[:, None])[:, 0, 0].numpy())
    return np.concatenate(found)


def _lengths(centred_ND: FloatArray) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = np.sqrt(np.einsum("nd,nd->n", centred_ND, centred_ND, dtype=np.float64))
    return lengths

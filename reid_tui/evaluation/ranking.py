"""At which ranks a query's gallery holds what it is to find.

Legend: N images, D embedding dimensions, Q queries of one chunk, G images of the gallery, H hits.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from reid_tui.evaluation.distances import euclidean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from reid_tui.evaluation.labels import Labels

    Distances = Callable[[Tensor, Tensor], Tensor]
    """(Q, G) float32 >= 0 of two lists of places: queries, and images of the gallery."""

MAX_BYTES: Final = 256 * 2**20
BYTES_PER_IMAGE: Final = 16
"""Alive at once for one query and one gallery image: its key, whether it is a hit and of one camera, and the key of the
chunk before."""
BYTES_PER_HIT: Final = 80
"""And for one that is found: where it lies, its rank and its precisions."""
CHUNK_LIMIT: Final = 128
"""Queries in a chunk at most: larger chunks leave the processor's caches and are no faster."""
BLOCK_BYTES: Final = 8 * 2**20
"""Of the gallery's embeddings that a chunk is compared with at a time."""
LOWEST: Final = torch.iinfo(torch.int32).min
LAST: Final = torch.iinfo(torch.int32).max - 1
"""Key of an image that is left out: it sorts behind all others and is no hit."""


class Hits(NamedTuple):
    """Everything that a chunk of queries finds, in the order of the queries and then of the ranks."""

    query_H: NDArray[np.int64]
    """Place in the chunk."""
    rank_H: NDArray[np.int64]
    """From 1."""


def queries_per_chunk(gallery: int, hits: int, max_bytes: int = MAX_BYTES) -> int:
    """How many queries are compared with the gallery at a time, so that it takes at most `max_bytes`.

    Args:
        gallery: its images.
        hits: most that one query finds.
        max_bytes: limit of what distances and their ranking hold at once.

    Raises:
        ValueError: not even one query fits.
    """
    row_bytes = max(gallery, 1) * BYTES_PER_IMAGE + hits * BYTES_PER_HIT
    if row_bytes > max_bytes:
        raise ValueError(f"one query against {gallery} images takes {row_bytes} bytes, more than max_bytes={max_bytes}")
    return min(max_bytes // row_bytes, CHUNK_LIMIT)


def ranked_hits(
    embeddings_ND: Tensor,
    labels: Labels,
    queries: NDArray[np.int64],
    chunk: int,
    go_on: Callable[[], None] = lambda: None,
    distances: Distances | None = None,
) -> Iterator[Hits]:
    """Rank the gallery by its distance to each query, nearest first, and give the ranks of its matches.

    At one distance those that do not match rank first, so that neither the gallery's order nor a collapsed network
    flatters. Distances that float32 cannot tell apart, below 1e-22 and above 1e19, are one distance.

    Args:
        embeddings_ND: (N, D) float32, finite.
        labels: of the same images.
        queries: places of the images that ask.
        chunk: queries at a time.
        go_on: called before each part of the work; what it raises ends it.
        distances: between places, on the embeddings' device; None: Euclidean ones of the embeddings.

    Yields:
        The hits of one chunk after the other.
    """
    before: Tensor | None = None
    with ThreadPoolExecutor(torch.get_num_threads(), "reid-tui-ranking") as pool:
        for _, keys_QG in ranking_keys(embeddings_ND, labels, queries, chunk, go_on, distances):
            sorting = _Sorting(keys_QG, pool)
            if before is not None:
                yield _found(before)
            before = sorting.finish(go_on)
            del keys_QG, sorting  # before the next ones are made
    if before is not None:
        yield _found(before)


def ranking_keys(
    embeddings_ND: Tensor,
    labels: Labels,
    queries: NDArray[np.int64],
    chunk: int,
    go_on: Callable[[], None] = lambda: None,
    distances: Distances | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """The same before anything is sorted.

    Yields:
        The queries of a chunk, (Q,) places, and (Q, G) int32 keys of the gallery, whose memory is the caller's: the
        larger, the later an image ranks; odd for a match; `LAST` for an image that is left out.
    """
    device = embeddings_ND.device
    identities_N = torch.tensor(
        np.unique(labels.identities_N, return_inverse=True)[1], dtype=torch.int32, device=device
    )
    cameras_N = None if labels.cameras_N is None else torch.tensor(labels.cameras_N, device=device)
    gallery_G = torch.from_numpy(labels.gallery).to(device)
    place_N = torch.full((len(labels),), -1, device=device)
    place_N[gallery_G] = torch.arange(len(gallery_G), device=device)
    for rows_Q in torch.split(torch.from_numpy(queries).to(device), chunk):
        go_on()
        yield (
            rows_Q,
            _keys(
                _euclidean(embeddings_ND, rows_Q, gallery_G, go_on)
                if distances is None
                else distances(rows_Q, gallery_G),
                identities_N[rows_Q, None] == identities_N[gallery_G],
                None if cameras_N is None else cameras_N[rows_Q, None] == cameras_N[gallery_G],
                place_N[rows_Q],
            ),
        )


def distances_of(keys: NDArray[np.int32]) -> NDArray[np.float32]:
    """What distances were put into keys of `ranking_keys`; infinite where an image is left out."""
    bits = (keys ^ np.int32(LOWEST)).view(np.uint32) >> 1
    return np.where(keys == LAST, np.float32(np.inf), bits.view(np.float32))


def _euclidean(embeddings_ND: Tensor, rows_Q: Tensor, gallery_G: Tensor, go_on: Callable[[], None]) -> Tensor:
    """(Q, G)."""
    distances_QG = embeddings_ND.new_empty(len(rows_Q), len(gallery_G))
    queries_QD = embeddings_ND[rows_Q]
    block = max(1, BLOCK_BYTES // (4 * max(1, embeddings_ND.shape[1])))
    for at in range(0, len(gallery_G), block):
        go_on()
        others_GD = embeddings_ND[gallery_G[at : at + block]]
        distances_QG[:, at : at + block] = euclidean(queries_QD, others_GD)
    return distances_QG


def _keys(distances_QG: Tensor, hits_QG: Tensor, own_camera_QG: Tensor | None, place_Q: Tensor) -> Tensor:
    """(Q, G) int32, in the memory of the distances: what a ranking needs, in one number that sorts as it ranks.

    The bits of floats >= 0 sort as the floats do, and the sign's place is free for the hit below them. The highest bit
    is turned, because a sort takes it for a sign. Sorting bare 32-bit keys is many times faster than an argsort.
    """
    keys_QG = distances_QG.view(torch.int32)
    keys_QG <<= 1
    keys_QG ^= LOWEST
    keys_QG |= hits_QG
    if own_camera_QG is not None:
        own_camera_QG &= hits_QG
        keys_QG.masked_fill_(own_camera_QG, LAST)
    inside = (place_Q >= 0).nonzero()[:, 0]
    keys_QG[inside, place_Q[inside]] = LAST
    return keys_QG


class _Sorting:
    """Keys whose rows are being sorted where they lie: by other threads at once, and by the caller when it has time.

    Numpy sorts without the interpreter, so that all of them get on together.
    """

    def __init__(self, keys_QG: Tensor, pool: ThreadPoolExecutor) -> None:
        self._keys_QG = keys_QG.sort(dim=1).values if keys_QG.is_cuda else keys_QG
        self._rows = iter([] if keys_QG.is_cuda else keys_QG.numpy())
        """Each goes to whoever asks for it first."""
        self._helpers = [pool.submit(self._work) for _ in range(torch.get_num_threads() - 1)]

    def finish(self, go_on: Callable[[], None]) -> Tensor:
        """(Q, G) the sorted keys."""
        self._work(go_on)
        for helper in self._helpers:
            helper.result()
        return self._keys_QG

    def _work(self, go_on: Callable[[], None] = lambda: None) -> None:
        for keys_G in self._rows:
            go_on()
            keys_G.sort()


def _found(keys_QG: Tensor) -> Hits:
    """Where the hits came to be in sorted keys."""
    queries, gallery = keys_QG.shape
    keys_QG &= 1
    places_H = np.flatnonzero(keys_QG.to(torch.bool).cpu().numpy())
    starts = np.searchsorted(places_H, np.arange(queries + 1) * gallery)
    query_H = np.repeat(np.arange(queries), np.diff(starts))
    return Hits(query_H, places_H - query_H * gallery + 1)

"""A fixed sample of images in which every identity counts alike. Numpy only.

Legend: N images, M of them chosen, K identities.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.evaluation.labels import DISTRACTOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reid_tui.data.dataset import IntArray
    from reid_tui.evaluation.labels import Labels

QUERIES: Final = 2
"""Of one identity, before the others have their turn."""
FINDS: Final = 6
"""Images of it for the gallery, in the same turn."""
DISTRACTING: Final = 10
"""One in so many images may be a distractor."""


def balanced_sample(identities_N: IntArray, count: int, seed: int) -> IntArray:
    """Choose images round robin over the identities, each identity's images in a seeded order.

    Every prefix is balanced too: while no identity has run out, counts differ by at most one.

    Args:
        identities_N: (N,) int64 >= 0.
        count: images wanted, >= 0.
        seed: of the choice, >= 0.

    Returns:
        (M,) int64 distinct indices, M = min(count, N).

    Raises:
        ValueError: negative `count`.
    """
    if count < 0:
        raise ValueError(f"count must not be negative, not {count}")
    rng = np.random.Generator(np.random.Philox(key=np.array([seed, 0], dtype=np.uint64)))
    shuffled_N = rng.permutation(len(identities_N))
    grouped_N = shuffled_N[np.argsort(identities_N[shuffled_N], kind="stable")]
    counts_K = np.bincount(identities_N)
    starts_K = np.cumsum(counts_K) - counts_K
    round_N = np.arange(len(identities_N)) - np.repeat(starts_K, counts_K)
    return grouped_N[np.argsort(round_N, kind="stable")][:count].astype(np.int64, copy=False)


def retrieval_sample(labels: Labels, count: int, seed: int) -> IntArray:
    """Choose images on which a ranking can be scored as on all of them.

    Without roles, those of `balanced_sample`. With them, identities that have a query with a match take turns in a
    seeded order. In its turn one gives up to 2 queries, with a match before or right behind each, and up to 6 images
    for the gallery in all, those of other cameras than its queries' first. Every prefix can be scored, therefore. At
    last come distractors, a tenth of `count` at most.

    Args:
        labels: of the N images.
        count: images wanted, >= 0.
        seed: of the choice, >= 0.

    Returns:
        (M,) int64 distinct places, M <= `count`.

    Raises:
        ValueError: negative `count`.
    """
    if labels.roles_N is None:
        return balanced_sample(labels.identities_N, count, seed)
    if count < 0:
        raise ValueError(f"count must not be negative, not {count}")
    rng = np.random.Generator(np.random.Philox(key=np.array([seed, 0], dtype=np.uint64)))
    order_N = rng.permutation(len(labels))
    queries = order_N[np.isin(order_N, labels.queries[labels.matches() > 0])]
    gallery = order_N[np.isin(order_N, labels.gallery)]
    distractors = gallery[labels.identities_N[gallery] == DISTRACTOR][: count // DISTRACTING]
    people = islice(_in_turn(labels, queries, gallery), count - len(distractors))
    return np.concatenate((np.fromiter(people, np.int64), distractors))


def _in_turn(labels: Labels, queries: IntArray, gallery: IntArray) -> Iterator[int]:
    """Images of the identities that have queries, some of each at a time, again and again while they last."""
    cameras_N = np.arange(len(labels)) if labels.cameras_N is None else labels.cameras_N
    asking, found = (_by_identity(labels.identities_N, images) for images in (queries, gallery))
    waiting = deque(_turns(asking[identity], found[identity], cameras_N) for identity in asking)
    while waiting:
        turns = waiting.popleft()
        if turn := next(turns, None):
            yield from turn
            waiting.append(turns)


def _by_identity(identities_N: IntArray, images: IntArray) -> dict[int, list[int]]:
    """Those of each identity, in their order; the identities in the order of their first one."""
    groups: dict[int, list[int]] = {}
    for identity, image in zip(identities_N[images].tolist(), images.tolist(), strict=True):
        groups.setdefault(identity, []).append(image)
    return groups


def _turns(queries: list[int], gallery: list[int], cameras_N: IntArray) -> Iterator[list[int]]:
    """What one identity gives, turn by turn, until it has nothing left."""
    given: dict[int, None] = {}
    while True:
        asking = [image for image in queries if image not in given][:QUERIES]
        free = [image for image in gallery if image not in given and image not in asking]
        here = [image for image in gallery if image in given]
        turn: list[int] = []
        for query in asking:
            turn.append(query)
            if not any(cameras_N[image] != cameras_N[query] for image in here):
                match = next((image for image in free if cameras_N[image] != cameras_N[query]), None)
                if match is not None:
                    free.remove(match)
                    here.append(match)
                    turn.append(match)
        own = {cameras_N[query] for query in asking}
        free.sort(key=lambda image: cameras_N[image] in own)
        turn += free[: FINDS + len(asking) - len(turn)]
        if not turn:
            return
        given |= dict.fromkeys(turn)
        yield turn

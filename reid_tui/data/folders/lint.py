"""What is wrong with a person's own images as a whole, found from labels and digests: no pixel is read.

Legend: N images of the pool.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reid_tui.data.findings import SHOWN, Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reid_tui.data.dataset import Dataset, ImageSet, IntArray
    from reid_tui.data.pool import Pool


def lint(pool: Pool, dataset: Dataset) -> tuple[Finding, ...]:
    """What is to be known before one trains.

    Args:
        pool: all images.
        dataset: the same ones, divided.
    """
    found = (
        _single_images(dataset),
        _one_camera(pool),
        _without_match(dataset),
        _in_train_and_test(pool, dataset),
        _under_two_identities(pool),
    )
    return tuple(finding for finding in found if finding is not None)


def _single_images(dataset: Dataset) -> Finding | None:
    counts = np.bincount(dataset.train.identities, minlength=len(dataset.train_identity_names))
    single = np.flatnonzero(counts == 1)
    text = "training identities have one image, which is never taken for a pair of the same"
    return _finding("single_image", text, [dataset.train_identity_names[label] for label in single])


def _one_camera(pool: Pool) -> Finding | None:
    if pool.cameras is None or len(np.unique(pool.cameras)) > 1:
        return None
    text = "camera took all pictures, so cameras are left out of the protocol"
    return _finding("one_camera", text, [pool.camera_names[int(pool.cameras[0])]])


def _without_match(dataset: Dataset) -> Finding | None:
    """Queries that can never be answered, by no other image or by none of another camera."""
    lost, asked = 0, 0
    names: dict[str, None] = {}
    for split in filter(None, (dataset.test, dataset.seen)):
        labels = split.labels
        places = labels.queries[labels.matches() == 0]
        lost, asked = lost + len(places), asked + len(labels.queries)
        names.update((dataset.identity_names[label], None) for label in split.identities[places])
    other = " from another camera" if dataset.test.cameras is not None else ""
    text = f"of {asked:,} test images cannot be asked for, since no other one{other} shows the same"
    return _finding("query_without_match", text, list(names), lost, grave=lost > asked // 2)


def _in_train_and_test(pool: Pool, dataset: Dataset) -> Finding | None:
    """Pixels that are trained on and tested on."""
    keys = _keys(pool)

    def places(*splits: ImageSet | None) -> IntArray:
        rows = [split.rows for split in splits if split is not None and split.rows is not None]
        return np.searchsorted(pool.rows, np.concatenate(rows))

    train, tested = places(dataset.train), places(dataset.test, dataset.seen, dataset.validation)
    common, left, right = np.intersect1d(keys[train], keys[tested], return_indices=True)
    pairs = [f"{pool.paths[train[a]]} = {pool.paths[tested[b]]}" for a, b in zip(left[:SHOWN], right, strict=False)]
    text = "pictures are the same in training and in a test: scores flatter"
    return _finding("same_in_train_and_test", text, pairs, len(common), grave=True)


def _under_two_identities(pool: Pool) -> Finding | None:
    """Pixels that are said to show two."""
    keys = _keys(pool)
    people = np.flatnonzero(pool.identities >= 0)
    order = people[np.lexsort((pool.identities[people], keys[people]))]
    same = (keys[order][1:] == keys[order][:-1]) & (pool.identities[order][1:] != pool.identities[order][:-1])
    places = np.flatnonzero(same)
    pairs = [f"{pool.paths[order[place]]} = {pool.paths[order[place + 1]]}" for place in places[:SHOWN]]
    text = "pictures stand under two identities"
    return _finding("same_under_two_identities", text, pairs, len(places), grave=True)


def _keys(pool: Pool) -> IntArray:
    """(N,) labels of the pixels: equal where they are."""
    _, labels = np.unique(np.ascontiguousarray(pool.digests).view("S16")[:, 0], return_inverse=True)
    return labels.astype(np.int64)


def _finding(
    code: str, text: str, examples: Sequence[str], count: int | None = None, *, grave: bool = False
) -> Finding | None:
    """None where there is nothing of the kind."""
    count = len(examples) if count is None else count
    return Finding(code, text, count, tuple(examples[:SHOWN]), grave) if count else None

"""From a specification of files to a data set: listed, read, divided, looked over."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from reid_tui.data.folders import sources
from reid_tui.data.folders.cache import pixels
from reid_tui.data.folders.lint import lint
from reid_tui.data.folders.size import default_size
from reid_tui.data.pool import Pool
from reid_tui.data.split import divided, told
from reid_tui.errors import UsageError
from reid_tui.evaluation.labels import DISTRACTOR

if TYPE_CHECKING:
    from reid_tui.config import DataOptions
    from reid_tui.data.catalog import Report
    from reid_tui.data.dataset import Dataset
    from reid_tui.data.folders.listing import Listing
    from reid_tui.data.folders.verdict import Pixels


def load_files(options: DataOptions, report: Report) -> Dataset:
    """Open a person's own images.

    Args:
        options: their `data` names a source or a path.
        report: told what is going on, and what was found that is not grave.

    Raises:
        DataError: nothing that can be trained on; the message says what there is, and the remedy.
    """
    report("looking through the files")
    if (pool := sources.arrays(options, report)) is not None:
        if options.image_size is not None:
            raise UsageError(f"--image-size is for pictures in files, not for {options.data}; leave it out")
        return looked_over(pool, options, report)
    listing = sources.listing(options, report)
    asked = options.image_size
    size, why = (asked, f"{asked}, as asked for") if asked else default_size(listing)
    report(f"pictures: {why}")
    pool = pooled(listing, pixels(listing, size, report), size)
    return looked_over(pool, options, report)


def looked_over(pool: Pool, options: DataOptions, report: Report) -> Dataset:
    """Divide a pool, and say what was found."""
    dataset = divided(pool, options.holdout)
    dataset = replace(dataset, findings=(*dataset.findings, *lint(pool, dataset)))
    for line in told(dataset):
        report(line)
    return dataset


def pooled(listing: Listing, read: Pixels, size: str) -> Pool:
    """The readable pictures of a listing with their pixels."""
    kept = [place for place in range(len(listing.pictures)) if place not in read.unreadable]
    pictures = [listing.pictures[place] for place in kept]
    names = tuple(sorted({picture.identity for picture in pictures if picture.identity is not None}))
    label = {name: number for number, name in enumerate(names)}
    cameras = sorted({picture.camera for picture in pictures if picture.camera is not None})
    camera = {name: number for number, name in enumerate(cameras)}
    rows = np.array(kept, dtype=np.int64)
    return Pool(
        name=listing.name,
        spec=listing.spec,
        source=listing.source,
        images=read.images,
        rows=rows,
        digests=read.digests[rows],
        identities=np.array([DISTRACTOR if p.identity is None else label[p.identity] for p in pictures], np.int64),
        names=names,
        cameras=np.array([camera[p.camera or ""] for p in pictures], np.int64) if cameras else None,
        camera_names=tuple(cameras),
        roles=np.array([p.role for p in pictures], np.int8),
        paths=[p.path for p in pictures],
        image_size=size,
        root=None if any(picture.box for picture in pictures) else str(listing.root),
        findings=(*listing.findings, *read.findings),
    )

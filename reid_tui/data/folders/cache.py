"""What is kept of a listing under the user's cache folder, its pixels above all: `pictures/<spec>/<size>/`.

Legend: N rows, C channels, H height, W width.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import platformdirs

from reid_tui.data.findings import Finding
from reid_tui.data.folders import generations, index
from reid_tui.data.folders.decode import UnreadError
from reid_tui.data.folders.fill import Generation, Job, fill
from reid_tui.data.folders.reading import read_settled
from reid_tui.data.folders.store import FileStore, MemoryStore, PixelRows, StoreError, storing
from reid_tui.data.folders.verdict import MOST_UNREADABLE, judged
from reid_tui.errors import DataError, advice, why
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reid_tui.data.catalog import Report
    from reid_tui.data.folders.index import Index
    from reid_tui.data.folders.listing import Listing
    from reid_tui.data.folders.store import Store
    from reid_tui.data.folders.verdict import Pixels

LARGEST_IN_MEMORY: Final = 1 << 30
"""Bytes of pixels up to which they stay in memory where they cannot be kept."""


class Kept(NamedTuple):
    """What the cache holds of a source."""

    size: int
    """Bytes on the disk; 0 where nothing is kept."""
    folder: Path


def pixels(listing: Listing, size: str, report: Report, most_unreadable: float = MOST_UNREADABLE) -> Pixels:
    """Bring all pictures to one size, or take what an earlier start has kept of them.

    Args:
        listing: of at least one picture.
        size: HxW, as `config.parse_image_size` gives it.
        report: told how far it is; what it raises ends it, and nothing half made stays.
        most_unreadable: share of the pictures that may be left out.

    Raises:
        DataError: no picture can be read, more cannot be read than may be left out, or there is room nowhere.
    """
    height, width = (int(side) for side in size.split("x"))
    job = Job.of(listing, (height, width), report)
    old: Generation | None = None
    try:
        with storing():
            folder = generations.make_private(folder_of(listing.spec) / f"{size}-{index.VERSION}")
        generations.sweep(folder)
        old = _found(job, folder)
        same = old is not None and np.array_equal(old.index.keys, job.keys)
        if old is None or not same or _may_be_read(job, old.index):
            outdated = index.name_of(job.keys) if same else ""
            old = generations.make(folder, len(job.paths), job.size, lambda rows: fill(job, old, rows), outdated)
    except StoreError as error:
        return judged(listing, _unkept(job, old), None, _cache_off(listing.spec, error), most=most_unreadable)
    return judged(listing, old, folder, most=most_unreadable)


def forget(spec: str) -> int:
    """Remove all that is kept of a source, whatever the settings.

    Args:
        spec: canonical, as `Listing.spec`.

    Returns:
        How many bytes that were.

    Raises:
        DataError: it cannot be removed.
    """
    try:
        found = kept(spec)
        if found.folder.exists():
            shutil.rmtree(found.folder)
    except OSError as error:
        raise DataError(f"what is kept of {printable(spec, 400)} cannot be removed: {advice(error, '')}") from error
    return found.size


def kept(spec: str) -> Kept:
    """How much is kept of a source, and where.

    Args:
        spec: canonical, as `Listing.spec`.

    Raises:
        OSError: the user has no folder for it.
    """
    folder = folder_of(spec)
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                size += Path(place, name).stat().st_size
    return Kept(size, folder)


def folder_of(spec: str) -> Path:
    """Where all is kept of a source, which may not be there yet.

    Args:
        spec: canonical, as `Listing.spec`.

    Raises:
        OSError: the user has no folder for it.
    """
    try:
        base = platformdirs.user_cache_path("reid-tui", appauthor=False)
    except RuntimeError as error:
        raise OSError(str(error)) from error
    if not base.is_absolute():
        raise OSError("you have no home folder; name one for caches with XDG_CACHE_HOME")
    return base / "pictures" / blake2b(spec.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _found(job: Job, folder: Path) -> Generation | None:
    """What is kept of just these pictures, else of most of them."""
    wanted = folder / index.name_of(job.keys)
    try:
        if wanted.exists():
            return generations.opened(wanted, len(job.paths), job.size)
    except (OSError, ValueError):
        job.report("what was kept of these pictures is damaged; they are read again")
        generations.discard(wanted)
    return generations.newest(folder, job.size)


def _may_be_read(job: Job, found: Index) -> bool:
    """Whether a file that could not be read can be by now: rights and disks come back without a new time of change."""
    for row in np.flatnonzero(found.states == index.UNREAD):
        try:
            read_settled(job.paths[int(row)])
        except UnreadError:
            continue
        return True
    return False


def _unkept(job: Job, old: Generation | None) -> Generation:
    """In memory, or in a file that is gone with the process."""
    largest = len(job.paths) * index.COLOUR * job.size[0] * job.size[1]
    try:
        with _elsewhere(largest) as store:
            rows = PixelRows(store, len(job.paths), job.size)
            found = fill(job, old, rows)
            return Generation(rows.array(), found)
    except StoreError as error:
        raise DataError(
            f"there is no room for {largest / 1e9:.1f} GB of pixels: {why(error)}; name another folder for caches with "
            "XDG_CACHE_HOME or for temporary files with TMPDIR, or take a smaller --image-size"
        ) from error


@contextmanager
def _elsewhere(largest: int) -> Iterator[Store]:
    if largest <= LARGEST_IN_MEMORY:
        yield MemoryStore(largest)
        return
    with contextlib.ExitStack() as stack:
        with storing():
            file = stack.enter_context(tempfile.TemporaryFile())
        yield FileStore(file.fileno())


def _cache_off(spec: str, error: StoreError) -> Finding:
    """Why nothing is kept, as a clause behind the count of one."""
    place = ""
    with contextlib.suppress(OSError):
        place = f" {printable(folder_of(spec).parent, 400)}"
    then = "until then all pictures are read again at each start"
    return Finding("cache_off", f"folder for kept pictures cannot be used:{place}: {advice(error, then)}", 1)

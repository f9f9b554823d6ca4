"""Pictures into rows of pixels, several at once, in their order.

Threads: Pillow lets others run while it decodes, and beside 12-megapixel photographs as beside small crops they are no
slower than processes, which take a second to start.

Legend: N rows, n rows of a part, C channels, H height, W width.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from concurrent import futures
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.data.folders import index
from reid_tui.data.folders.decode import Source, TooLargeError, UnreadableError, UnreadError
from reid_tui.data.folders.index import Index
from reid_tui.data.folders.reading import read_settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from reid_tui.data.catalog import Report
    from reid_tui.data.dataset import UInt8Array
    from reid_tui.data.folders.listing import Listing
    from reid_tui.data.folders.store import PixelRows

MOST_THREADS: Final = 16
"""The interpreter's lock lets small pictures gain nothing from more, and large ones take memory."""
REPORT_S: Final = 0.1
_PART_BYTES: Final = 1 << 20
_PART_ROWS: Final = 64
_AHEAD: Final = 4
"""Parts for each thread that are decoded or wait to be written."""
_LEAVING_S: Final = 5.0
"""So long an end waits for threads that decode a picture or hang in a file system."""


@dataclass(frozen=True, slots=True, eq=False)
class Generation:
    """Pixels that stand, and what is known of them."""

    images: UInt8Array
    """(N, C, H, W)"""
    index: Index


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """What is to be decoded."""

    listing: Listing
    paths: Sequence[str]
    """(N,) absolute."""
    keys: UInt8Array
    """(N, 16) as they were listed."""
    size: tuple[int, int]
    """H, W."""
    report: Report

    @classmethod
    def of(cls, listing: Listing, size: tuple[int, int], report: Report) -> Job:
        """Of all pictures of a listing."""
        paths = [index.full_path(listing, picture) for picture in listing.pictures]
        return cls(listing, paths, index.listed_keys(listing, paths), size, report)

    def parts(self) -> Iterator[range]:
        """Rows that are worked on together: not so many that an end or a report has to wait for them."""
        first, weight = 0, 0
        each = index.COLOUR * self.size[0] * self.size[1]
        for row, picture in enumerate(self.listing.pictures):
            weight += picture.size + each
            if weight >= _PART_BYTES or row - first == _PART_ROWS - 1:
                yield range(first, row + 1)
                first, weight = row + 1, 0
        if first < len(self.paths):
            yield range(first, len(self.paths))


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    pixels: UInt8Array
    """(n, C, H, W), zeros where there are none; C is 1 where none has colour."""
    index: Index


def fill(job: Job, old: Generation | None, rows: PixelRows) -> Index:
    """Decode what `old` does not have, copy the rest, and append all to `rows`.

    Raises:
        StoreError: there is no room for it.
        BaseException: what the report raises. The threads have ended then, or will when their picture is done.
    """
    known = {} if old is None else _known(old.index)

    progress = _Progress(job)
    progress.tell()
    parts: list[Index] = []
    crew = _Crew(job, old, known)
    try:
        for part in crew.work(progress.tell):
            rows.append(part.pixels)
            parts.append(part.index)
            progress.done += len(part.pixels)
            progress.tell()
    finally:
        crew.leave()
    return Index(
        keys=np.concatenate([part.keys for part in parts]),
        states=np.concatenate([part.states for part in parts]),
        digests=np.concatenate([part.digests for part in parts]),
        reasons={row: reason for part in parts for row, reason in part.reasons.items()},
    )


class _Progress:
    """Told as often as a person can see."""

    def __init__(self, job: Job) -> None:
        self.done = 0
        self._job, self._told = job, -REPORT_S

    def tell(self) -> None:
        total = len(self._job.paths)
        if self.done == total or time.monotonic() - self._told >= REPORT_S:
            self._told = time.monotonic()
            self._job.report("reading pictures", self.done, total)


def _known(old: Index) -> dict[bytes, int]:
    """Rows by their keys; what could not be read is tried again."""
    return {key.tobytes(): row for row, key in enumerate(old.keys) if old.states[row] != index.UNREAD}


class _Crew:
    """Threads that are done when they are told to leave. They keep no process alive that wants to end."""

    def __init__(self, job: Job, old: Generation | None, known: Mapping[bytes, int]) -> None:
        self._job, self._old, self._known = job, old, known
        self._leaving = threading.Event()
        self._tasks: SimpleQueue[tuple[range, Future[_Part]] | None] = SimpleQueue()
        affinity = getattr(os, "sched_getaffinity", None)
        cores = len(affinity(0)) if affinity else os.cpu_count() or 1
        count = min(cores, MOST_THREADS, len(job.paths))
        self._threads = [
            threading.Thread(target=self._serve, name=f"reid-tui-pictures-{number}", daemon=True)
            for number in range(count)
        ]

    def work(self, wait: Callable[[], None]) -> Iterator[_Part]:
        """All parts in order; `wait` is called now and then while the next one is not done."""
        for thread in self._threads:
            thread.start()
        pending: deque[Future[_Part]] = deque()
        for rows in self._job.parts():
            pending.append(Future())
            self._tasks.put((rows, pending[-1]))
            if len(pending) >= _AHEAD * len(self._threads):
                yield _waited(pending.popleft(), wait)
        while pending:
            yield _waited(pending.popleft(), wait)

    def leave(self) -> None:
        """End the threads, after the pictures that they are at."""
        self._leaving.set()
        for _ in self._threads:
            self._tasks.put(None)
        until = time.monotonic() + _LEAVING_S
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(until - time.monotonic(), 0))

    def _serve(self) -> None:
        while (task := self._tasks.get()) is not None and not self._leaving.is_set():
            rows, answer = task
            try:
                answer.set_result(self._part(rows))
            except BaseException as error:  # raised again by whoever waits for the answer
                answer.set_exception(error)

    def _part(self, rows: range) -> _Part:
        """Pixels of some rows; of those before the end only, once the threads are to leave."""
        job, count = self._job, len(rows)
        keys = job.keys[rows.start : rows.stop].copy()
        pixels = np.zeros((count, index.COLOUR, *job.size), dtype=np.uint8)
        states = np.zeros(count, dtype=np.uint8)
        digests = np.zeros((count, index.KEY_BYTES), dtype=np.uint8)
        reasons: dict[int, str] = {}
        files = _Files()
        for place, row in enumerate(rows):
            if self._leaving.is_set():
                break
            try:
                if (copied := self._known.get(keys[place].tobytes())) is not None and self._old is not None:
                    pixels[place] = self._old.images[copied]
                    states[place], digests[place] = self._old.index.states[copied], self._old.index.digests[copied]
                    if copied in self._old.index.reasons:
                        reasons[row] = self._old.index.reasons[copied]
                    continue
                box = job.listing.pictures[row].box
                file = files.open(job.paths[row])
                keys[place] = np.frombuffer(index.row_key(job.paths[row], file.size, file.changed_ns, box), np.uint8)
                found = file.source().part(box, job.size)
                pixels[place], states[place] = found, len(found)
                digests[place] = index.content_digest(found)
            except UnreadableError as error:
                states[place], reasons[row] = _state(error), str(error)
        if not (states == index.COLOUR).any():
            pixels = pixels[:, : index.GREY]
        return _Part(pixels, Index(keys, states, digests, reasons))


class _File:
    """One file's content and, once it was asked for, its pictures."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._data, self.changed_ns = read_settled(path)
        self.size = len(self._data)
        self._source: Source | UnreadableError | None = None

    def source(self) -> Source:
        """Decoded once for all its boxes."""
        if self._source is None:
            try:
                self._source = Source(self._data)
            except UnreadableError as error:
                self._source = error
        if isinstance(self._source, UnreadableError):
            raise self._source
        return self._source


class _Files:
    """The last file that was read: boxes of one picture stand one after the other in most tables."""

    def __init__(self) -> None:
        self._last: _File | None = None

    def open(self, path: str) -> _File:
        if self._last is None or self._last.path != path:
            self._last = None
            self._last = _File(path)
        return self._last


def _state(error: UnreadableError) -> int:
    match error:
        case TooLargeError():
            return index.TOO_LARGE
        case UnreadError():
            return index.UNREAD
        case _:
            return index.DAMAGED


def _waited(answer: Future[_Part], wait: Callable[[], None]) -> _Part:
    while not answer.done():
        futures.wait((answer,), timeout=REPORT_S)
        wait()
    return answer.result()

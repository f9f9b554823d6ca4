"""A log that has grown too long, made shorter: of what comes often, older lines are thinned; all else stays.

A line's kind and number are read off its beginning, so that a long log is not parsed.

Legend: N lines, K lines of one kind.
"""

from __future__ import annotations

import contextlib
import os
import re
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from reid_tui.files import PRIVATE_FILE, TEMPORARY_PREFIX, sync_folder, write_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_SKIPPED: Final = b"step_skipped"
"""A warning that may come with every other step; progress tells how many there were."""
OFTEN: Final = (b"progress", b"phase_changed", b"embeddings_ready", b"distances_ready", _SKIPPED)
LESS_OFTEN: Final = (b"evaluated", b"epoch_ended", b"checkpoint_saved")
"""Thinned too where thinning the others does not suffice."""
PIECE: Final = 2**20
_HEAD: Final = re.compile(rb'\{"event":"([a-z0-9_]{1,40})","seq":(\d{1,18})\b')
_IS_SKIPPED: Final = b'"code":"step_skipped"'
_CODES: Final = {name: code for code, name in enumerate((*OFTEN, *LESS_OFTEN), start=1)}
_ALWAYS: Final = 0
_WIDTHS: Final = tuple(2.0 ** (quarters / 4) for quarters in range(-96, 1))
"""Of a slot, in powers of e of a line's age: from every line to one while the age grows e-fold."""
_COARSE: Final = _WIDTHS.index(2.0**-4)
"""Coarser slots only together with those for what comes less often."""

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Lines:
    """A log's lines: where each ends, (N,) each."""

    ends: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    seqs: NDArray[np.int64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        return np.diff(self.ends, prepend=0)


def compact(path: Path, descriptor: int, budget: int) -> tuple[int, int]:
    """Put a shorter log in the place of one.

    The newest quarter of the budget stays as it is, and about five eighths of it are left, so that it is not soon full
    again. Whoever reads the old file can read on to its end; a new inode at `path` says that there is another.

    Args:
        path: of the log. Its last line is whole.
        descriptor: of the same file, for reading.
        budget: bytes.

    Returns:
        A descriptor for reading and appending to the new file, and its size in bytes.

    Raises:
        OSError: the log is as it was.
    """
    lines = _index(descriptor)
    keep = _choice(lines, target=budget * 5 // 8, untouched=budget // 4)
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{path.name}")
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
    shorter = os.open(temporary, flags, PRIVATE_FILE)
    try:
        for piece in _pieces(descriptor, lines, keep):
            write_all(shorter, piece)
        os.fsync(shorter)
        temporary.replace(path)
    except OSError:
        os.close(shorter)
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError):  # the new file is in place; a crash may bring the old one back, which is whole
        sync_folder(path.parent)
    return shorter, int(lines.sizes[keep].sum())


def _index(descriptor: int) -> _Lines:
    ends, kinds, seqs = array("q"), bytearray(), array("q")
    position, seq, rest = 0, 0, b""
    while piece := os.pread(descriptor, PIECE, position):
        end = position - len(rest)
        position += len(piece)
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            end += len(line) + 1
            head = _HEAD.match(line)
            code = _ALWAYS
            if head is not None:
                name = _SKIPPED if head[1] == b"warned" and _IS_SKIPPED in line else head[1]
                code, seq = _CODES.get(name, _ALWAYS), int(head[2])
            ends.append(end)
            kinds.append(code)
            seqs.append(seq)
    return _Lines(np.array(ends, np.int64), np.frombuffer(bytes(kinds), np.uint8), np.array(seqs, np.int64))


def _choice(lines: _Lines, target: int, untouched: int) -> BoolArray:
    """(N,) True for the lines to keep: of the old ones of a kind, one in each slot of age, slots growing with age."""
    total = int(lines.ends[-1]) if len(lines.ends) else 0
    old = lines.ends <= total - untouched
    age = np.log(np.maximum(lines.seqs.max(initial=0) - lines.seqs, 1).astype(np.float64))
    keep: BoolArray = np.ones(len(old), np.bool_)
    for names, coarsest in ((OFTEN, _COARSE), (OFTEN + LESS_OFTEN, len(_WIDTHS) - 1)):
        by_kind = [np.flatnonzero(old & (lines.kinds == _CODES[name])) for name in names]
        low, high = 0, coarsest
        while low < high:  # the finest slots that do
            middle = (low + high) // 2
            if int(lines.sizes[_thinned(by_kind, age, _WIDTHS[middle])].sum()) <= target:
                high = middle
            else:
                low = middle + 1
        keep = _thinned(by_kind, age, _WIDTHS[low])
        if int(lines.sizes[keep].sum()) <= target:
            break
    return keep


def _thinned(by_kind: Sequence[NDArray[np.int64]], age: NDArray[np.float64], width: float) -> BoolArray:
    keep: BoolArray = np.ones(len(age), np.bool_)
    for index_K in by_kind:
        slots_K = np.floor(age[index_K] / width)
        keep[index_K] = np.diff(slots_K, prepend=np.inf) != 0
        keep[index_K[-1:]] = True  # the newest of its kind, wherever it stands
    return keep


def _pieces(descriptor: int, lines: _Lines, keep: BoolArray) -> Iterator[bytes]:
    """The kept lines, neighbours together, in pieces that stay small."""
    starts = lines.ends - lines.sizes
    turns: NDArray[Any] = np.flatnonzero(np.diff(keep.astype(np.int8), prepend=0, append=0))
    gathered: list[bytes] = []
    size = 0
    for first, after in turns.reshape(-1, 2).tolist():
        position, end = int(starts[first]), int(lines.ends[after - 1])
        while position < end:
            part = os.pread(descriptor, min(PIECE, end - position), position)
            if not part:
                raise OSError("the log became shorter while it was read")
            position += len(part)
            gathered.append(part)
            size += len(part)
            if size >= PIECE:
                yield b"".join(gathered)
                gathered, size = [], 0
    yield b"".join(gathered)

"""How the C library hands memory out, where that is known to cost a training run much of its time."""

from __future__ import annotations

import ctypes
import os
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
"""From glibc's malloc.h."""
_KEPT: Final = 2**30
"""Bytes that are kept for the next step at most, and up to which a single block is."""


def keep_freed_memory() -> None:
    """Have freed memory used again instead of handed back to the kernel. Call it before a thread is started.

    A step frees tens of MiB that the next one takes anew, and glibc gives blocks of this size back in between: the
    kernel then zeroes each page of them again, which is a third of the tutorial network's step. A thread's own arena
    gives them back whatever is set, so there is to be only one.

    Another C library is left alone, and so is one that the environment has settings for.
    """
    if any(name.startswith("MALLOC_") for name in os.environ) or "malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for name, value in ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, _KEPT), (_TRIM_THRESHOLD, _KEPT)):
            mallopt(name, value)

"""Faults that tests inject for real, and a way to wait without sleeping for long."""

from __future__ import annotations

import contextlib
import resource
import signal
import time
from collections.abc import Callable, Iterator


def wait_for(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Poll until a condition holds."""
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.001)


@contextlib.contextmanager
def limited_files(size: int) -> Iterator[None]:
    """No file may grow past `size` bytes: the kernel refuses the rest of a write, as with a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)

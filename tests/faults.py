"""Faults that tests inject for real, and a way to wait without sleeping for long."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


def wait_for(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Poll until a condition holds."""
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.001)


def read_until(descriptor: int, text: bytes, timeout_s: float = 30.0) -> bytes:
    """Read a pipe until a text came; gives all that was read."""
    read = b""
    while text not in read:
        assert select.select([descriptor], [], [], timeout_s)[0], f"no {text!r} in {read!r}"
        part = os.read(descriptor, 4096)
        assert part, f"no {text!r} before the end of {read!r}"
        read += part
    return read


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """A file system of `size` bytes at a folder that exists; skips where none may be mounted."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


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

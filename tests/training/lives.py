"""What a forked process does in tests of faults. Torch is imported here, and nothing of it is called at import."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # what an optimiser imports when it is made: seconds, in each life if not here
import torch.onnx

from reid_tui.config import RunOptions
from reid_tui.data import catalog
from reid_tui.engine import run_training
from reid_tui.errors import CheckpointError
from reid_tui.headless import exit_code
from reid_tui.training import events as ev
from reid_tui.training import saving
from reid_tui.training.channels import CommandBox
from reid_tui.training.checkpoint import load_latest, prune
from tests.conftest import tiny_dataset
from tests.training.small import EPOCHS, save_small

TINY = tiny_dataset()
SYSTEM_CALLS = ("open", "write", "fsync", "replace", "rename", "close", "unlink")


class KilledAt:
    """Every call that changes or syncs files is counted; before the n-th, or in the middle of it, the process dies."""

    def __init__(self, nth: int, *, half: bool) -> None:
        self._left = nth
        self._half = half
        for name in SYSTEM_CALLS:
            setattr(os, name, self._counted(name, getattr(os, name)))

    def _counted(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            self._left -= 1
            if self._left < 0:
                if name == "write" and self._half:
                    descriptor, content = arguments
                    real(descriptor, content[: len(content) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **more)

        return call


class FailsAt:
    """As `KilledAt`, on a disk that answers with an error: once, or to all that comes until it is mended."""

    def __init__(self, nth: int, *, half: bool, lasting: bool) -> None:
        self._left = nth
        self._half = half
        self._lasting = lasting
        self.met: str | None = None
        """Name of the n-th call."""
        self._real = {name: getattr(os, name) for name in SYSTEM_CALLS}
        for name, real in self._real.items():
            setattr(os, name, self._counted(name, real))

    def mend(self) -> None:
        """The disk is well."""
        for name, real in self._real.items():
            setattr(os, name, real)

    def _counted(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            self._left -= 1
            if self._left == -1 and self._half and name == "write":
                self._left += 1  # the rest of the content meets the error
                descriptor, content = arguments
                self._half = False
                return real(descriptor, content[: len(content) // 2])
            if self._left == -1 or (self._left < 0 and self._lasting):
                self.met = self.met or name
                if name == "close":
                    real(*arguments)  # a descriptor is free even where the disk did not take all
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(*arguments, **more)

        return call


def save(folder: str, step: int, value: int, nth: int, half: bool) -> None:
    """Save and prune, and be killed at the n-th system call; the end is reached when there are fewer."""
    KilledAt(nth, half=half)
    save_small(Path(folder), step, value)
    prune(Path(folder), step)


def save_with_an_error(folder: str, step: int, value: int, nth: int, half: bool, lasting: bool, again: bool) -> int:
    """Save and prune while the n-th system call fails, `again` once more when the disk is well.

    1 where the save failed, 2 where it did not mind, 0 where there are fewer calls.
    """
    disk = FailsAt(nth, half=half, lasting=lasting)
    failed = False
    try:
        save_small(Path(folder), step, value)
        with contextlib.suppress(OSError):
            prune(Path(folder), step)
    except OSError as error:
        failed = error.errno == errno.EIO
    finally:
        disk.mend()
    if again:
        save_small(Path(folder), step, value)
        prune(Path(folder), step)
    assert failed or disk.met not in ("write", "fsync", "replace"), "a failed call was taken for a save"
    return 1 if failed else 2 * (disk.met is not None)


def _options(runs: str, **changes: Any) -> RunOptions:
    fixed = {"data": "tiny", "device": "cpu", "batch_size": 16, "epochs": EPOCHS, "seed": 3, "runs_dir": runs}
    catalog.load = lambda *_: TINY  # type: ignore[assignment]
    return RunOptions(**{**fixed, **changes})


def train(runs: str, resume: bool, kill_at: int | None = None, delay_s: float = 0.0) -> int:
    """A life of a run; killed some time after its `kill_at`-th event, by a process that cannot be talked out of it."""
    reading, writing = os.pipe()
    if not os.fork():
        os.close(writing)
        if os.read(reading, 1):
            time.sleep(delay_s)
            os.kill(os.getppid(), signal.SIGKILL)
        os._exit(0)
    heard = 0

    def listener(event: ev.AnyEvent) -> None:
        nonlocal heard
        heard += 1
        if heard == kill_at:
            os.write(writing, b"x")

    options = _options(runs, resume="latest" if resume else None)
    return exit_code(run_training(options, listener, CommandBox(), steerable=False))


def train_on_a_disk_that_fills(runs: str, full_from: int, full_to: int, limit: int) -> int:
    """No file may grow past a limit between two steps; a failed save is tried again at every step."""
    saving.SAVE_AGAIN_S = 0.0  # type: ignore[misc]
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]

    def listener(event: ev.AnyEvent) -> None:
        if isinstance(event, ev.Progress) and event.step == full_from:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        if isinstance(event, ev.Progress) and event.step == full_to:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    return exit_code(run_training(_options(runs, epochs=3), listener, CommandBox(), steerable=False))


def train_on_a_broken_disk(runs: str, code: int, broken_from: int, broken_to: int) -> int:
    """Between two steps no file of the run takes a write or an fsync; a failed save is tried again at every step."""
    saving.SAVE_AGAIN_S = 0.0  # type: ignore[misc]
    step = 0

    def broken(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(descriptor: int, *content: bytes) -> Any:
            of_the_run = Path(f"/proc/self/fd/{descriptor}").readlink().is_relative_to(runs)
            if of_the_run and broken_from <= step < broken_to:
                raise OSError(code, os.strerror(code))
            return real(descriptor, *content)

        return call

    os.write = broken(os.write)
    os.fsync = broken(os.fsync)

    def listener(event: ev.AnyEvent) -> None:
        nonlocal step
        step = max(step, event.step if isinstance(event, ev.Progress) else 0)

    return exit_code(run_training(_options(runs, epochs=3), listener, CommandBox(), steerable=False))


def train_on_a_small_file_system(runs: str, ballast: str, full_from: int, full_to: int) -> int:
    """The file system is filled to the last byte between two steps."""
    saving.SAVE_AGAIN_S = 0.0  # type: ignore[misc]

    def fill() -> None:
        with contextlib.suppress(OSError), Path(ballast).open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    def listener(event: ev.AnyEvent) -> None:
        if isinstance(event, ev.Progress) and event.step == full_from:
            fill()
        if isinstance(event, ev.Progress) and event.step == full_to:
            Path(ballast).unlink()

    return exit_code(run_training(_options(runs, epochs=3), listener, CommandBox(), steerable=False))


def load_in_little_memory(folder: str, more: int) -> int:
    """0 where a checkpoint loads, 1 where none does; the process may take only so many bytes more than it has."""
    torch.zeros(1).sum().item()
    with Path("/proc/self/statm").open() as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + more, size + more))
    try:
        load_latest(Path(folder))
    except CheckpointError as error:
        return 1 if "\n" not in str(error) else 2
    return 0

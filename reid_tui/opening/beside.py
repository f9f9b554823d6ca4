"""Torch is imported while the data is opened: each alone leaves a core idle."""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    from reid_tui.config import RunOptions
    from reid_tui.data.dataset import Dataset
    from reid_tui.opening.loading import Loading

T = TypeVar("T")


def data_and_device(options: RunOptions, loading: Loading) -> tuple[Dataset, torch.device]:
    """Open the data while torch is imported: one holds the interpreter, the other unpacks and hashes without it."""
    picked = beside(lambda: _picked(options.device, loading))

    def report(text: str, done: int = 0, total: int = 0) -> None:
        if picked.done():
            picked.result()  # raises what is wrong with the device
        loading.report(text, done, total)

    from reid_tui.data import catalog

    report("looking for the data")
    with loading.timed("data"):
        dataset = catalog.load(options, report)
    if not picked.done():
        report("waiting for torch")
    with loading.timed("waiting for torch"):
        return dataset, picked.result()


def _picked(name: str, loading: Loading) -> torch.device:
    """The device, ready for work, with torch and all that computes there imported."""
    with uncollected(), loading.timed("torch"):
        from reid_tui.training import keeper, learner, scoring, trainer  # noqa: F401
        from reid_tui.training.device import pick_device, wake
    device = pick_device(name)
    if device.type == "cuda":
        with loading.timed("CUDA's context"):
            wake(device)
    return device


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Nothing is garbage meanwhile: an import makes a million objects that stay, and each collection goes over all.

    What was imported is passed over later, too: going over torch takes a tenth of a second in which no key is answered.
    """
    was_on, before = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > before:
            gc.freeze()
        if was_on:
            gc.enable()


def beside(work: Callable[[], T]) -> Future[T]:
    """Do something in a thread of its own. Nobody's end waits for it."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="reid-tui-beside", daemon=True).start()
    return future

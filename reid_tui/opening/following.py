"""A process of a run beside rank 0: its settings come from there, its data from its own disk, and it keeps nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reid_tui.allocator import keep_freed_memory
from reid_tui.cores import keep_to
from reid_tui.errors import FAILURE, OK, CheckpointError, DataError, LostProcessError, ReidTuiError
from reid_tui.opening.processes import GO, REFUSED, RUN, device_of, meeting, own_cores, ready, share_threads
from reid_tui.signals import EXIT_CODES, STOPPING, Haste
from reid_tui.training.manifest import checked_config

if TYPE_CHECKING:
    import torch
    from torch._C._distributed_c10d import Store

    from reid_tui.config import RunConfig
    from reid_tui.config.ranks import Rank
    from reid_tui.data.dataset import Dataset
    from reid_tui.training.together.group import Group

PATIENCE_S: Final = 20.0
"""That rank 0 may take to end the run after a signal came here."""

TIDYING_S: Final = 1.0
"""That a process waits, where one is lost, to find out whether it is rank 0."""


def follow(rank: Rank, data_dir: str | None) -> int:
    """Train with rank 0 until it lets go.

    Args:
        rank: of this process.
        data_dir: where the data files lie here.

    Returns:
        The exit code.

    Raises:
        ReidTuiError: somebody is gone, or the data is not what rank 0 has.
    """
    keep_freed_memory()
    signals, left_alone = _Signals(), threading.Event()
    if rank.meeting:
        threading.Thread(target=_end_with_rank_0, args=(Path(rank.meeting).parent, left_alone), daemon=True).start()
    try:
        _follow(rank, data_dir, signals)
    except LostProcessError:
        if rank.meeting:
            left_alone.wait(TIDYING_S)
        raise
    return EXIT_CODES[signals.name] if signals.name else OK


def _follow(rank: Rank, data_dir: str | None, signals: _Signals) -> None:
    share_threads(rank)
    store = meeting(rank)
    told = json.loads(store.get(RUN))
    config = checked_config(told["config"])
    try:
        dataset = _same_data(config, data_dir, told["fingerprint"])
        device = device_of(rank, told["device"])
    except ReidTuiError as error:
        store.set(REFUSED, f"process {rank.number} on {socket.gethostname()}: {error}")
        raise
    if cores := own_cores(rank, device):
        keep_to(cores)
    store.set(ready(rank.number), "")
    store.wait([GO])
    _train(_joined(rank, store, device, signals), config, dataset, device)


def _same_data(config: RunConfig, data_dir: str | None, fingerprint: str) -> Dataset:
    from reid_tui.data import catalog

    dataset = catalog.load(config.data_options(data_dir), lambda *_: None)
    if dataset.fingerprint != fingerprint:
        raise DataError(
            f"the data of {dataset.name} is not what rank 0 has: fingerprint {dataset.fingerprint[:12]}…, there "
            f"{fingerprint[:12]}…; all processes need the same files"
        )
    return dataset


def _joined(rank: Rank, store: Store, device: torch.device, signals: _Signals) -> Group:
    from reid_tui.training.together.group import Group

    group = Group(rank, store, device)
    signals.group = group
    return group


def _train(group: Group, config: RunConfig, dataset: Dataset, device: torch.device) -> None:
    from reid_tui.training.learner import Learner
    from reid_tui.training.scoring import Scorer
    from reid_tui.training.together.follower import Follower

    try:
        learner = Learner(config, dataset.train, device, restored=True, group=group)
        Follower(group, config, learner, Scorer(dataset, config, device, group)).run()
    except CheckpointError as error:
        raise LostProcessError(f"process {group.rank.number} cannot take over rank 0's weights: {error}") from error
    finally:
        group.close()


class _Signals:
    """What tells this process to end is told to rank 0, which ends the run; a thread takes it, at any time."""

    def __init__(self) -> None:
        self.name = ""
        """Of the first one."""
        self.group: Group | None = None
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # rank 0 decides what a lost terminal means
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        threading.Thread(target=self._take, name="reid-tui-signals", daemon=True).start()

    def _take(self) -> None:
        haste = Haste()
        first = signal.Signals(signal.sigwait(STOPPING))
        haste.of(first.name)
        self.name = first.name
        if self.group is not None:
            self.group.signalled = first
            while (more := signal.sigtimedwait(STOPPING, PATIENCE_S)) is not None:
                if haste.of(signal.Signals(more.si_signo).name) == "more":
                    break
        os._exit(EXIT_CODES[first.name])


def _end_with_rank_0(folder: Path, left_alone: threading.Event) -> None:
    """Standard input ends with rank 0, whatever has become of it; nobody else is left to remove the folder."""
    while os.read(0, 1):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    left_alone.set()
    threading.Event().wait(PATIENCE_S / 4)  # it may have let go of us, and we are about to end
    os._exit(FAILURE)

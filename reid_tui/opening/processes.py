"""The other processes of a run, as rank 0 sees them: started here, or by torchrun, and met before the first step.

What `--nproc` starts hears of rank 0's end by its standard input, also where rank 0 was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reid_tui.config.ranks import MEETING, Rank, rank_of
from reid_tui.cores import keep_to, share
from reid_tui.errors import LostProcessError, RunError, UsageError, why
from reid_tui.text import printable

if TYPE_CHECKING:
    import torch
    from torch._C._distributed_c10d import Store

    from reid_tui.config import RunOptions
    from reid_tui.opening.loading import Loading
    from reid_tui.opening.opening import Opening
    from reid_tui.training.together.group import Group

COMMAND: Final = (sys.executable, "-m", "reid_tui", "train")
MEETING_LASTS: Final = timedelta(hours=1)
"""That processes wait for one that still reads its data."""
LEAVING_S: Final = 3.0
"""That a process may take to end when it is let go; it has nothing to save."""
TELLING_S: Final = 2.0
"""That the system may take to say which process was killed."""
RUN, REFUSED, GO = "run", "refused", "go"
"""What is left for the others to read: the run's settings, why one cannot take part, and that all can."""


class Processes:
    """All that train one run together, this one among them."""

    def __init__(self, rank: Rank, children: dict[int, subprocess.Popen[bytes]], folder: Path | None) -> None:
        """Take the rank of this process, those that it has started, and what they write to."""
        self.rank = rank
        self._children = children
        self._folder = folder
        self._met = False

    @classmethod
    def start(cls, options: RunOptions) -> Processes | None:
        """Start what `--nproc` asks for, or find what torchrun has started; None where this process is alone.

        Raises:
            RunError: they cannot be started.
        """
        if (given := rank_of(os.environ)) is not None:
            return cls(given, {}, None)
        size = options.nproc or 1
        if size == 1:
            return None
        try:
            folder = Path(tempfile.mkdtemp(prefix="reid-tui-"))  # of mode 0700
            rank = Rank(0, size, 0, size, str(folder / "meeting"))
            processes = cls(rank, {}, folder)
            for number in range(1, size):
                processes._children[number] = _started(number, rank, options, folder)
        except OSError as error:
            raise RunError(f"--nproc {size}: the other processes cannot be started: {why(error)}") from error
        return processes

    def join(self, opening: Opening, loading: Loading) -> Group:
        """Wait until all have read their data, and begin together.

        Raises:
            UsageError: one of them cannot take part.
            LostProcessError: one has ended.
        """
        import torch

        from reid_tui.training.together.group import Group

        if opening.device.type == "cuda" and torch.cuda.device_count() < self.rank.here:
            raise UsageError(
                f"{self.rank.here} processes need a GPU each, and here are {torch.cuda.device_count()}; "
                f"start fewer, or take --device cpu"
            )
        loading.resources.callback(torch.set_num_threads, torch.get_num_threads())
        share_threads(self.rank)
        if cores := own_cores(self.rank, opening.device):
            loading.resources.callback(keep_to, os.sched_getaffinity(0))
            keep_to(cores)
        loading.report(f"waiting for {self.rank.world_size - 1} more processes")
        store = meeting(self.rank)
        store.set(RUN, json.dumps(_told(opening)))
        while not all(store.check([ready(number)]) for number in range(1, self.rank.world_size)):
            loading.stop_if_told()
            if store.check([REFUSED]):
                raise UsageError(printable(store.get(REFUSED).decode()))
            if self._ended():
                raise LostProcessError(self.fate())
            time.sleep(0.02)
        store.set(GO, "")
        group = Group(self.rank, store, opening.device, self.fate)
        self._met = True
        loading.resources.callback(group.close)
        return group

    def fate(self) -> str:
        """Which of the processes that were started here has ended, and how; empty where none has."""
        deadline = time.monotonic() + TELLING_S
        while self._children and not self._ended() and time.monotonic() < deadline:
            time.sleep(0.02)
        ends = self._ended()
        killed = {number: code for number, code in ends.items() if code < 0}
        for number, code in (killed or ends).items():
            name = f"process {number} of {self.rank.world_size}"
            if code < 0:
                return f"{name} was killed by {signal.Signals(-code).name}"
            return f"{name} ended with exit code {code}: {self._last_line(number)}"
        return ""

    def close(self) -> None:
        """Wait for what was started here; end what does not end by itself."""
        deadline = time.monotonic() + (LEAVING_S if self._met else 0)
        for child in self._children.values():
            if child.stdin is not None:
                child.stdin.close()
        for child in self._children.values():
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _ended(self) -> dict[int, int]:
        """The exit codes of those that have, by number."""
        codes = {number: child.poll() for number, child in self._children.items()}
        return {number: code for number, code in codes.items() if code is not None}

    def _last_line(self, number: int) -> str:
        """What a process said at last."""
        text = ""
        if self._folder is not None:
            with contextlib.suppress(OSError):
                text = (self._folder / said(number)).read_text(errors="replace").strip()
        return printable(text.rpartition("\n")[2].removeprefix("reid-tui: ")) or "no word"


def _started(number: int, rank: Rank, options: RunOptions, folder: Path) -> subprocess.Popen[bytes]:
    """Another process of the run, which is told its settings when all meet."""
    environ = {
        **os.environ,
        **({"REID_TUI_DATA": options.data_dir} if options.data_dir else {}),
        "RANK": str(number),
        "LOCAL_RANK": str(number),
        "WORLD_SIZE": str(rank.world_size),
        "LOCAL_WORLD_SIZE": str(rank.world_size),
        MEETING: rank.meeting,
    }
    with (folder / said(number)).open("wb") as stderr:
        return subprocess.Popen(
            COMMAND,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,  # a key for the terminal's programs is rank 0's to take
        )


def _told(opening: Opening) -> dict[str, Any]:
    return {
        "config": opening.config.to_json(),
        "device": opening.device.type,
        "fingerprint": opening.dataset.fingerprint,
    }


def said(number: int) -> str:
    """Name of the file for what a process says."""
    return f"process-{number}.log"


def ready(number: int) -> str:
    """What a process leaves when it has read its data."""
    return f"ready {number}"


def meeting(rank: Rank) -> Store:
    """Where the processes leave words for each other until they are connected.

    Raises:
        LostProcessError: rank 0 cannot be reached.
    """
    import torch.distributed as dist
    from torch.distributed.rendezvous import rendezvous

    if rank.meeting:
        store: Store = dist.FileStore(rank.meeting, rank.world_size)  # type: ignore[attr-defined]
        store.set_timeout(MEETING_LASTS)
        return store
    try:
        store, _, _ = next(rendezvous("env://", rank.number, rank.world_size, timeout=MEETING_LASTS))
    except (RuntimeError, ValueError, dist.DistError) as error:
        raise LostProcessError(f"rank 0 is not to be reached: {str(error).partition(chr(10))[0]}") from error
    store.set_timeout(MEETING_LASTS)
    return store


def own_cores(rank: Rank, device: torch.device) -> set[int]:
    """Those that a process computes on alone; none where it is not for us to say, or it computes elsewhere."""
    return share(rank.local, rank.here) if rank.meeting and device.type == "cpu" else set()


def share_threads(rank: Rank) -> None:
    """Have the processes that we have started on one machine compute with as many threads as there are cores."""
    import torch

    if rank.meeting and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, torch.get_num_threads() // rank.here))


def device_of(rank: Rank, kind: str) -> torch.device:
    """The device of a process beside rank 0.

    Raises:
        UsageError: there are fewer GPUs than processes.
    """
    import torch

    if kind == "cuda" and torch.cuda.device_count() <= rank.local:
        raise UsageError(f"there are {torch.cuda.device_count()} GPUs for {rank.here} processes; start fewer")
    return torch.device(kind, rank.local) if kind == "cuda" else torch.device(kind)

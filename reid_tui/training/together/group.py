"""The processes of a run, and what one says to the others.

Rank 0 decides, and says before each piece of work what it is; so all are at the same step whatever is turned, and only
rank 0 reads commands. The others are told at least every few seconds, also in a pause, that there is nothing to do:
that is how both sides find out that somebody is gone.
"""

from __future__ import annotations

import contextlib
import enum
import itertools
import os
import signal
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import torch
import torch.distributed as dist
from safetensors.torch import load, save

from reid_tui.errors import LostProcessError
from reid_tui.training import commands as cmd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor
    from torch._C._distributed_c10d import Store

    from reid_tui.config.ranks import Rank
    from reid_tui.training.channels import CommandBox

LATEST: Final = timedelta(seconds=120)
"""How much later than the first of them the last process may come to a piece of work, on a CPU."""
LATEST_ON_GPU: Final = timedelta(seconds=20)
"""The same inside a step on GPUs, where nothing else tells that one is gone."""
PULSE_S: Final = 2.0
"""How often the others hear from rank 0, at least."""
LOOPBACK: Final = "lo"
_GONE: Final = ("gloo", "NCCL", "onnection")
"""Words in what torch says where a process is gone."""


class Work(enum.IntEnum):
    """What all do next."""

    NOTHING, STEP, RESTORE, EMBED, END = range(5)


class Task(NamedTuple):
    """A piece of work, as rank 0 tells it."""

    work: Work
    number: int = 0
    """Of the step, or of the split."""
    margin: float = 0.0
    rate: float = 0.0
    size: int = 0
    """Bytes, or images, that follow."""


class Group:
    """All processes of a run. Numbers go by gloo, and gradients on GPUs by NCCL."""

    def __init__(self, rank: Rank, store: Store, device: torch.device, fate: Callable[[], str] = lambda: "") -> None:
        """Meet the others, who all do the same.

        Args:
            rank: of this process.
            store: by which they find each other.
            device: that this one computes on.
            fate: says which process has ended, where that can be known.

        Raises:
            LostProcessError: somebody has not come.
        """
        self.rank = rank
        self.signalled = 0
        """Number of a signal that told this process to end: rank 0 hears of it with the next task."""
        self._fate = fate
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._pulse: threading.Thread | None = None
        self._told_at = 0.0
        self._computing: dist.ProcessGroup | None = None
        with self._watched(), _only_on_loopback(bool(rank.meeting)):
            dist.init_process_group("gloo", store=store, rank=rank.number, world_size=rank.world_size, timeout=LATEST)
            if device.type == "cuda":
                os.environ["TORCH_NCCL_BLOCKING_WAIT"] = "1"  # else torch ends the process where another one is gone
                self._computing = dist.new_group(backend="nccl", timeout=LATEST_ON_GPU)  # type: ignore[assignment]

    @property
    def leads(self) -> bool:
        """Whether this is rank 0."""
        return self.rank.leads

    @property
    def process_group(self) -> dist.ProcessGroup:
        """That exchanges embeddings and gradients."""
        group = self._computing or dist.group.WORLD
        assert group is not None, "the processes are connected"
        return group

    def part(self, count: int, block: int = 1) -> slice:
        """Which of so many things are this process's, in whole blocks."""
        return self.parts(count, block)[self.rank.number]

    def parts(self, count: int, block: int = 1) -> list[slice]:
        """The same for each process; some may get nothing."""
        blocks, size = -(-count // block), self.rank.world_size
        edges = [min(count, number * blocks // size * block) for number in range(size + 1)]
        return [slice(*edge) for edge in itertools.pairwise(edges)]

    # Rank 0.

    def lead(self, inbox: CommandBox) -> None:
        """From here on hear of signals that others got, and of their end."""
        self._pulse = threading.Thread(target=self._beat, args=(inbox,), name="reid-tui-pulse", daemon=True)
        self._pulse.start()

    @contextlib.contextmanager
    def doing(self, task: Task) -> Iterator[None]:
        """Have all do a piece of work, and do one's part of it inside. Rank 0 does not wait until the others know.

        Raises:
            LostProcessError: somebody is gone.
        """
        with self._lock, self._watched():
            told = self._begin_to_tell(task) if self.leads else None
            try:
                yield
            except BaseException:
                self._hang_up()  # the others are in the middle of it
                raise
            if told is not None:
                self._told(*told)

    def hand_out(self, tensors: dict[str, Tensor]) -> None:
        """Give all the state to go on with."""
        whole = torch.frombuffer(bytearray(save(tensors)), dtype=torch.uint8)
        with self.doing(Task(Work.RESTORE, size=len(whole))):
            self.share(whole)

    def close(self) -> None:
        """Let the others go, if they are there, and hang up. Does not fail."""
        self._over.set()
        with contextlib.suppress(LostProcessError):
            if self.leads and dist.is_initialized():
                with self.doing(Task(Work.END)):
                    pass
        self._hang_up()

    def _beat(self, inbox: CommandBox) -> None:
        heard = False
        while not self._over.wait(PULSE_S / 4):
            if time.monotonic() - self._told_at >= PULSE_S:
                try:
                    with self.doing(Task(Work.NOTHING)):
                        pass
                except LostProcessError as error:
                    inbox.fail(error)
                    return
            if self._signals and not heard:
                heard = True
                number, sender = self._signals
                inbox.put(cmd.Stop(save=True, reason=signal.Signals(number).name), f"process {sender}")

    _signals: tuple[int, int] | None = None
    """The first signal that another process got, and which process."""

    # All.

    def next(self) -> Task:
        """Wait until rank 0 says what to do.

        Raises:
            LostProcessError: somebody is gone.
        """
        with self._lock, self._watched():
            return self._told(*self._begin_to_tell(Task(Work.NOTHING)))

    def handed_out(self, task: Task) -> dict[str, Tensor]:
        """What rank 0 hands out."""
        whole = torch.empty(task.size, dtype=torch.uint8)
        with self.doing(task):
            self.share(whole)
        return load(whole.numpy().tobytes())

    def share(self, tensor: Tensor) -> None:
        """Bring rank 0's numbers to all, inside `doing`."""
        dist.broadcast(tensor, 0)

    def collect(self, whole: Tensor, mine: slice, parts: list[slice]) -> None:
        """Bring the rows of all to rank 0, inside `doing`."""
        if not self.leads:
            if mine.stop > mine.start:
                dist.send(whole[mine], 0)
            return
        for number, part in enumerate(parts[1:], 1):
            if part.stop > part.start:
                dist.recv(whole[part], number)

    def _begin_to_tell(self, task: Task) -> tuple[Tensor, dist.Work]:
        """All get rank 0's task, and rank 0 the signals of all; five numbers, and one for each process."""
        numbers = torch.zeros(len(Task._fields) + self.rank.world_size, dtype=torch.float64)
        if self.leads:
            numbers[: len(task)] = torch.tensor(task, dtype=torch.float64)
        numbers[len(task) + self.rank.number] = self.signalled
        coming = dist.all_reduce(numbers, async_op=True)
        assert coming is not None, "asked for without waiting"
        return numbers, coming

    def _told(self, numbers: Tensor, coming: dist.Work) -> Task:
        """The task, when it is there."""
        coming.wait()
        work, number, margin, rate, size, *signals = numbers.tolist()
        self._told_at = time.monotonic()
        got = next(((int(value), sender) for sender, value in enumerate(signals) if value), None)
        self._signals = self._signals or got
        return Task(Work(int(work)), int(number), margin, rate, int(size))

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """What torch says where a process is gone, as one error of ours."""
        try:
            yield
        except (RuntimeError, dist.DistError) as error:
            if not isinstance(error, dist.DistError) and not any(word in str(error) for word in _GONE):
                raise
            self._hang_up()
            raise LostProcessError(self._fate() or f"a process of the run is gone: {_first_words(error)}") from error

    def _hang_up(self) -> None:
        """Close all connections, so that no other process waits for this one."""
        self._over.set()
        if dist.is_initialized():
            with contextlib.suppress(RuntimeError):
                if self._computing is not None:
                    self._computing.abort()
                dist.destroy_process_group()


def _first_words(error: BaseException) -> str:
    """What the library said, without the place in its source."""
    if "imed out" in str(error):
        return f"it has not answered for {LATEST.total_seconds():.0f} s"
    return str(error).partition("] ")[2].partition(". ")[0] or str(error).partition("\n")[0]


@contextlib.contextmanager
def _only_on_loopback(wanted: bool) -> Iterator[None]:
    """Have gloo listen where no other machine gets to."""
    name = "GLOO_SOCKET_IFNAME"
    before = os.environ.get(name)
    if wanted:
        os.environ[name] = LOOPBACK if os.path.exists(f"/sys/class/net/{LOOPBACK}") else "lo0"  # noqa: PTH110
    try:
        yield
    finally:
        if wanted:
            os.environ.pop(name)
            if before is not None:
                os.environ[name] = before

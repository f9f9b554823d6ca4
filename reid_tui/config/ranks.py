"""Which process of a run this one is, where several train together: what torchrun, or we ourselves, put in place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reid_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reid_tui.config.options import RunOptions

MEETING: Final = "REID_TUI_MEETING"
"""Variable of the environment: the file by which the processes of one `--nproc` find each other."""


@dataclass(frozen=True, slots=True)
class Rank:
    """A place among the processes of a run. Rank 0 has log, checkpoints, screen and socket."""

    number: int
    world_size: int
    local: int
    """Among those of this machine: the number of its GPU."""
    here: int
    """How many there are on this machine."""
    meeting: str = ""
    """File by which they find each other; empty where torchrun tells them."""

    @property
    def leads(self) -> bool:
        """Whether all others follow this one."""
        return self.number == 0


def rank_of(environ: Mapping[str, str]) -> Rank | None:
    """The rank that the environment gives this process; None where it is alone.

    Raises:
        UsageError: the environment contradicts itself.
    """
    meeting = environ.get(MEETING, "")
    if "RANK" not in environ or "WORLD_SIZE" not in environ or not (meeting or "MASTER_ADDR" in environ):
        return None
    try:
        number, size = int(environ["RANK"]), int(environ["WORLD_SIZE"])
        local = int(environ.get("LOCAL_RANK", number))
        here = int(environ.get("LOCAL_WORLD_SIZE", size))
    except ValueError as error:
        raise UsageError(f"RANK, WORLD_SIZE and LOCAL_RANK must be whole numbers: {error}") from error
    if not (0 <= number < size and 0 <= local < here <= size):
        raise UsageError(f"there is no rank {number} of {size} processes, {local} of {here} on this machine")
    return Rank(number, size, local, here, meeting) if size > 1 else None


def check_together(options: RunOptions, given: Rank | None, *, replays: bool = False) -> None:
    """Refuse what several processes cannot do.

    Args:
        options: what was asked.
        given: by the environment.
        replays: whether the run is to repeat another one.

    Raises:
        UsageError: they cannot.
    """
    if given is not None and options.nproc is not None:
        raise UsageError(f"--nproc {options.nproc}: torchrun has started {given.world_size} processes; leave it out")
    if given is None and (options.nproc or 1) == 1:
        return
    if replays:
        raise UsageError("--replay repeats a run in one process, bit for bit; leave --nproc and torchrun out")
    if options.compile:
        raise UsageError("--compile is for a run in one process; leave it out")
    if options.device == "mps" or ":" in options.device:
        raise UsageError(
            f"--device {options.device} is one device, and several processes need one each; take cuda or cpu"
        )

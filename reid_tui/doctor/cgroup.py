"""What the control groups allow this process, in version 2, version 1, or both at once.

A limit of a group holds for all below it, so each group on the way up is asked and the tightest counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path("/")


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """Of the group with the least left."""

    limit: int
    """Bytes."""
    left: int
    """Bytes; what only caches files counts as left."""


def cpu_limit(root: Path = ROOT) -> float | None:
    """CPUs' worth of time that this process may use; None where nothing limits it.

    Raises:
        OSError: /proc or a group cannot be read.
        ValueError: they hold something unknown.
    """
    shares = []
    for group in _groups(root, "cpu"):
        words = _words(group / "cpu.max") or [
            *_words(group / "cpu.cfs_quota_us"),
            *_words(group / "cpu.cfs_period_us"),
        ]
        if len(words) == 2 and words[0] not in ("max", "-1"):
            shares.append(int(words[0]) / max(1, int(words[1])))
    return min(shares, default=None)


def memory_limit(root: Path = ROOT) -> MemoryLimit | None:
    """The memory that this process may use; None where nothing limits it. Version 1 may name more than any machine has.

    Raises:
        OSError: /proc or a group cannot be read.
        ValueError: they hold something unknown.
    """
    found = []
    for group in _groups(root, "memory"):
        limit = _words(group / "memory.max") or _words(group / "memory.limit_in_bytes")
        used = _words(group / "memory.current") or _words(group / "memory.usage_in_bytes")
        if limit and used and limit[0] != "max":
            found.append(MemoryLimit(int(limit[0]), max(0, int(limit[0]) - int(used[0]) + _cached(group))))
    return min(found, key=lambda one: one.left, default=None)


def _cached(group: Path) -> int:
    words = _words(group / "memory.stat")
    counts = dict(zip(words[::2], words[1::2], strict=False))
    return int(counts.get("total_inactive_file", counts.get("inactive_file", "0")))


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's groups that may know a controller, each with those above it.

    A container is often told its path as the host sees it, while the folder that it sees is its own group's.
    """
    mounts = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text(errors="replace").splitlines()
    except FileNotFoundError:  # a system without control groups
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            tops = [mounts, mounts / "unified"]
        elif controller in controllers.split(","):
            tops = [mounts / controllers, mounts / controller]
        else:
            continue
        below = Path(path.lstrip("/"))
        for top in tops:
            yield from (top / part for part in (below, *below.parents))


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").split()
    except (FileNotFoundError, NotADirectoryError):
        return []

"""The processor: what it can compute with, and how much of it a run gets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from reid_tui.doctor.cgroup import ROOT, cpu_limit
from reid_tui.doctor.rows import Row
from reid_tui.view.text import plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reid_tui.cores import Shared

_SETS: Final = {
    "AVX2": {"avx2"},
    "AVX512": {"avx512f"},
    "AMX": {"amx_tile"},
    "NEON": {"asimd"},
    "SVE": {"sve"},
    "bf16": {"avx512_bf16", "amx_bf16", "bf16"},
}
"""What the kernel calls them in /proc/cpuinfo; one of several is enough."""
_X86: Final = ("AVX2", "AVX512", "AMX", "bf16")
_ARM: Final = ("NEON", "SVE", "bf16")
_MACHINES: Final = {"x86_64": _X86, "AMD64": _X86, "aarch64": _ARM, "arm64": _ARM}
_BY_HAND: Final = "ATEN_CPU_CAPABILITY"


def instructions_row(capability: str, environ: Mapping[str, str], machine: str, root: Path = ROOT) -> Row:
    """Which sets of instructions there are, and whether torch uses them.

    Args:
        capability: what torch says that it uses; empty where it is not known.
        environ: of this process.
        machine: `platform.machine()`.
        root: where /proc lies.

    Raises:
        OSError: /proc/cpuinfo cannot be read.
    """
    topic = "instructions"
    facts = _cpuinfo(root)
    flags = set(facts.get("flags", facts.get("features", "")).split())
    has = {name: bool(flags & _SETS[name]) for name in _MACHINES.get(machine, ())}
    text = ", ".join(name if there else f"no {name}" for name, there in has.items()) or machine
    if model := facts.get("model name"):
        text += f" ({model})"
    if has.get("AVX2") is False:
        return Row(topic, "note", text, "torch computes several times slower here; train on a processor with AVX2")
    if environ.get(_BY_HAND) and (capability == "DEFAULT" or (has.get("AVX512") and capability == "AVX2")):
        return Row(topic, "note", f"{text}; {_BY_HAND} holds torch to {capability}", f"unset {_BY_HAND}")
    if has.get("bf16") is False:
        remedy = "on the CPU stay with --precision fp32, as auto does"
        return Row(topic, "note", f"{text}: bf16 is only emulated", remedy)
    return Row(topic, "ok", text)


def threads_row(threads: int, environ: Mapping[str, str], root: Path = ROOT, cpus: int | None = None) -> Row:
    """How many threads torch computes with, held against what the process may use.

    Args:
        threads: torch's own number; 0 where it is not known.
        environ: of this process.
        root: where /proc and /sys lie.
        cpus: that this process may run on; None asks the system.

    Raises:
        OSError: the control groups cannot be read.
        ValueError: they hold something unknown.
    """
    topic = "threads"
    there = cpus or _cpus()
    limit = cpu_limit(root)
    of = f"{there} CPUs" if there != 1 else "1 CPU"
    if limit is not None:
        of += f", of which the control group gives the time of {plain(limit)}"
    by_hand = f" (OMP_NUM_THREADS={asked})" if (asked := environ.get("OMP_NUM_THREADS")) else ""
    usable = min(there, limit) if limit is not None else there
    if threads > max(1, usable):
        remedy = f"set OMP_NUM_THREADS={max(1, int(usable))}: threads that share a CPU wait for each other"
        return Row(topic, "note", f"torch uses {threads}{by_hand} on {of}", remedy)
    return Row(topic, "ok", f"torch uses {threads}{by_hand} on {of}" if threads else of)


def busy_row(shared: Shared | None, threads: int) -> Row:
    """Whether other processes leave torch's threads the cores that they compute on.

    Args:
        shared: how the cores were shared for a moment.
        threads: torch's own number; 0 where it is not known.

    Raises:
        ValueError: nothing is known.
    """
    if shared is None:
        raise ValueError("the kernel does not say how busy the cores are")
    if short := shared.short_of(threads):
        text, _, remedy = short.partition("; ")
        return Row("other work", "note", text, remedy)
    return Row("other work", "ok", f"keeps {shared.others:.1f} of {shared.cores} cores busy")


def _cpus() -> int:
    """That this process may run on, which are not all where it is pinned."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpuinfo(root: Path) -> dict[str, str]:
    """The first processor's lines, names in small letters."""
    first = (root / "proc/cpuinfo").read_text(errors="replace").split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}

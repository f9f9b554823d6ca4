"""Memory, on made-up machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from reid_tui.doctor.memory import memory_row
from tests.doctor.machines import CGROUPS, V1, V2, machine

GB = 10**9


def info(available: float) -> dict[str, str]:
    kib = round(available * GB / 1024)
    return {
        "proc/meminfo": f"MemTotal: {16 * GB // 1024} kB\nMemFree: 1 kB\nMemAvailable: {kib} kB\nHugePages_Total: 0\n"
    }


@pytest.mark.parametrize(
    ("available", "groups", "files", "status", "text"),
    [
        (8, V2, {}, "ok", "8.0 GB of 16.0 GB are free"),
        (1.5, V2, {}, "note", "1.5 GB of 16.0 GB are free"),
        (0.4, V2, {}, "problem", "400.0 MB of 16.0 GB are free"),
        (8, V2, {"user/run/memory.max": "max", "user/run/memory.current": "5"}, "ok", "8.0 GB of 16.0 GB are free"),
        (
            8,
            V2,
            {
                "user/memory.max": f"{4 * GB}",
                "user/memory.current": f"{3 * GB}",
                "user/memory.stat": f"inactive_file {2 * GB}",
            },
            "ok",
            "the control group leaves 3.0 GB of 4.0 GB",
        ),
        (
            8,
            V2,
            {"user/run/memory.max": f"{4 * GB}", "user/run/memory.current": f"{3 * GB}"},
            "note",
            "leaves 1.0 GB of 4.0 GB",
        ),
        (
            8,
            V1,
            {"memory/memory.limit_in_bytes": "9223372036854771712", "memory/memory.usage_in_bytes": "5"},
            "ok",
            "8.0 GB of 16.0 GB are free",
        ),
        (
            8,
            V2,
            {
                "user/run/memory.max": f"{5 * GB}",
                "user/run/memory.current": f"{GB}",
                "user/memory.max": f"{6 * GB}",
                "user/memory.current": f"{4 * GB}",
            },
            "ok",
            "the control group leaves 2.0 GB of 6.0 GB",
        ),
        (
            8,
            V1,
            {
                "memory/docker/run/memory.limit_in_bytes": f"{GB}",
                "memory/docker/run/memory.usage_in_bytes": f"{GB - 10**8}",
                "memory/docker/run/memory.stat": "inactive_file 7\ntotal_inactive_file 0\n",
            },
            "problem",
            "the control group leaves 100.0 MB of 1.0 GB",
        ),
    ],
)
def test_what_is_left(
    available: float, groups: str, files: dict[str, str], status: str, text: str, tmp_path: Path
) -> None:
    told = {f"{CGROUPS}/{name}": content for name, content in files.items()}
    row = memory_row(machine(tmp_path, info(available) | {"proc/self/cgroup": groups} | told))
    assert row.status == status
    assert row.text.endswith(text)
    assert bool(row.remedy) is (status != "ok")

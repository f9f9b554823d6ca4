"""Instructions and threads, and the control groups' limit, on made-up machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from reid_tui.cores import Shared
from reid_tui.doctor.cgroup import cpu_limit
from reid_tui.doctor.processor import busy_row, instructions_row, threads_row
from tests.doctor.machines import CGROUPS, V1, V2, machine

HYBRID = "2:cpu:/\n0::/user\n"


@pytest.mark.parametrize(
    ("groups", "files", "limit"),
    [
        (V2, {"user/run/cpu.max": "150000 100000"}, 1.5),
        (V2, {"user/run/cpu.max": "max 100000", "user/cpu.max": "400000 100000"}, 4),
        (V2, {"user/run/cpu.max": "400000 100000", "user/cpu.max": "200000 100000"}, 2),
        (V2, {"user/run/cpu.max": "max 100000"}, None),
        ("0::/../../elsewhere\n", {"cpu.max": "100000 100000"}, 1),
        (
            V1,
            {"cpu,cpuacct/docker/run/cpu.cfs_quota_us": "300000"}
            | {"cpu,cpuacct/docker/run/cpu.cfs_period_us": "100000"},
            3,
        ),
        (V1, {"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 0.5),
        (V1, {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        (HYBRID, {"unified/user/cpu.max": "200000 100000", "cpu/cpu.cfs_quota_us": "-1"}, 2),
        ("", {}, None),
    ],
)
def test_the_tightest_limit_of_the_control_groups(
    groups: str, files: dict[str, str], limit: float | None, tmp_path: Path
) -> None:
    machine(tmp_path, {"proc/self/cgroup": groups} | {f"{CGROUPS}/{name}": text for name, text in files.items()})
    assert cpu_limit(tmp_path) == limit


def test_a_system_without_control_groups_limits_nothing(tmp_path: Path) -> None:
    assert cpu_limit(tmp_path) is None


@pytest.mark.parametrize(
    ("threads", "cpus", "quota", "status", "text", "remedy"),
    [
        (8, 8, None, "ok", "torch uses 8 on 8 CPUs", ""),
        (1, 1, None, "ok", "torch uses 1 on 1 CPU", ""),
        (4, 64, 4, "ok", "torch uses 4 on 64 CPUs, of which the control group gives the time of 4", ""),
        (64, 64, 4, "note", "gives the time of 4", "OMP_NUM_THREADS=4:"),
        (2, 2, 1.5, "note", "gives the time of 1.5", "OMP_NUM_THREADS=1:"),
        (1, 2, 0.5, "ok", "gives the time of 0.5", ""),
        (8, 2, None, "note", "torch uses 8 on 2 CPUs", "OMP_NUM_THREADS=2:"),
        (0, 2, 1, "ok", "2 CPUs, of which", ""),
    ],
)
def test_more_threads_than_the_process_may_use(
    threads: int, cpus: int, quota: float | None, status: str, text: str, remedy: str, tmp_path: Path
) -> None:
    words = "max 100000" if quota is None else f"{quota * 100_000:.0f} 100000"
    machine(tmp_path, {"proc/self/cgroup": V2, f"{CGROUPS}/user/run/cpu.max": words})
    row = threads_row(threads, {}, tmp_path, cpus)
    assert row.status == status
    assert text in row.text
    assert remedy in row.remedy


def test_threads_set_by_hand_are_told(tmp_path: Path) -> None:
    assert "torch uses 3 (OMP_NUM_THREADS=3)" in threads_row(3, {"OMP_NUM_THREADS": "3"}, tmp_path, 4).text


def test_other_work_beside_the_threads() -> None:
    row = busy_row(Shared(1.5, 2), 2)
    assert row.status == "note"
    assert row.text == "other processes keep 1.5 of 2 cores busy beside the 2 threads that torch computes with"
    assert row.remedy == "end what else runs, or set OMP_NUM_THREADS=1"
    row = busy_row(Shared(0.1, 2), 2)
    assert (row.status, row.text, row.remedy) == ("ok", "keeps 0.1 of 2 cores busy", "")
    with pytest.raises(ValueError, match="does not say"):
        busy_row(None, 2)


FLAGS = "fpu sse2 avx2 avx512f avx512_bf16"


@pytest.mark.parametrize(
    ("kind", "info", "environ", "capability", "status", "told"),
    [
        ("x86_64", f"model name\t: A\nflags\t\t: {FLAGS}", {}, "AVX512", "ok", "AVX2, AVX512, no AMX, bf16 (A)"),
        ("x86_64", f"flags : {FLAGS} amx_tile", {}, "AVX512", "ok", "AVX2, AVX512, AMX, bf16"),
        ("x86_64", "flags : fpu avx2", {}, "AVX2", "note", "no bf16: bf16 is only emulated"),
        ("x86_64", "flags : fpu sse4_2", {}, "DEFAULT", "note", "a processor with AVX2"),
        ("x86_64", f"flags : {FLAGS}", {"ATEN_CPU_CAPABILITY": "avx2"}, "AVX2", "note", "unset ATEN_CPU_CAPABILITY"),
        ("x86_64", f"flags : {FLAGS}", {"ATEN_CPU_CAPABILITY": "avx512"}, "AVX512", "ok", "AVX512"),
        ("x86_64", f"flags : {FLAGS}", {"ATEN_CPU_CAPABILITY": "default"}, "DEFAULT", "note", "holds torch to DEFAULT"),
        ("aarch64", "Features : fp asimd sve bf16", {}, "SVE256", "ok", "NEON, SVE, bf16"),
        ("riscv64", "isa : rv64", {}, "DEFAULT", "ok", "riscv64"),
    ],
)
def test_sets_of_instructions(
    kind: str, info: str, environ: dict[str, str], capability: str, status: str, told: str, tmp_path: Path
) -> None:
    machine(tmp_path, {"proc/cpuinfo": f"processor : 0\n{info}\n\nprocessor : 1\nflags : \n"})
    row = instructions_row(capability, environ, kind, tmp_path)
    assert row.status == status
    assert told in f"{row.text}; {row.remedy}"

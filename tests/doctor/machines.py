"""Made-up machines: what their kernels would tell in /proc and /sys."""

from __future__ import annotations

from pathlib import Path

CGROUPS = "sys/fs/cgroup"
V2 = "0::/user/run\n"
V1 = "4:memory:/docker/run\n2:cpu,cpuacct:/docker/run\n1:name=systemd:/docker/run\n"


def machine(root: Path, files: dict[str, str]) -> Path:
    """Write the files below `root`; those of its control groups by their path there."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root

"""Memory of a process that has a child, as the kernel counts it."""

from __future__ import annotations

import subprocess
import sys

from reid_tui.bench.viewer import occupied_bytes

LARGE = 64 * 2**20


def test_what_a_child_occupies_counts() -> None:
    held = f"import sys; large = b'x' * {LARGE}; print(flush=True); sys.stdin.read()"
    command = ["sh", "-c", '"$@"; exit 0', "sh", sys.executable, "-c", held]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert LARGE < occupied_bytes(process.pid) < 2 * LARGE
        process.communicate()

"""What a step frees, the next one takes again without the kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reid_tui import allocator, headless
from reid_tui.config import RunOptions, ScreenOptions
from reid_tui.tui import app

STEPS = """
import resource, sys, threading
if sys.argv[1] == "kept":
    from reid_tui.allocator import keep_freed_memory
    keep_freed_memory()

def steps():
    for number in range(6):
        blocks = [bytearray(b"x") * (mib << 20) for mib in (9, 40, 4, 9, 19, 2, 1)]
        if number == 1:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        del blocks
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

if sys.argv[2] == "thread":
    thread = threading.Thread(target=steps)
    thread.start()
    thread.join()
else:
    steps()
"""


def faults(kept: str, where: str, **environ: str) -> int:
    """Pages that the kernel hands out in four steps of 84 MiB."""
    command = (sys.executable, "-c", STEPS, kept, where)
    return int(subprocess.run(command, env={**os.environ, **environ}, check=True, capture_output=True).stdout)


@pytest.mark.skipif(not hasattr(os, "confstr") or "glibc" not in str(os.confstr("CS_GNU_LIBC_VERSION")), reason="glibc")
@pytest.mark.parametrize("where", ["main", "thread"])
def test_what_a_step_frees_is_used_again(where: str) -> None:
    assert faults("given back", where) > 10_000
    assert faults("kept", where) < 100


def test_settings_of_the_environment_stand() -> None:
    assert faults("kept", "main", MALLOC_TRIM_THRESHOLD_="100000") > 10_000
    assert faults("kept", "main", GLIBC_TUNABLES="glibc.malloc.trim_threshold=100000") > 10_000


def test_a_library_without_such_settings_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda _name: object())
    allocator.keep_freed_memory()


class Called(Exception):  # noqa: N818
    """It was."""


def test_both_ways_of_training_begin_with_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def called() -> None:
        raise Called

    for module in (headless, app):
        monkeypatch.setattr(module, "keep_freed_memory", called)
    with pytest.raises(Called):
        headless.train(RunOptions(runs_dir=str(tmp_path)), as_json=False, progress="none")
    with pytest.raises(Called):
        app.run_dashboard(RunOptions(runs_dir=str(tmp_path)), ScreenOptions())

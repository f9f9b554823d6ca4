"""The seconds that a dashboard's own thread has run, as the kernel counts them."""

from __future__ import annotations

import subprocess
import sys

from reid_tui.bench.cost import processor_s

BUSY = """
import sys, threading, time
def spin(seconds):
    began = time.thread_time()
    while time.thread_time() - began < seconds: pass
other = threading.Thread(target=spin, args=(0.6,))
spin(0.2)
other.start()
other.join()
print(time.thread_time(), flush=True)
sys.stdin.read()
"""


def test_the_main_thread_of_the_child_counts_alone() -> None:
    command = ["sh", "-c", '"$@"; exit 0', "sh", sys.executable, "-c", BUSY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        own = float(process.stdout.readline())
        assert own <= processor_s(process.pid) < own + 0.3
        process.communicate()

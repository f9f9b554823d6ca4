"""A process that has imported torch and forks on demand, so that a life costs milliseconds and may end by SIGKILL.

Forked before any operation of torch has run, on one thread: a child is as good as a fresh interpreter.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BROKEN = 70
"""Exit status of a life that ended by an exception."""


class Forker:
    """Runs functions of `tests.training.lives`, each in a process of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.training.forker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            cwd=ROOT,
            text=True,
        )

    def run(self, life: str, **arguments: Any) -> int:
        """Call a function with arguments that JSON can carry; its exit status, or minus the signal that ended it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([life, arguments], default=str) + "\n")
        self._process.stdin.flush()
        status = os.waitstatus_to_exitcode(int(self._process.stdout.readline()))
        assert status != BROKEN, "see its traceback on stderr"
        return status

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=30)


def main() -> None:
    """Fork for each line on stdin, and tell on stdout how it ended."""
    lives = importlib.import_module("tests.training.lives")
    for line in sys.stdin:
        name, arguments = json.loads(line)
        pid = os.fork()
        if not pid:
            status = BROKEN
            try:
                nowhere = os.open(os.devnull, os.O_RDWR)
                os.dup2(nowhere, 0)
                os.dup2(2, 1)
                status = getattr(lives, name)(**arguments) or 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        sys.stdout.write(f"{os.waitpid(pid, 0)[1]}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
    os._exit(0)  # torch takes seconds to say goodbye

"""Code in a process of another user, who has neither a name nor a home. Only root can be another user."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

UID: Final = 12345
_BECOME: Final = f"""
import os, sys
def become():
    os.setgroups([])
    os.setgid({UID})
    os.setuid({UID})
"""


def as_another_user(code: str, folder: Path) -> str:
    """What the code prints; it imports as who we are, calls `become()`, and works in `folder` by relative paths.

    The folders above stay closed to the other user.
    """
    if os.geteuid():
        pytest.skip("only root can be another user")
    folder.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", _BECOME + code],
        cwd=folder,
        env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout

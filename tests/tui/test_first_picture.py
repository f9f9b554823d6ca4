"""What is seen first, in a real terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ptys import Pty

MARK = b"torch is being imported"
TORCH = f"""
import os
os.write(os.open("/dev/tty", os.O_WRONLY), {MARK!r})
raise ImportError("no torch here")
"""


def test_the_first_picture_stands_before_torch_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "modules" / "torch"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(TORCH)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    terminal = Pty(tmp_path / "runs", "--data", "pedestrians", "--theme", "dark", afresh=True)
    try:
        terminal.until_shown(MARK)
        assert b"LOADING" in terminal.shown[: terminal.shown.index(MARK)]
        terminal.until_shown(b"no torch here")
    finally:
        terminal.end()

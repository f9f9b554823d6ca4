"""An alarm of a real run in a real terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.ptys import Pty


def alike(folder: Path) -> Path:
    """Four identities whose images are all the same: nothing but a collapse can come of it."""
    for identity in "abcd":
        (folder / identity).mkdir(parents=True)
        for number in range(20):
            Image.new("L", (28, 28), 128).save(folder / identity / f"{number}.png")
    return folder


@pytest.mark.slow
def test_the_run_pauses_once_and_goes_on(tmp_path: Path) -> None:
    data = ("--data", str(alike(tmp_path / "alike")), "--image-size", "28")
    terminal = Pty(tmp_path / "runs", *data, "--epochs", "20", "--batch-size", "8", "--on-alarm", "pause")
    try:
        terminal.until("paused", seconds=120)
        (raised,) = [line for line in terminal.events() if line["event"] == "alarm_raised"]
        assert raised["alarm"] == "collapse"
        assert terminal.events()[-1]["event"] == "paused"
        terminal.until_shown(f"COLLAPSE @{raised['since']}".encode())
        terminal.until_shown(b"PAUSED")
        terminal.press(" ")
        terminal.until("progress", step=raised["step"] + 20)
        steered = [line["event"] for line in terminal.events() if line["event"] in ("paused", "resumed")]
        assert steered == ["paused", "resumed"]
        terminal.process.terminate()
        assert terminal.process.wait(60) == 143
    finally:
        terminal.end()

"""The map's cursor and panels 7 and 8 on a real training, in a real terminal, and again from another process."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ends_within, miss
from tests.tmux import Tmux

REID_TUI = shutil.which("reid-tui")
RUN = ["--data", "pedestrians", "--batch-size", "8", "--epochs", "100", "--eval-every", "50", "--glyphs", "ascii"]


@pytest.mark.slow
def test_the_map_a_query_and_the_overlaps_of_a_real_training(tmp_path: Path) -> None:
    if shutil.which("tmux") is None:
        miss("tmux is not installed")
    assert REID_TUI, "the package is not installed"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 40, 3), dtype=np.uint8)).save(tmp_path / "q.png")
    with Tmux(160, 50, tmp_path, {"OMP_NUM_THREADS": "1"}) as terminal:
        try:
            terminal.run(REID_TUI, *RUN)
            terminal.until(lambda screen: "TRAINING" in screen and "images . step" in screen, 120)
            terminal.press("8")
            terminal.until(lambda screen: "closer than the threshold" in screen, 30)
            terminal.press("7", "z")
            terminal.until(lambda screen: "query 1 of" in screen and "1 wrong" in screen, 30)
            terminal.press("/")
            terminal.until(lambda screen: "enter looks" in screen, 10)
            terminal.press("q.png", "Enter")
            terminal.until(lambda screen: "q.png . embedded at step" in screen, 60)
            terminal.press("z", "0")
            terminal.until(lambda screen: "retrieval" not in screen and "3 distances" in screen, 30)
            terminal.press("Tab", "Tab", "Right")
            terminal.until(lambda screen: "nearest here:" in screen and "image " in screen, 30)
            terminal.press("d")
            terminal.until(lambda screen: "comes back" in screen, 30)
            terminal.run(REID_TUI, "attach", "latest", "--glyphs", "ascii", "--read-only")
            terminal.until(lambda screen: "TRAINING" in screen and "images . step" in screen, 60)
            terminal.press("t")
            terminal.until(lambda screen: "trails since step 0" in screen, 30)
            terminal.press("7", "z")
            terminal.until(lambda screen: "query 1 of" in screen and "1 wrong" in screen, 60)
            terminal.press("q")
        finally:
            end(tmp_path)
    told = [json.loads(line) for line in next(tmp_path.glob("runs/*/events.jsonl")).read_text().splitlines()]
    (picture,) = [line for line in told if line["event"] == "picture_embedded"]
    assert picture["path"] == "q.png"


def end(folder: Path) -> None:
    for log in folder.glob("runs/*/events.jsonl"):
        pids = re.findall(r'"pid":(\d+)', log.read_text())
        if pids and not ends_within(int(pids[-1]), 0):
            os.kill(int(pids[-1]), signal.SIGKILL)

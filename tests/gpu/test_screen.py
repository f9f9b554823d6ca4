"""The dashboard in a real terminal, while a run trains on CUDA."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reid_tui.training.checkpoint import load_latest
from tests.ptys import Pty

RUN = ("--data", "pedestrians", "--device", "cuda", "--epochs", "100000", "--eval-every", "10")

pytestmark = pytest.mark.gpu


def test_paused_turned_saved_and_quit(tmp_path: Path) -> None:
    terminal = Pty(tmp_path, *RUN, afresh=True)
    try:
        terminal.until("progress", step=20)
        terminal.press(" ")
        terminal.until("paused")
        terminal.press("+")
        terminal.until("margin_changed")
        paused = terminal.events()[-1]["step"]
        terminal.press(" ")
        terminal.until("progress", step=paused + 50)
        terminal.until("evaluated", step=1)
        terminal.press("q")
        terminal.until_shown(b"save and quit")
        terminal.press("s")
        assert terminal.process.wait(60) == 0, terminal.shown[-2000:]
        lines = terminal.events()
    finally:
        terminal.end()
    started = next(line for line in lines if line["event"] == "run_started")
    assert started["device"].startswith("cuda:0 ")
    turned = next(line for line in lines if line["event"] == "margin_changed")
    assert turned["new"] == pytest.approx(turned["old"] + 0.05)
    after = [line["margin"] for line in lines if line["event"] == "progress" and line["step"] > turned["step"]]
    assert set(after) == {turned["new"]}
    assert (lines[-1]["event"], lines[-1]["saved"]) == ("stopped", True)
    (run,) = tmp_path.glob("2*")
    state = load_latest(run / "checkpoints")[0].manifest.state
    assert (state.step, state.margin) == (lines[-1]["step"], turned["new"])
    assert b"Traceback" not in terminal.shown
    assert json.loads((run / "config.json").read_text())["asked"]["device"] == "cuda"


def test_load_and_temperature_stand_on_the_screen(tmp_path: Path) -> None:
    pytest.importorskip("pynvml")
    terminal = Pty(tmp_path, *RUN, afresh=True)
    try:
        terminal.until("progress", step=20)
        terminal.until_shown("°C".encode())
    finally:
        terminal.end()

"""SIGTERM at moments that take long: the command ends by itself, saved where there is something to save."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reid_tui.cli.main import run
from reid_tui.data import catalog
from reid_tui.data.dataset import Dataset
from reid_tui.training import learner
from reid_tui.training.checkpoint import load_latest
from tests.conftest import fashion_mnist_is_here, miss

Line = dict[str, Any]
COMMAND = [
    sys.executable,
    "-W",
    "error",
    "-m",
    "reid_tui",
    "train",
    "--data",
    "fashion-mnist",
    "--device",
    "cpu",
    "--json",
]


def phase(name: str, detail: str = "") -> Callable[[Line], bool]:
    return lambda line: line["event"] == "phase_changed" and (line["phase"], line["detail"]) == (name, detail)


def told_at(moment: Callable[[Line], bool], folder: Path, *argv: str) -> tuple[int, list[Line]]:
    """Send SIGTERM as soon as a line fits; gives the exit code and all lines."""
    if not fashion_mnist_is_here():
        miss("Fashion-MNIST is not on this machine")
    process = subprocess.Popen(
        [*COMMAND, "--runs-dir", str(folder), *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines = []
    for text in process.stdout:
        lines.append(json.loads(text))
        if moment(lines[-1]):
            process.send_signal(signal.SIGTERM)
            break
    out, err = process.communicate(timeout=60)
    assert moment(lines[-1]), err
    return process.returncode, [*lines, *map(json.loads, out.splitlines())]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("detail", "argv", "step"),
    [("", ("--epochs", "5"), 0), ("all test images", ("--steps", "3"), 3)],
    ids=["sample", "all"],
)
def test_an_evaluation_is_broken_off(detail: str, argv: tuple[str, ...], step: int, tmp_path: Path) -> None:
    code, lines = told_at(phase("evaluating", detail), tmp_path, *argv)
    last = lines[-1]
    assert (code, last["event"], last["reason"], last["step"], last["saved"]) == (143, "stopped", "SIGTERM", step, True)
    assert [line["step"] for line in lines if line["event"] == "evaluated"] == [0] * (step > 0)
    assert load_latest(next(tmp_path.iterdir()) / "checkpoints")[0].manifest.state.step == step


@pytest.mark.slow
def test_loading_is_broken_off_and_leaves_nothing(tmp_path: Path) -> None:
    code, lines = told_at(phase("importing", "starting torch"), tmp_path)
    assert (code, lines[-1]["event"], lines[-1]["saved"]) == (143, "stopped", False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("what", "name", "code"), [("data", "SIGXCPU", 152), ("network", "SIGTERM", 143)])
def test_what_loads_is_broken_off_at_once(
    what: str,
    name: str,
    code: int,
    tiny: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def slow(*_: object, **__: object) -> None:
        signal.raise_signal(signal.Signals[name])
        raise AssertionError("loading went on")

    monkeypatch.setattr(catalog, "load", slow if what == "data" else lambda *_: tiny)
    monkeypatch.setattr(learner, "Learner", slow)
    assert run(["train", "--runs-dir", str(tmp_path), "--json"]) == code
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["event"], last["reason"], last["saved"]) == ("stopped", name, False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("nth", range(1, 9))
def test_a_save_is_finished_first(
    nth: int, tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The signal comes while the disk syncs a file or folder of a checkpoint: two saves have four of these each."""
    synced = 0
    real = os.fsync

    def fsync(descriptor: int) -> None:
        nonlocal synced
        real(descriptor)
        if "checkpoints" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            synced += 1
            if synced == nth:
                signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(catalog, "load", lambda *_: tiny)
    monkeypatch.setattr(os, "fsync", fsync)
    options = ["--batch-size", "16", "--epochs", "3", "--device", "cpu"]
    assert run(["train", "--runs-dir", str(tmp_path), "--json", *options]) == 143
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    saved = [line["step"] for line in lines if line["event"] == "checkpoint_saved"]
    last = lines[-1]
    assert (last["event"], last["reason"], last["saved"]) == ("stopped", "SIGTERM", True)
    assert last["step"] == saved[-1] < 24
    newest, passed_over = load_latest(next(tmp_path.iterdir()) / "checkpoints")
    assert (newest.manifest.state.step, passed_over) == (last["step"], [])

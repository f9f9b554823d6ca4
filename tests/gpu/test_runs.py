"""Runs on CUDA from start to end: which device, stopped and resumed, repeated, scored, as a command."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reid_tui.cli.main import run as command_line
from reid_tui.config import RunOptions, resolve
from reid_tui.data.dataset import Dataset
from reid_tui.runs.directory import locate_run
from reid_tui.training import events as ev
from reid_tui.training.checkpoint import load_latest, weights_sha256
from reid_tui.training.device import pick_device
from reid_tui.training.learner import Learner
from reid_tui.training.scoring import Scorer
from reid_tui.tui.resources import Machine
from tests.conftest import IDENTITIES
from tests.opening.rig import begin

pytestmark = pytest.mark.gpu

SETTINGS: dict[str, Any] = {"device": "cuda", "epochs": 3, "seed": 3}
COMMAND = [sys.executable, "-m", "reid_tui"]


def losses(told: list[ev.AnyEvent]) -> dict[int, float]:
    return dict(loss for event in told if isinstance(event, ev.Progress) for loss in event.of_steps())


def digest(folder: Path, run: str) -> str:
    return weights_sha256(load_latest(locate_run(run, folder) / "checkpoints")[0].tensors)


def test_auto_takes_cuda(tiny_data: Dataset, tmp_path: Path) -> None:
    assert pick_device("auto") == torch.device("cuda:0")
    told = begin(tmp_path, device="auto", epochs=2, preset="fast")
    (started,) = (event for event in told if isinstance(event, ev.RunStarted))
    assert started.device == f"cuda:0 {torch.cuda.get_device_name(0)}"
    assert started.precision == ("bf16" if torch.cuda.is_bf16_supported() else "fp32")


def test_a_device_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["train", "--device", "cuda:7", "--runs-dir", str(tmp_path), "--progress", "none"]
    assert command_line(argv) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert f"--device cuda:7: there are {torch.cuda.device_count()} CUDA devices" in told.err
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("tiny_data")
@pytest.mark.parametrize("pairs", ["random", "batch"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_stopped_and_resumed_is_never_stopped_to_the_bit(precision: str, pairs: str, tmp_path: Path) -> None:
    asked = {**SETTINGS, "precision": precision, "pairs": pairs}
    whole = losses(begin(tmp_path, name="whole", **asked))
    parts = losses(begin(tmp_path, name="parts", stop_at=13, **asked))
    parts |= losses(begin(tmp_path, resume="parts", device="cuda"))
    assert parts == whole
    assert digest(tmp_path, "parts") == digest(tmp_path, "whole")


@pytest.mark.usefixtures("tiny_data")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_replay_gives_the_same_weights(precision: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begin(tmp_path, name="run", stop_at=9, **SETTINGS, precision=precision)
    begin(tmp_path, resume="run", device="cuda", margin=1.5, lr=5e-4)
    argv = ["train", "--replay", "run", "--device", "cuda", "--runs-dir", str(tmp_path), "--progress", "none"]
    code, last = command_line(argv), capsys.readouterr().err.splitlines()[-1]
    assert (code, last.partition(", SHA-256")[0]) == (0, "replayed 24 steps and 2 changes: weights equal"), last


def test_a_run_goes_on_on_the_cpu(tiny_data: Dataset, tmp_path: Path) -> None:
    begin(tmp_path, name="run", stop_at=13, **SETTINGS)
    assert isinstance(begin(tmp_path, resume="run", device="cpu", precision="fp32")[-1], ev.Finished)


@pytest.mark.parametrize("dim", [2, 8])
def test_the_scores_are_those_of_the_cpu(dim: int, tiny_data: Dataset, tmp_path: Path) -> None:
    told = begin(tmp_path, name="run", embedding_dim=dim, precision="fp32", **SETTINGS)
    final = [event for event in told if isinstance(event, ev.Evaluated)][-1]
    assert final.images == len(tiny_data.test)
    options = RunOptions(embedding_dim=dim, seed=3, precision="fp32")
    config, cpu = resolve(options, "fashion-mnist", IDENTITIES), torch.device("cpu")
    learner = Learner(config, tiny_data.train, cpu)
    learner.restore(load_latest(locate_run("run", tmp_path) / "checkpoints")[0].tensors)
    scored = Scorer(tiny_data, config, cpu).evaluate(learner.network, config.margin, everything=True)
    assert scored is not None
    scores, picture = scored.evaluations["test"].scores, scored.picture
    assert final.map == pytest.approx(scores.map, abs=0.01)
    assert final.auc == pytest.approx(scores.auc, abs=0.01)
    shown = [event for event in told if isinstance(event, ev.EmbeddingsReady)][-1]
    if dim == 2:
        np.testing.assert_allclose(shown.points, picture.points, rtol=1e-2, atol=1e-2)


@pytest.fixture(scope="module")
def commanded(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """`reid-tui train` in a process of its own."""
    folder = tmp_path_factory.mktemp("runs")
    options = ["--device", "cuda", "--steps", "50", "--data", "pedestrians", "--json", "--progress", "none"]
    return subprocess.run(
        [*COMMAND, "train", *options, "--runs-dir", str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_command(commanded: subprocess.CompletedProcess[str]) -> None:
    assert commanded.returncode == 0, commanded.stderr
    lines = [json.loads(line) for line in commanded.stdout.splitlines()]
    started = next(line for line in lines if line["event"] == "run_started")
    assert started["device"].startswith("cuda:0 ")
    steps = [loss for line in lines if line["event"] == "progress" for loss in line.get("losses") or [line["loss"]]]
    assert len(steps) == 50
    assert np.mean(steps[-10:]) < np.mean(steps[:10])
    scores = [line for line in lines if line["event"] == "evaluated"]
    assert all(math.isfinite(line["map"]) for line in scores)
    assert (lines[-1]["event"], lines[-1]["step"]) == ("finished", 50)


def test_nothing_is_said_that_nobody_asked_for(commanded: subprocess.CompletedProcess[str]) -> None:
    assert "Warning" not in commanded.stderr
    assert "Traceback" not in commanded.stderr


def test_the_doctor_shows_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "doctor", "--json", "--runs-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    rows = [row for row in json.loads(done.stdout)["rows"] if row["topic"] == "cuda:0"]
    assert [row["status"] for row in rows] == ["ok"], done.stdout
    assert torch.cuda.get_device_name(0) in rows[0]["text"]
    assert rows[0]["text"].endswith("answers")


def test_the_screen_is_told_load_and_temperature() -> None:
    pytest.importorskip("pynvml")
    rows = {row.label: row.value for row in Machine().rows("cuda:0", os.getpid(), 0.0)}
    assert rows["GPU"].endswith("°C"), rows

"""The installed command without a terminal: streams, exit codes, signals, resume. Real data, real processes."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from reid_tui.headless import (
    Follower,
    NoTalk,
    _hangup_survivor,
    _stopper,
)
from reid_tui.training.channels import CommandBox
from reid_tui.training.checkpoint import load_latest, manifests
from tests import warm
from tests.faults import read_until

COMMAND = [sys.executable, "-W", "error", "-m", "reid_tui", "train", "--data", "pedestrians"]
LOADING = ("starting torch", "looking for the data", "drawing pedestrians", "waiting for torch")
LONG = ["--batch-size", "4", "--epochs", "1000", "--eval-every", "1000"]


def train(folder: Path, *argv: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return warm.run("train", "--data", "pedestrians", "--runs-dir", str(folder), *argv, timeout=timeout)


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def losses(lines: list[dict[str, Any]]) -> dict[int, float]:
    return {line["step"]: line["loss"] for line in lines if line["event"] == "progress"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """Folder and JSON lines of an uninterrupted run of 8 steps."""
    folder = tmp_path_factory.mktemp("whole")
    done = train(folder, "--steps", "8", "--batch-size", "8", "--json")
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*-pedestrians")), lines_of(done.stdout)


@pytest.mark.slow
def test_the_stream_is_the_log_and_follows_the_contract(whole: tuple[Path, list[dict[str, Any]]]) -> None:
    run, lines = whole
    started = next(i for i, line in enumerate(lines) if line["event"] == "run_started")
    assert lines[started:] == lines_of((run / "events.jsonl").read_text())
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert all(line["time"] > 1.7e9 and line["step"] >= 0 for line in lines)
    expected = {
        "run_started": "schema run device precision dataset model parameters batch_size pairs margin lr seed epochs "
        "total_steps config",
        "progress": "step epoch loss margin lr pairs_seen pairs_per_s wall_s",
        "evaluated": "step epoch split images rank1 map auc eer threshold d_prime",
        "embeddings_ready": "step split path",
        "distances_ready": "step edges same different",
        "checkpoint_saved": "path seconds",
        "finished": "reason steps wall_s loss",
    }
    for event, names in expected.items():
        found = next(line for line in lines if line["event"] == event)
        assert set(names.split()) <= set(found), event
    assert {"name", "train_images", "test_images", "identities"} <= set(lines[started]["dataset"])
    assert lines[-1]["event"] == "finished"
    assert sorted(losses(lines)) == list(range(1, 9))


@pytest.mark.slow
def test_what_lies_in_the_run_directory(whole: tuple[Path, list[dict[str, Any]]]) -> None:
    run, lines = whole
    config = json.loads((run / "config.json").read_text())
    assert config["config"]["batch_size"] == 8
    assert (
        config["dataset"]["source"]
        == next(line for line in lines if line["event"] == "run_started")["dataset"]["source"]
    )
    assert set(config["versions"]) >= {"torch", "numpy", "reid_tui"}
    for path in run.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.slow
def test_resume_equals_the_uninterrupted_run(whole: tuple[Path, list[dict[str, Any]]], tmp_path: Path) -> None:
    first = train(tmp_path, "--steps", "5", "--batch-size", "8", "--json", "--name", "cut")
    assert first.returncode == 0, first.stderr
    second = train(tmp_path, "--resume", "cut", "--steps", "8", "--json")
    assert second.returncode == 0, second.stderr
    run, lines = whole
    assert losses(lines_of(first.stdout)) | losses(lines_of(second.stdout)) == losses(lines)
    mine, theirs = (load_latest(path / "checkpoints")[0] for path in (next(tmp_path.glob("*-cut")), run))
    assert mine.manifest.sha256 == theirs.manifest.sha256
    log = lines_of((next(tmp_path.glob("*-cut")) / "events.jsonl").read_text())
    assert [line["seq"] for line in log] == sorted({line["seq"] for line in log})

    again = train(tmp_path, "--resume", "cut", "--steps", "8")
    assert (again.returncode, again.stdout) == (2, "")
    assert "is finished at step 8; give --steps above 8 to" in again.stderr.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--resume", "nope"], "no run 'nope'"),
        (["--resume", "latest", "--embedding-dim", "3"], "--embedding-dim 3 does not fit the run to resume"),
        (["--device", "cuda"], "--device cuda"),
    ],
)
def test_bad_input_is_one_last_line_and_exit_2(
    argv: list[str], words: str, whole: tuple[Path, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    before = sorted(whole[0].parent.rglob("*"))
    done = train(whole[0].parent, *argv)
    assert done.returncode == 2
    assert done.stdout == ""
    told = [line for line in done.stderr.splitlines() if line not in LOADING]
    assert len(told) == 1, done.stderr
    assert words in told[0]
    assert sorted(whole[0].parent.rglob("*")) == before


@pytest.mark.slow
def test_no_usable_checkpoint_and_changed_data(whole: tuple[Path, list[dict[str, Any]]], tmp_path: Path) -> None:
    done = train(tmp_path, "--steps", "2", "--batch-size", "8", "--name", "run")
    assert done.returncode == 0, done.stderr
    assert "step 2/2" not in done.stdout
    (manifest,) = manifests(next(tmp_path.glob("*-run")) / "checkpoints")
    content = json.loads(manifest.read_text())
    del content["digest"]
    manifest.write_text(json.dumps({**content, "data_fingerprint": "0" * 64}))
    changed = train(tmp_path, "--resume", "run", "--steps", "4", "--progress", "none")
    assert changed.returncode == 2
    assert "the data of pedestrians changed since the run" in changed.stderr
    manifest.with_suffix(".safetensors").write_bytes(b"\x80\x04pickle")
    broken = train(tmp_path, "--resume", "run", "--steps", "4", "--progress", "none")
    assert broken.returncode == 2
    assert "no usable checkpoint" in broken.stderr
    assert "step-00000002.safetensors: 8 bytes instead of" in broken.stderr


def start_until_step(folder: Path, step: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [*COMMAND, "--runs-dir", str(folder), "--json", "--name", "run", *LONG],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    for line in process.stdout:
        value = json.loads(line)
        if value["event"] == "progress" and value["step"] >= step:
            return process
    raise AssertionError(process.communicate())


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_finishes_the_step_saves_and_says_how_to_go_on(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    process = start_until_step(tmp_path, 3)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    last = lines_of(out)[-1]
    assert (last["event"], last["reason"], last["saved"]) == ("stopped", number.name, True)
    run = next(tmp_path.glob("*-run"))
    assert load_latest(run / "checkpoints")[0].manifest.state.step == last["step"]
    assert f"reid-tui train --resume {run}" in err


@pytest.mark.slow
def test_signals_that_end_no_run_and_the_limit_of_the_cpu_that_saves_it(tmp_path: Path) -> None:
    process = start_until_step(tmp_path, 3)
    assert process.stdout is not None
    assert process.stderr is not None
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        process.send_signal(number)
        saved = next(line for line in map(json.loads, process.stdout) if line["event"] == "checkpoint_saved")
        assert (saved["reason"], saved["origin"]) == ("asked", number.name)
    process.send_signal(signal.SIGQUIT)
    read_until(process.stderr.fileno(), b"in run_training")
    resource.prlimit(process.pid, resource.RLIMIT_CPU, (1, resource.RLIM_INFINITY))  # the kernel sends it each second
    out, err = process.communicate(timeout=60)
    assert process.returncode == 152, err
    last = lines_of(out)[-1]
    assert (last["event"], last["reason"], last["saved"]) == ("stopped", "SIGXCPU", True)
    assert "SIGXCPU: finishing the step and saving" in err
    assert load_latest(next(tmp_path.glob("*-run")) / "checkpoints")[0].manifest.state.step == last["step"]


@pytest.mark.slow
def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    process = start_until_step(tmp_path, 3)
    os.kill(process.pid, signal.SIGSTOP)  # both signals are pending when it goes on
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    os.kill(process.pid, signal.SIGCONT)
    _, err = process.communicate(timeout=60)
    assert process.returncode in (130, 143)
    assert "stopped at once" in err


def test_one_signal_that_comes_twice_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class EndedError(Exception):
        """In the place of the process's end."""

    def end(code: int) -> NoReturn:
        raise EndedError(code)

    monkeypatch.setattr(os, "_exit", end)
    now, inbox = 100.0, CommandBox()
    stop = _stopper(inbox, Follower(NoTalk(), as_json=False), Console(file=io.StringIO()), lambda: now)
    stop(signal.SIGTERM, None)
    now += 0.4
    stop(signal.SIGTERM, None)
    now += 0.2
    with pytest.raises(EndedError, match="143"):
        stop(signal.SIGTERM, None)
    assert inbox.get_nowait() is not None
    assert inbox.get_nowait() is None


def test_hang_ups_leave_no_descriptor_behind() -> None:
    survive, before = _hangup_survivor(), list(Path("/proc/self/fd").iterdir())
    for _ in range(5):
        survive(signal.SIGHUP, None)
    assert len(list(Path("/proc/self/fd").iterdir())) == len(before)


@pytest.mark.slow
def test_stdout_that_goes_away_does_not_stop_training(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--runs-dir", str(tmp_path), "--json", "--steps", "4", "--batch-size", "4"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        err = process.stderr.read()
    assert process.wait(timeout=60) == 0
    assert "training goes on" in err
    (log,) = tmp_path.glob("*/events.jsonl")
    assert lines_of(log.read_text())[-1]["event"] == "finished"


@pytest.mark.slow
def test_stderr_that_goes_away_does_not_stop_training(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [*COMMAND, "--runs-dir", str(tmp_path), "--steps", "4", "--batch-size", "4", "--progress", "plain"],
        stdout=subprocess.DEVNULL,
        stderr=writing,
    )
    os.close(writing)
    os.close(reading)
    assert process.wait(timeout=60) == 0
    (log,) = tmp_path.glob("*/events.jsonl")
    assert lines_of(log.read_text())[-1]["event"] == "finished"


@pytest.mark.slow
def test_a_damaged_checkpoint_is_passed_over_and_that_is_said(tmp_path: Path) -> None:
    for number in range(64):
        (tmp_path / "pictures" / f"person {number % 8}").mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 256, (16, 16), np.uint8)
        Image.fromarray(noise).save(tmp_path / "pictures" / f"person {number % 8}" / f"{number}.png")
    argv = ["--data", str(tmp_path / "pictures"), "--batch-size", "32", "--eval-every", "100"]
    done = train(tmp_path, *argv, "--steps", "4", "--name", "run", "--json")
    assert lines_of(done.stdout)[-1]["event"] == "finished", done.stderr
    folder = next(tmp_path.glob("*-run")) / "checkpoints"
    newest = manifests(folder)[0].with_suffix(".safetensors")
    newest.write_bytes(newest.read_bytes()[:-5])
    done = train(tmp_path, *argv, "--resume", "run", "--steps", "5", "--progress", "plain")
    assert done.returncode == 0, done.stderr
    assert "a checkpoint was passed over: step-00000004.safetensors" in done.stderr
    log = lines_of((folder.parent / "events.jsonl").read_text())
    assert [line["step"] for line in log if line["event"] == "run_started"] == [0, 3]
    assert [line["step"] for line in log if line["event"] == "progress"] == [1, 2, 3, 4, 4, 5]


def test_the_limit_of_the_cpu_is_told_each_second_also_while_the_process_ends() -> None:
    code = """
import os, signal
from reid_tui import headless
from reid_tui.config import RunOptions
from reid_tui.training.events import Stopped
headless.run_training = lambda *_, **__: Stopped(step=1, reason="SIGXCPU", saved=True)
code = headless.train(RunOptions(), as_json=False, progress="none")
os.kill(os.getpid(), signal.SIGXCPU)
os._exit(code)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 152

"""The installed command without a terminal: streams, exit codes, signals, resume. Real data, real processes."""

from __future__ import annotations

import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from PIL import Image
from rich.cells import cell_len
from rich.console import Console

from reid_tui.cli.main import run
from reid_tui.config import RunOptions, resolve
from reid_tui.console import Patient
from reid_tui.data import catalog
from reid_tui.data.dataset import Dataset
from reid_tui.headless import (
    MOST_STEPS,
    BarTalk,
    Follower,
    NoTalk,
    PlainTalk,
    _hangup_survivor,
    _numbers,
    _stopper,
    _talk,
    progress_text,
)
from reid_tui.training import events as ev
from reid_tui.training.channels import CommandBox
from reid_tui.training.checkpoint import load_latest, manifests
from reid_tui.view.fold import fold
from reid_tui.view.run_state import RunState
from tests.faults import read_until
from tests.view.samples import progress, started

COMMAND = [sys.executable, "-W", "error", "-m", "reid_tui", "train", "--data", "pedestrians"]
LOADING = ("starting torch", "looking for the data", "drawing pedestrians", "waiting for torch")
LONG = ["--batch-size", "4", "--epochs", "1000", "--eval-every", "1000"]


def train(folder: Path, *argv: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "--runs-dir", str(folder), *argv], capture_output=True, text=True, timeout=timeout, check=False
    )


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


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(("progress", "kind"), [("auto", BarTalk), ("bar", BarTalk), ("plain", PlainTalk)])
def test_a_bar_moves_on_a_terminal_only(progress: str, kind: type, as_json: bool) -> None:
    file = io.StringIO()
    terminal, pipe = (Patient(file=file, force_terminal=yes, force_interactive=yes) for yes in (True, False))
    talk = _talk(progress, terminal, as_json=as_json)
    talk.close()
    assert isinstance(talk, kind)
    file.truncate(0)
    talk = _talk(progress, pipe, as_json=as_json)
    assert isinstance(talk, NoTalk if as_json and progress == "auto" else PlainTalk)
    assert ("--progress bar needs a terminal" in file.getvalue()) == (progress == "bar")


@pytest.mark.parametrize("progress", ["auto", "bar"])
def test_nothing_moves_in_a_file_whatever_colour_is_wished_for(
    progress: str, tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(catalog, "load", lambda *_: tiny)
    monkeypatch.setenv("FORCE_COLOR", "1")
    options = ["--steps", "2", "--batch-size", "16", "--device", "cpu", "--name", "n" * 64, "--progress", progress]
    assert run(["train", "--runs-dir", str(tmp_path), *options]) == 0
    told = capsys.readouterr()
    assert "\x1b" not in told.err
    assert "\x1b[1mended" in told.out
    (started,) = [line for line in told.err.splitlines() if line.startswith("started")]
    assert started.endswith("2 steps"), "whole, in a line"


@pytest.mark.parametrize("width", [17, 24, 29, 30, 31, 40, 59, 60, 70, 80, 100])
def test_a_narrow_bar_leaves_numbers_out_and_cuts_none(width: int) -> None:
    event = progress(1234, loss=0.0969, margin=1.05)
    end = ev.Finished(step=1234, reason="steps", steps=1234, wall_s=1.0, loss=0.0969)
    file = io.StringIO()
    talk = BarTalk(Patient(file=file, width=width, force_terminal=True, color_system=None))
    states = [fold(RunState(), [started(), event]), fold(RunState(), [started(), event, end])]
    for happened, state in zip((event, end), states, strict=True):
        talk.tell(happened, lambda state=state: state)
        talk._bar.refresh()
    talk.close()
    bars = [
        line
        for line in re.split(r"[\r\n]|\x1b\[[^a-zA-Z]*[a-zA-Z]", file.getvalue())
        if "epoch " in line and "━" in line
    ]
    assert bars
    for bar in bars:
        assert cell_len(bar) <= width
        assert "…" not in bar
    assert ("1234/4690" in bars[-1]) == (width >= 30)


@pytest.mark.parametrize(("loss", "told"), [("contrastive", True), ("ntxent", False)])
def test_a_margin_is_told_where_the_loss_has_one(loss: str, told: bool) -> None:
    event = progress(7, loss=0.5, margin=1.05)
    state = fold(RunState(), [started(config=resolve(RunOptions(loss=loss), "fashion-mnist", 10)), event])
    assert ("margin 1.05" in progress_text(event, state)) == told
    assert ("m 1.05" in _numbers(event, state)[0]) == told
    assert "    " not in progress_text(event, state) + _numbers(event, state)[0]


def test_steps_are_taken_into_the_state_many_at_a_time() -> None:
    follower, waiting = Follower(NoTalk(), as_json=False), set[int]()
    for event in (started(), *(progress(step, loss=1 / step) for step in range(1, 1001))):
        follower(event)
        waiting.add(len(follower._steps))
    assert waiting == set(range(MOST_STEPS))
    assert (follower.state.step, follower.state.loss) == (1000, 1 / 1000)
    assert follower.state.history.losses.tolist() == [1 / step for step in range(1, 1001)]


@pytest.mark.parametrize("width", [80, 60, 40, 20])
def test_what_stands_above_the_bar_is_broken_between_words(width: int) -> None:
    file = io.StringIO()
    talk = BarTalk(Patient(file=file, width=width, force_terminal=True, color_system=None))
    changes = [ev.MarginChanged(step=1234, old=1 + i / 20, new=1.05 + i / 20, origin="attach 4242") for i in range(20)]
    state = RunState()
    for event in (started(), progress(7), *changes):
        state = fold(state, [event])
        talk.tell(event, lambda state=state: state)
    talk.close()
    words = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", file.getvalue()).split()
    assert sum(word == "4242" for word in words) == 20
    assert all(f"{change.new:.2f}" in words for change in changes)


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

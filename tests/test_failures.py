"""Training that breaks in the middle: every screen says why and what is left, and stays readable."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

import pytest
import torch

from reid_tui.bench.terminal import Terminal
from reid_tui.cli import main as cli
from reid_tui.config import RunOptions
from reid_tui.data.dataset import Dataset
from reid_tui.engine import run_training
from reid_tui.errors import advice, cause
from reid_tui.runs.log import read_events
from reid_tui.training import events as ev
from reid_tui.training.channels import CommandBox
from reid_tui.training.learner import Learner
from reid_tui.tui.dashboard import ReidTuiApp
from reid_tui.tui.session import WorkerSession
from tests.tui.rig import LOOK, until

BREAKS_AT: Final = 12
"""The step that is never done; the first epoch of eight steps is saved."""
NOBODY_HAS: Final = 10**15
"""Bytes, more than a process can address."""
CUDA_TEXT: Final = (
    "CUDA out of memory. Tried to allocate 931322.57 GiB. GPU 0 has a total capacity of 79.11 GiB of which 78.58 GiB "
    "is free. Including non-PyTorch memory, this process has 528.00 MiB memory in use. Of the allocated memory 0 bytes "
    "is allocated by PyTorch, and 0 bytes is reserved by PyTorch but unallocated. If reserved but unallocated memory "
    "is large try setting PYTORCH_ALLOC_CONF=expandable_segments:True to avoid fragmentation.  See documentation for "
    "Memory Management  (https://docs.pytorch.org/docs/stable/notes/cuda.html#environment-variables)"
)


def ask_the_processor() -> None:
    torch.empty(NOBODY_HAS, dtype=torch.uint8)


def ask_python() -> None:
    bytearray(NOBODY_HAS)


def ask_the_gpu() -> None:
    """For real where there is one."""
    if torch.cuda.is_available():
        torch.empty(NOBODY_HAS, dtype=torch.uint8, device="cuda")
    raise torch.OutOfMemoryError(CUDA_TEXT)


def ask_cublas() -> NoReturn:
    """On a card without room for its handle."""
    raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")


def err() -> NoReturn:
    raise ValueError("\n  the first line\x1b[2J\nand a second one")


BREAKS: Final[dict[Callable[[], None], str]] = {
    ask_the_processor: "out of memory: 1000000000000000 bytes were asked for; free some",
    ask_python: "out of memory; free some, or start a run with a smaller --batch-size",
    ask_the_gpu: "out of memory: 931322.57 GiB were asked for, ",
    ask_cublas: "out of memory; free some, or start a run with a smaller --batch-size",
    err: "ValueError: the first line",
}


@pytest.fixture(params=BREAKS, ids=lambda do: do.__name__)
def words(request: pytest.FixtureRequest, tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> str:
    """Has training break in a step; what a person is to be told."""
    real, steps = Learner.advance, iter(range(1, 1000))

    def step(learner: Learner, *given: object) -> object:
        if next(steps) == BREAKS_AT:
            request.param()
        return real(learner, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Learner, "advance", step)
    monkeypatch.setattr("reid_tui.data.catalog.load", lambda *_: tiny)
    return BREAKS[request.param]


def options(runs: Path, **more: str) -> RunOptions:
    return RunOptions(device="cpu", runs_dir=str(runs), epochs=3, batch_size=16, **more)  # type: ignore[arg-type]


def check(runs: Path, words: str) -> None:
    """The log ends in a failure that names cause and checkpoint, and `run.log` has the rest."""
    (run,) = runs.glob("*-tiny")
    end = list(read_events(run / "events.jsonl"))[-1]
    assert isinstance(end, ev.Failed)
    assert (end.step, end.exit_code) == (BREAKS_AT - 1, 1)
    assert words in end.message
    assert end.message.endswith(f"; the last checkpoint is step-00000008, details are in {run}/run.log")
    assert "\n" not in end.message
    assert len(end.message) < 250 + len(str(run))
    assert "Traceback" in (run / "run.log").read_text()


@pytest.mark.slow
def test_the_engine_tells_and_the_run_can_go_on(words: str, tmp_path: Path) -> None:
    told: list[ev.AnyEvent] = []
    end = run_training(options(tmp_path), told.append, CommandBox(), steerable=True)
    assert isinstance(end, ev.Failed)
    check(tmp_path, words)
    again = run_training(options(tmp_path, resume="latest"), told.append, CommandBox(), steerable=True)
    assert isinstance(again, ev.Finished)
    assert again.steps == 24


@pytest.mark.slow
def test_the_headless_command_ends_with_1(words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    argv = ["train", "--device", "cpu", "--runs-dir", str(tmp_path), "--epochs", "3", "--batch-size", "16"]
    assert cli.run([*argv, "--progress", "plain"]) == 1
    check(tmp_path, words)
    told = capfd.readouterr()
    last = told.err.splitlines()[-1]
    assert last.startswith(f"reid-tui: {words}")
    assert "the last checkpoint is step-00000008" in last
    assert "Traceback" not in told.err
    assert "failed: " in told.out


@pytest.mark.slow
async def test_the_dashboard_stays_and_can_be_read(words: str, tmp_path: Path) -> None:
    session = WorkerSession(options(tmp_path))
    app = ReidTuiApp(session, LOOK, fps=50)
    async with app.run_test(size=(80, 24)) as pilot:

        def shown() -> str:
            strips = app.screen._compositor.render_strips()
            return " ".join("".join(segment.text for segment in strip)[:48] for strip in strips)

        await until(lambda: app.state.badge == "FAILED", 60)
        await pilot.press("5")
        text = "".join(words.split())
        await until(lambda: text in "".join(shown().replace("│", "").split()), 10, shown)
        assert "step-00000008" in shown()
        assert "FAILED" in "".join(s.text for s in app.screen._compositor.render_strips()[0])
        assert app.is_running
        assert app.leaving.code == 1
        await pilot.press("q")
        await until(lambda: app._exit)
    session.join(10)
    check(tmp_path, words)


EXHAUSTED: Final = """
import sys, threading
from reid_tui.training.learner import Learner
step, done = Learner.advance, []

def exhausting(*given):
    done.append(1)
    if len(done) == 3:
        threading._start_new_thread = lambda *_: 0
        raise MemoryError
    return step(*given)

Learner.advance = exhausting
from reid_tui.cli.main import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_screen_can_be_left_where_no_thread_begins_any_more(tmp_path: Path) -> None:
    """Without memory a new thread may die before its first line, and whoever started it waits for that line."""
    options = ["--data", "pedestrians", "--batch-size", "4", "--runs-dir", str(tmp_path)]
    with Terminal([sys.executable, "-c", EXHAUSTED, *options], variables={"OMP_NUM_THREADS": "1"}) as terminal:
        deadline = time.monotonic() + 120
        while b"FAILED" not in b"".join(chunk.data for chunk in terminal.chunks):
            assert time.monotonic() < deadline
            assert terminal.running
            time.sleep(0.05)
        terminal.press(b"q")
        assert terminal.wait(60) == 1


@pytest.mark.parametrize("text", ["", " \n ", "x" * 5000, "\n\n" * 9 + "told\nuntold"])
def test_a_cause_is_one_line_of_a_readable_length(text: str) -> None:
    found = cause(RuntimeError(text))
    assert found.startswith("RuntimeError: ")
    assert "\n" not in found
    assert 14 < len(found) < 260


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "; free some space, then"),
        (errno.EDQUOT, "; free some of your quota, then"),
        (errno.EACCES, "; see that you may write there, then"),
        (errno.EROFS, "; have the file system mounted for writing, then"),
        (errno.ENOENT, "; put the folder back, then"),
        (errno.EIO, "; have the disk looked at, then"),
        (errno.EFBIG, "; allow larger files with 'ulimit -f', then"),
        (errno.EINTR, "; then"),
    ],
)
def test_advice_fits_the_error(code: int, remedy: str) -> None:
    assert advice(OSError(code, os.strerror(code)), "then") == f"{os.strerror(code)}{remedy}"


def test_advice_without_a_remedy() -> None:
    assert advice(OSError("too large"), "") == "too large"
    assert advice(OSError("too large"), "then") == "too large; then"

"""From options to a run and back: what a resume tells, and what it leaves alone when it is refused."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
import torch

from reid_tui.config import RunOptions
from reid_tui.cores import Shared
from reid_tui.data.dataset import Dataset
from reid_tui.engine import run_training
from reid_tui.errors import DataError, RunError
from reid_tui.runs.log import read_events
from reid_tui.runs.log_end import TAIL
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training.channels import CommandBox
from reid_tui.training.checkpoint import load_latest
from reid_tui.view.fold import fold
from reid_tui.view.run_state import RunState


@pytest.fixture
def runs(tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runs folder with one run of three steps."""
    monkeypatch.setattr("reid_tui.data.catalog.load", lambda *_: tiny)
    assert isinstance(train(tmp_path, [], steps=3, batch_size=16), ev.Finished)
    return tmp_path


def train(runs: Path, told: list[ev.AnyEvent], *, steps: int, **options: int | str) -> ev.AnyEvent:
    asked = RunOptions(device="cpu", runs_dir=str(runs), steps=steps, **options)  # type: ignore[arg-type]
    return run_training(asked, told.append, CommandBox(), steerable=False, past=told.append)


def test_the_log_says_where_other_processes_keep_the_cores_busy(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([Shared(1.9, 2), Shared(0.1, 2), None])

    class Busy:
        def shared(self) -> Shared | None:
            return next(looks)

    monkeypatch.setattr("reid_tui.engine.Cores", Busy)
    assert isinstance(train(runs, [], steps=12, batch_size=16, epochs=3, name="busy"), ev.Finished)
    (log,) = runs.glob("*-busy/run.log")
    (line,) = (line for line in log.read_text().splitlines() if "WARNING" in line)
    assert "epoch 1: other processes keep 1.9 of 2 cores busy" in line


def test_a_resumed_run_is_loading_until_it_trains(runs: Path) -> None:
    """What is replayed ends in a pause or amid training; neither is true yet."""
    told: list[ev.AnyEvent] = []
    assert isinstance(train(runs, told, steps=4, resume="latest"), ev.Finished)
    starts = [index for index, event in enumerate(told) if isinstance(event, ev.RunStarted)]
    assert [told[index].step for index in starts] == [0, 3]
    assert fold(RunState(), told[: starts[-1]]).badge == "LOADING"
    assert fold(RunState(), told[: starts[-1] + 1]).badge == "TRAINING"


def test_a_resume_takes_the_thresholds_of_its_checkpoint_along(runs: Path) -> None:
    """The step is not evaluated, and the run dies before the next one is."""
    (folder,) = runs.glob("*-tiny/checkpoints")
    before = load_latest(folder)[0].manifest.card
    assert before
    assert before.fitted
    inbox = CommandBox()
    options = RunOptions(device="cpu", runs_dir=str(runs), steps=9, resume="latest")

    def stop_before_it_is_scored(event: ev.AnyEvent) -> None:
        if isinstance(event, ev.RunStarted):
            inbox.put(cmd.Stop())

    assert isinstance(run_training(options, stop_before_it_is_scored, inbox, steerable=False), ev.Stopped)
    assert load_latest(folder)[0].manifest.card == before


@pytest.mark.slow
@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "of an older version"])
def test_a_resume_leaves_the_moment_of_the_start(recorded: bool, runs: Path) -> None:
    (path,) = runs.glob("*-tiny/config.json")
    content = json.loads(path.read_text())
    first = next(iter(read_events(path.parent / "events.jsonl"))).time
    assert content["started"] == pytest.approx(first, abs=30)
    expected = content["started"] if recorded else first
    if not recorded:
        path.write_text(json.dumps({name: value for name, value in content.items() if name != "started"}))
    assert isinstance(train(runs, [], steps=4, resume="latest"), ev.Finished)
    assert json.loads(path.read_text())["started"] == expected


def test_however_much_a_crash_left_behind_the_last_line_the_log_goes_on_from_it(runs: Path) -> None:
    (log,) = runs.glob("*-tiny/events.jsonl")
    before = list(read_events(log))[:-1]
    with log.open("rb+") as file:
        ends = [index for index, byte in enumerate(file.read()) if byte == ord("\n")]
        file.truncate(ends[-2] + 1)
        file.truncate(ends[-2] + 2 * TAIL)  # a hole
    assert isinstance(train(runs, [], steps=4, resume="latest"), ev.Finished)
    after = list(read_events(log))
    assert after[: len(before)] == before
    assert [event.seq for event in after[len(before) :]] == [
        before[-1].seq + count for count in range(1, len(after) - len(before) + 1)
    ]


def test_what_is_refused_or_never_begins_leaves_no_folder(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Dataset:
        raise DataError("damaged")

    monkeypatch.setattr("reid_tui.data.catalog.load", refuse)
    end = train(tmp_path / "runs", [], steps=1)
    assert isinstance(end, ev.Failed)
    assert not list(tmp_path.iterdir())

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("reid_tui.data.catalog.load", lambda *_: tiny)
        patch.setattr("reid_tui.runs.directory.RunDirectory.write_config", full)
        end = train(tmp_path / "runs", [], steps=1)
    assert isinstance(end, ev.Failed)
    assert end.message.endswith("config.json': No space left on device; free some space")
    assert not list((tmp_path / "runs").iterdir())

    def no_room(_path: Path) -> None:
        raise RunError("cannot lock the run: No space left on device")

    monkeypatch.setattr("reid_tui.data.catalog.load", lambda *_: tiny)
    monkeypatch.setattr("reid_tui.opening.new.RunLock", no_room)
    end = train(tmp_path / "runs", [], steps=1)
    assert isinstance(end, ev.Failed)
    assert end.message.endswith("No space left on device")
    assert not list((tmp_path / "runs").iterdir())


def test_a_refused_resume_changes_nothing(runs: Path) -> None:
    """As with a checkpoint of another network."""
    (run,) = runs.glob("*-tiny")
    for manifest in run.glob("checkpoints/*.json"):
        content = json.loads(manifest.read_text())
        del content["digest"]
        manifest.write_text(json.dumps({**content, "config": {**content["config"], "embedding_dim": 5}}))
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != "lock"}
    end = train(runs, [], steps=4, resume="latest")
    assert isinstance(end, ev.Failed)
    assert end.exit_code == 2
    assert end.message.startswith("step-00000003.safetensors: ")
    assert "another network" in end.message
    after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != "lock"}
    assert after == before


def test_a_network_that_fits_no_memory_leaves_a_run_that_says_so(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reid_tui.data.catalog.load", lambda *_: tiny)
    monkeypatch.setattr("reid_tui.training.learner.build_network", lambda *_: torch.empty(10**15))
    end = train(tmp_path, [], steps=3)
    assert isinstance(end, ev.Failed)
    (run,) = tmp_path.glob("*-tiny")
    assert json.loads((run / "config.json").read_text())["config"]["data"] == "tiny"
    last = json.loads((run / "events.jsonl").read_text().splitlines()[-1])
    assert last["event"] == "failed"
    assert "memory" in last["message"]

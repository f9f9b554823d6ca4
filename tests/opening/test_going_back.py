"""A run that diverged, or that a person takes back: which checkpoint it goes on from, and what its log tells of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reid_tui.cli.main import run as command_line
from reid_tui.config import RunOptions
from reid_tui.data import catalog
from reid_tui.data.dataset import Dataset
from reid_tui.engine import run_training
from reid_tui.runs.directory import locate_run
from reid_tui.runs.log import read_events
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training.channels import CommandBox
from reid_tui.training.checkpoint import load_latest, manifests, weights_sha256
from reid_tui.training.saved import step_of

Orders = dict[int, list[cmd.Command]]
STEPS, DIVERGED = 24, -1


@pytest.fixture(autouse=True)
def tiny_data(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked for, the small data is found."""
    monkeypatch.setattr(catalog, "load", lambda *_: tiny)


@pytest.fixture
def go(tmp_path: Path) -> Callable[..., ev.AnyEvent]:
    """Train the run named "run", or another; give commands when the progress of a step is told."""

    def train(orders: Orders | None = None, *, steerable: bool = False, **options: Any) -> ev.AnyEvent:
        inbox, waiting = CommandBox(), dict(orders or {})

        def hear(event: ev.AnyEvent) -> None:
            if isinstance(event, ev.Progress | ev.Diverged):
                for command in waiting.pop(event.step if isinstance(event, ev.Progress) else DIVERGED, ()):
                    inbox.put(command, "attach 42")

        if "resume" not in options:
            options = {"epochs": 3, "batch_size": 16, "seed": 3, "name": "run", **options}
        return run_training(RunOptions(runs_dir=str(tmp_path), **options), hear, inbox, steerable=steerable)

    return train


def told(folder: Path, kind: type[Any]) -> list[Any]:
    return [event for event in read_events(locate_run("run", folder) / "events.jsonl") if isinstance(event, kind)]


def digest(folder: Path, run: str = "run") -> str:
    return weights_sha256(load_latest(locate_run(run, folder) / "checkpoints")[0].tensors)


@pytest.mark.slow
def test_after_a_divergence_a_resume_goes_on_from_what_was_good(go: Callable[..., Any], tmp_path: Path) -> None:
    """And ends as if it had never been: a learning rate of 10 leaves no trace."""
    go(name="whole")
    go(steps=12)
    end = go(resume="run", lr=10.0, steps=STEPS)
    assert isinstance(end, ev.Diverged)
    assert end.reason == "3 steps in a row had a loss above 1e+08, or a loss or gradient that is not finite"
    assert end.checkpoint == "checkpoints/step-00000012.safetensors"
    for _ in range(2):
        assert isinstance(go(resume="run", lr=10.0), ev.Diverged), "as often as one likes"
    assert isinstance(go(resume="run", lr=1e-3), ev.Finished)
    assert [event.step for event in told(tmp_path, ev.RunStarted)] == [0, 12, 12, 12, 12]
    assert not told(tmp_path, ev.CommandRefused)
    assert digest(tmp_path) == digest(tmp_path, "whole")
    assert command_line(["train", "--replay", "run", "--runs-dir", str(tmp_path), "--progress", "none"]) == 0


@pytest.mark.slow
def test_a_ruined_checkpoint_is_passed_over_and_that_is_said(go: Callable[..., Any], tmp_path: Path) -> None:
    orders: Orders = {10: [cmd.SetLearningRate(10.0)], DIVERGED: [cmd.Stop()]}
    assert isinstance(go(orders, steerable=True), ev.Stopped)
    (ruined,) = [event for event in told(tmp_path, ev.CheckpointSaved) if not event.good]
    assert (ruined.reason, told(tmp_path, ev.Diverged)[0].checkpoint) == (
        "stopped",
        "checkpoints/step-00000008.safetensors",
    )
    assert isinstance(go(resume="run"), ev.Finished)
    (warned,) = [event for event in told(tmp_path, ev.Warned) if event.code == "checkpoint_rejected"]
    name = ruined.path.rpartition("/")[2]
    assert warned.message == f"a checkpoint was passed over: {name}: left by a divergence, its weights are ruined"
    left = [step_of(path) for path in manifests(locate_run("run", tmp_path) / "checkpoints")]
    assert left == [24, 16, 8]


def test_a_ruined_checkpoint_is_taken_where_a_person_names_it(go: Callable[..., Any], tmp_path: Path) -> None:
    orders: Orders = {10: [cmd.SetLearningRate(10.0)], DIVERGED: [cmd.Save(), cmd.Stop()]}
    go(orders, steerable=True)
    (ruined,) = [event for event in told(tmp_path, ev.CheckpointSaved) if not event.good]
    end = go(resume="run", at=ruined.step, lr=1e-3)
    assert isinstance(end, ev.Diverged)
    assert (end.step, end.checkpoint) == (ruined.step + 3, "checkpoints/step-00000008.safetensors")


@pytest.mark.slow
def test_a_checkpoint_is_chosen_and_what_lies_ahead_is_not_taken_again(go: Callable[..., Any], tmp_path: Path) -> None:
    """Stopped without a save right after it: the next resume still goes on from what was chosen."""
    go({20: [cmd.SetMargin(2.0)]})
    go({10: [cmd.SetLearningRate(5e-4)], 11: [cmd.Stop(save=False)]}, resume="run", at=8)
    (rewound,) = told(tmp_path, ev.Rewound)
    assert (rewound.step, rewound.from_step, rewound.margin) == (8, STEPS, 1.0)
    checkpoints = locate_run("run", tmp_path) / "checkpoints"
    assert [step_of(path) for path in manifests(checkpoints)] == [8, 24, 16]
    assert isinstance(go({10: [cmd.SetLearningRate(2e-4)]}, resume="run"), ev.Finished)
    assert [event.step for event in told(tmp_path, ev.RunStarted)] == [0, 8, 8]
    go({10: [cmd.SetLearningRate(2e-4)]}, name="whole")
    assert digest(tmp_path) == digest(tmp_path, "whole")
    assert command_line(["train", "--replay", "run", "--runs-dir", str(tmp_path), "--progress", "none"]) == 0


def test_the_newest_may_be_chosen_too_and_that_is_no_going_back(go: Callable[..., Any], tmp_path: Path) -> None:
    go({13: [cmd.Stop()]})
    assert isinstance(go(resume="run", at=13), ev.Finished)
    assert not told(tmp_path, ev.Rewound)
    assert load_latest(locate_run("run", tmp_path) / "checkpoints")[0].manifest.state.rewinds == 0


@pytest.mark.slow
def test_what_a_person_took_back_is_not_repeated(
    go: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Turned, gone back by a command, turned otherwise; a replay repeats what came of it bit for bit."""
    orders: Orders = {
        4: [cmd.SetMargin(1.5)],
        13: [cmd.SetLearningRate(10.0)],
        15: [cmd.GoBack(8), cmd.SetLearningRate(5e-4), cmd.Resume()],
        20: [cmd.GoBack(16), cmd.SetMargin(1.2), cmd.Resume()],
    }
    assert isinstance(go(orders, steerable=True), ev.Finished)
    assert [(event.step, event.from_step, event.origin) for event in told(tmp_path, ev.Rewound)] == [
        (8, 15, "attach 42"),
        (16, 20, "attach 42"),
    ]
    capsys.readouterr()
    assert command_line(["train", "--replay", "run", "--runs-dir", str(tmp_path), "--progress", "none"]) == 0
    assert capsys.readouterr().err.startswith("replayed 24 steps and 3 changes: weights equal, SHA-256 ")
    go({4: [cmd.SetMargin(1.5)], 8: [cmd.SetLearningRate(5e-4)], 16: [cmd.SetMargin(1.2)]}, name="whole")
    assert digest(tmp_path) == digest(tmp_path, "whole")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--resume", "run", "--at", "9"], "no checkpoint of step 9 in "),
        (["--resume", "run", "--at", "9"], "; there are 8, 16 and 24"),
        (["--resume", "run", "--at", "x"], "--at must be a whole number from 0 to"),
        (["--at", "8"], "give --resume RUN too"),
    ],
)
def test_refusals(
    argv: list[str], words: str, go: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    go()
    assert command_line(["train", *argv, "--runs-dir", str(tmp_path), "--progress", "none"]) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.err.count("\n") == 1

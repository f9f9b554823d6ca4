"""`train --replay`: a run with all its changes is repeated, and both ends are compared bit by bit."""

from __future__ import annotations

import collections
import dataclasses
import json
import math
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from reid_tui.cli.main import run as command_line
from reid_tui.config import RunOptions
from reid_tui.data import catalog
from reid_tui.data.dataset import Dataset
from reid_tui.engine import run_training
from reid_tui.runs.directory import locate_run
from reid_tui.runs.replay import Replay
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training.channels import CommandBox
from reid_tui.training.checkpoint import load_latest, manifests
from reid_tui.training.steps.batches import Batch
from reid_tui.training.steps.costs import Costs
from tests.replay.orders import Orders, Say, digest, edit_log, go, told, turns
from tests.test_headless import lines_of, start_until_step, train
from tests.training.small import divided_dataset

STEPS = 24


@pytest.mark.slow
def test_a_run_that_was_turned_stopped_and_resumed(steered: Path, say: Say) -> None:
    code, out, last = say()
    assert (code, last) == (
        0,
        f"replayed 24 steps and 7 changes: weights equal, SHA-256 {digest(steered, 'run')[:12]}…",
    )
    assert "all epochs done" in out
    assert digest(steered, "run-replay") == digest(steered, "run")
    assert turns(steered, "run-replay") == turns(steered, "run")
    assert {event.origin for event in told(steered, "run-replay", ev.MarginChanged)} == {
        "replay of attach 42",
        "replay of --margin",
    }
    one, two = ({e.step: e.loss for e in told(steered, run, ev.Progress)} for run in ("run", "run-replay"))
    assert one == two
    assert sorted(two) == list(range(1, STEPS + 1))
    config = json.loads((locate_run("run-replay", steered) / "config.json").read_text())
    assert config["asked"]["replay"] == str(locate_run("run", steered))


@pytest.mark.slow
def test_a_run_whose_best_a_validation_chooses(tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "load", lambda *_: divided_dataset())
    assert isinstance(go(tmp_path, {13: [cmd.SetMargin(1.5), cmd.Stop()]}), ev.Stopped)
    assert isinstance(go(tmp_path, {}, resume="run"), ev.Finished)
    assert say()[0] == 0
    one, two = (
        {(e.step, e.split, e.images): e.map for e in told(tmp_path, run, ev.Evaluated)} for run in ("run", "run-replay")
    )
    assert one == two
    assert {split for _, split, _ in one} == {"validation", "seen", "unseen"}


@pytest.mark.slow
def test_images_that_were_left_out_are_left_out_again(tmp_path: Path, say: Say) -> None:
    first: Orders = {5: [cmd.LeaveOut(7)], 8: [cmd.LeaveOut(9), cmd.Stop(save=False)]}
    assert isinstance(go(tmp_path, first), ev.Stopped)
    assert isinstance(go(tmp_path, {11: [cmd.LeaveOut(7, out=False), cmd.Stop()]}, resume="run"), ev.Stopped)
    lost: Orders = {14: [cmd.LeaveOut(11)], 15: [cmd.Stop(save=False)]}
    assert isinstance(go(tmp_path, lost, resume="run"), ev.Stopped)
    assert isinstance(go(tmp_path, {13: [cmd.LeaveOut(12)]}, resume="run"), ev.Finished)
    assert say()[0] == 0
    changes = [(e.step, e.row, e.out, e.origin) for e in told(tmp_path, "run-replay", ev.ImageLeftOut)]
    origin = "replay of attach 42"
    assert changes == [(5, 7, True, origin), (11, 7, False, origin), (13, 12, True, origin)]
    one, two = ({e.step: e.loss for e in told(tmp_path, run, ev.Progress)} for run in ("run", "run-replay"))
    assert one == two
    plain = go(tmp_path, {}, name="plain")
    assert isinstance(plain, ev.Finished)
    assert digest(tmp_path, "plain") != digest(tmp_path, "run-replay")


@pytest.mark.slow
def test_a_replay_can_be_replayed(steered: Path, say: Say) -> None:
    assert say()[0] == 0
    code, _, last = say("--name", "third", run="run-replay")
    assert (code, last.partition(":")[0]) == (0, "replayed 24 steps and 7 changes")
    assert "replay of attach 42" in {event.origin for event in told(steered, "third", ev.MarginChanged)}


@pytest.mark.slow
def test_a_schedule_of_the_margin_goes_by_itself_and_what_was_added_to_it_is_given_again(
    tmp_path: Path, say: Say
) -> None:
    first: Orders = {6: [cmd.ShiftMargin(0.05)], 12: [cmd.ShiftMargin(0.1)], 13: [cmd.Stop()]}
    go(tmp_path, first, margin_schedule="1 until 0.5, to 2 until 1.5, 0.7 until 2, 1.2")
    lost: Orders = {18: [cmd.SetMargin(3.0)], 19: [cmd.Stop(save=False)]}
    go(tmp_path, lost, resume="run")
    second: Orders = {20: [cmd.SetMargin(1.5)]}
    assert isinstance(go(tmp_path, second, resume="run"), ev.Finished)
    code, _, last = say()
    assert code == 0, last
    assert turns(tmp_path, "run-replay")[-3:] == [(12, 0.85), (16, 1.35), (20, 1.5)]
    origins = [(event.step, event.origin) for event in told(tmp_path, "run-replay", ev.MarginChanged)]
    assert [step for step, origin in origins if origin == "replay of attach 42"] == [6, 12, 20]
    assert {origin for _, origin in origins} == {"schedule", "replay of attach 42"}
    assert told(tmp_path, "run-replay", ev.CommandRefused) == []
    assert say("--name", "third", run="run-replay")[0] == 0
    config = json.loads((locate_run("run", tmp_path) / "config.json").read_text())["config"]
    assert config["margin_schedule"] == "1 until 0.5, to 2 until 1.5, 0.7 until 2, 1.2"


@pytest.mark.slow
def test_what_was_lost_at_the_step_of_a_checkpoint_is_not_given_again(tmp_path: Path, say: Say) -> None:
    """The schedule's change and its being taken back came after the epoch's checkpoint, which has the same margin."""
    lost: Orders = {8: [cmd.SetMargin(1.0)], 9: [cmd.Stop(save=False)]}
    go(tmp_path, lost, margin_schedule="1 until 1, 1.5")
    assert isinstance(go(tmp_path, {}, resume="run"), ev.Finished)
    assert [(change.step, change.new) for change in told(tmp_path, "run", ev.MarginChanged)] == [
        (8, 1.5),
        (8, 1.0),
        (8, 1.5),
    ]
    code, _, last = say()
    assert code == 0, last
    assert turns(tmp_path, "run-replay") == [(8, 1.5)]


@pytest.mark.slow
def test_what_was_refused_since_the_loss_has_no_margin_is_refused_again(tmp_path: Path, say: Say) -> None:
    turns: Orders = {4: [cmd.SetMargin(1.5)], 9: [cmd.ShiftMargin(0.05), cmd.SetLearningRate(2e-3), cmd.Stop()]}
    go(tmp_path, turns, loss="ntxent")
    lost: Orders = {11: [cmd.SetMargin(0.7)], 12: [cmd.Stop(save=False)]}
    go(tmp_path, lost, resume="run")
    go(tmp_path, {}, resume="run")
    code, _, last = say()
    assert (code, last.partition(":")[0]) == (0, "replayed 24 steps and 1 change")
    refused = [(e.step, e.command, e.reason, e.origin) for e in told(tmp_path, "run-replay", ev.CommandRefused)]
    reason, origin = "ntxent has a temperature, no margin in distance", "replay of attach 42"
    assert refused == [(4, "set_margin", reason, origin), (9, "shift_margin", reason, origin)]


@pytest.mark.slow
def test_a_log_that_was_changed_gives_other_weights(steered: Path, say: Say) -> None:
    edit_log(
        steered, lambda line: {**line, "new": 1.4} if line["event"] == "margin_changed" and line["step"] == 4 else line
    )
    code, _, last = say()
    assert code == 1
    here, there = digest(steered, "run-replay"), digest(steered, "run")
    name = locate_run("run", steered).name
    assert last == (
        f"reid-tui: weights differ: SHA-256 {here[:12]}… here, {there[:12]}… in {name} at step 24; "
        "step 5 was trained with the margin at 1.5, the changes in the log make it 1.4"
    )


@pytest.mark.slow
def test_where_nothing_explains_it_the_machine_is_compared(steered: Path, say: Say) -> None:
    def change(line: dict[str, Any]) -> dict[str, Any] | None:
        if line["event"] == "margin_changed" and line["step"] == 4:
            return None
        if line["event"] == "run_started":
            return {**line, "device": "cuda:0 NVIDIA \x1b[31mH100", "torch": "2.11", "threads": 0}
        return line if line["event"] != "progress" else None

    edit_log(steered, change)
    code, _, last = say()
    assert code == 1
    assert "; device cpu here, cuda:0 NVIDIA \ufffd[31mH100 there; " in last
    assert f"; torch {torch.__version__} here, 2.11 there; " in last
    assert last.endswith(f"; threads {torch.get_num_threads()} here, not recorded there")


@pytest.mark.slow
def test_what_a_crash_took_back_is_not_repeated(tmp_path: Path, say: Say) -> None:
    lost: Orders = {4: [cmd.SetMargin(1.5)], 11: [cmd.SetMargin(2.5)], 13: [cmd.Stop(save=False)]}
    go(tmp_path, lost)  # the newest checkpoint is that of step 8
    go(tmp_path, {8: [], 12: [cmd.SetMargin(1.2)]}, resume="run")
    assert [event.step for event in told(tmp_path, "run", ev.RunStarted)] == [0, 8]
    code, _, last = say()
    assert (code, last.partition(":")[0]) == (0, "replayed 24 steps and 2 changes")
    assert turns(tmp_path, "run-replay") == [(4, 1.5), (12, 1.2)]


@pytest.mark.slow
def test_a_run_that_is_not_done_is_repeated_to_its_newest_checkpoint(tmp_path: Path, say: Say) -> None:
    go(tmp_path, {4: [cmd.SetMargin(1.5)], 8: [cmd.SetMargin(1.6)], 10: [cmd.Save()], 12: [cmd.Stop(save=False)]})
    code, out, last = say("--json")
    assert (code, last.partition(":")[0]) == (0, "replayed 10 steps and 2 changes")
    lines = [json.loads(line) for line in out.splitlines()]
    assert (lines[-1]["event"], lines[-1]["step"], lines[-1]["reason"]) == ("stopped", 10, "replay")
    state = load_latest(locate_run("run-replay", tmp_path) / "checkpoints")[0].manifest.state
    assert (state.step, state.margin) == (10, 1.6)
    assert isinstance(go(tmp_path, {}, resume="run-replay"), ev.Finished)


@pytest.mark.slow
def test_more_epochs_given_with_a_resume_and_fewer_by_an_older_version(tmp_path: Path, say: Say) -> None:
    go(tmp_path, {3: [cmd.SetLearningRate(2e-3)]}, epochs=1)
    go(tmp_path, {20: [cmd.Stop()]}, resume="run", epochs=3)
    end = go(tmp_path, {}, resume="run", epochs=2)
    assert isinstance(end, ev.Failed)
    assert "has come to step 20; give --epochs above 2" in end.message
    (newest,) = tmp_path.glob("*-run/checkpoints/step-00000020.json")
    manifest = json.loads(newest.read_text())
    del manifest["digest"]
    newest.write_text(json.dumps({**manifest, "config": {**manifest["config"], "epochs": 2}}))
    code, _, last = say()
    assert (code, last.partition(":")[0]) == (0, "replayed 20 steps and 1 change")


@pytest.mark.slow
def test_steps_that_were_skipped_and_a_divergence_that_was_lived_through(
    tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, taken = Costs.of, collections.Counter[Costs]()

    def sometimes_infinite(costs: Costs, batch: Batch, step: int) -> Any:
        cost = whole(costs, batch, step)
        if not torch.is_grad_enabled():  # a look ahead is no step
            return cost
        taken[costs] += 1
        return cost._replace(loss=cost.loss * math.inf) if taken[costs] in (3, 10, 11, 12) else cost

    monkeypatch.setattr(Costs, "of", sometimes_infinite)
    go(tmp_path, {5: [cmd.SetMargin(1.5)], 12: [cmd.SetLearningRate(5e-4), cmd.Resume()]}, epochs=2)
    assert [event.step for event in told(tmp_path, "run", ev.Diverged)] == [12]
    assert told(tmp_path, "run", ev.Finished)
    code, _, last = say()
    assert (code, last.partition(":")[0]) == (0, "replayed 16 steps and 2 changes"), last
    assert [event.step for event in told(tmp_path, "run-replay", ev.Diverged)] == [12]


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.slow
def test_as_many_threads_as_the_run_had(threads: Callable[[int], None], tmp_path: Path, say: Say) -> None:
    threads(2)
    go(tmp_path, {}, epochs=1)
    threads(1)
    assert say()[0] == 0
    assert [event.threads for event in told(tmp_path, "run-replay", ev.RunStarted)] == [2]
    assert torch.get_num_threads() == 1


@pytest.mark.slow
def test_a_damaged_checkpoint_is_passed_over_and_that_is_said(tmp_path: Path, say: Say) -> None:
    go(tmp_path, {})
    newest = manifests(locate_run("run", tmp_path) / "checkpoints")[0].with_suffix(".safetensors")
    newest.write_bytes(newest.read_bytes()[:-5])
    code, _, last = say()
    assert (code, last.partition(":")[0]) == (0, "replayed 16 steps and 0 changes")
    (warned,) = told(tmp_path, "run-replay", ev.Warned)
    assert "step-00000024.safetensors" in warned.message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "words"), [(5, "stopped at step 5 of 10: nothing was compared"), (10, "weights equal")]
)
def test_a_signal_goes_before_what_is_repeated(step: int, words: str, tmp_path: Path) -> None:
    go(tmp_path, {10: [cmd.Stop()]})
    replay, inbox, heard = Replay(locate_run("run", tmp_path)), CommandBox(), list[ev.AnyEvent]()

    def hear(event: ev.AnyEvent) -> None:
        heard.append(event)
        if isinstance(event, ev.Progress) and event.step == step:
            inbox.put(cmd.Stop(reason="SIGTERM"), "SIGTERM")

    end = run_training(RunOptions(runs_dir=str(tmp_path)), hear, inbox, steerable=False, again=replay)
    assert isinstance(end, ev.Stopped)
    assert (end.step, end.reason) == (step, "SIGTERM")
    (started,) = (event for event in heard if isinstance(event, ev.RunStarted))
    verdict = replay.verdict(end, started)
    assert verdict is not None
    assert words in verdict.text
    assert replay.verdict(ev.Failed(step=step, message=""), started) is None


def test_a_replay_that_somebody_steers_says_so(tmp_path: Path) -> None:
    go(tmp_path, {4: [cmd.SetMargin(1.5)], 10: [cmd.Stop()]})
    replay, inbox, heard = Replay(locate_run("run", tmp_path)), CommandBox(), list[ev.AnyEvent]()

    def hear(event: ev.AnyEvent) -> None:
        heard.append(event)
        if isinstance(event, ev.Progress) and event.step == 6:
            inbox.put(cmd.SetLearningRate(2e-3), "attach 42")

    end = run_training(RunOptions(runs_dir=str(tmp_path)), hear, inbox, steerable=False, again=replay)
    (started,) = (event for event in heard if isinstance(event, ev.RunStarted))
    verdict = replay.verdict(end, started)
    assert verdict is not None
    assert not verdict.equal
    assert verdict.text.endswith("; attach 42 turned the learning rate of the replay at step 6")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--replay", "nope"], "no run 'nope'"),
        (["--replay", "run", "--resume", "run"], "give one of the two"),
        (["--replay", "run", "--margin", "2"], "--margin 2.0 does not fit the run to replay, which has 1.0"),
        (["--replay", "run", "--steps", "4"], "--steps 4 does not fit the run to replay"),
        (["--replay", "run", "--epochs", "4"], "--epochs 4 does not fit the run to replay, which has 3"),
        (["--replay", "unsaved"], "no usable checkpoint"),
        (["--replay", "unlogged"], "without it no change is known"),
        (["--replay", "silent"], "tells of no start"),
        (["--replay", "changed"], "the data of tiny changed since the run"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    argv: list[str], words: str, tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    for name in {"run", "unsaved", "unlogged", "silent", "changed"} & set(argv):
        go(tmp_path, {4: [cmd.Stop(save=name != "unsaved")]}, name=name)
        if name == "unlogged":
            (locate_run(name, tmp_path) / "events.jsonl").unlink()
        if name == "silent":
            (locate_run(name, tmp_path) / "events.jsonl").write_text("{}\n")
        if name == "changed":
            monkeypatch.setattr(catalog, "load", lambda *_: dataclasses.replace(tiny, fingerprint="0" * 64))
    before = sorted(tmp_path.rglob("*"))
    code = command_line(["train", "--runs-dir", str(tmp_path), "--progress", "none", *argv])
    captured = capsys.readouterr()
    assert (code, captured.out, captured.err.count("\n")) == (2, "", 1), captured.err
    assert words in captured.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
def test_processes_one_of_them_killed(tmp_path: Path) -> None:
    process = start_until_step(tmp_path, 6)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    steps = load_latest(locate_run("run", tmp_path) / "checkpoints")[0].manifest.state.step
    assert (
        train(tmp_path, "--resume", "run", "--margin", "1.3", "--lr", "5e-4", "--steps", str(steps + 6)).returncode == 0
    )
    done = train(tmp_path, "--replay", "run", "--json")
    assert done.returncode == 0, done.stderr
    assert lines_of(done.stdout)[-1]["step"] == steps + 6
    assert re.search(
        rf"replayed {steps + 6} steps and 2 changes: weights equal, SHA-256 [0-9a-f]{{12}}…$", done.stderr.strip()
    )

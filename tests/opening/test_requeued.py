"""One command line, given again and again by a queue: begins a run, goes on with it, and says when it is finished."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest

from reid_tui.cli import main as cli
from reid_tui.config import RunOptions, ScreenOptions
from reid_tui.data.dataset import Dataset
from reid_tui.errors import RunError
from reid_tui.opening.place import check_place
from reid_tui.runs.directory import RunDirectory, create_run
from reid_tui.runs.lock import RunLock
from reid_tui.runs.log import read_events
from reid_tui.training import events as ev
from reid_tui.tui.app import run_dashboard
from reid_tui.tui.dashboard import ReidTuiApp
from reid_tui.tui.leaving.scrollback import tell
from reid_tui.tui.session import WorkerSession
from tests.another_user import as_another_user
from tests.opening.rig import begin, contents
from tests.tui.rig import LOOK, until

JOB: dict[str, Any] = {
    "resume_or_start": "big",
    "epochs": 3,
    "eval_every": 3,
    "lr": 1e-3,
    "margin": 1.25,
    "seed": 7,
    "embedding_dim": 2,
}


@pytest.fixture(autouse=True)
def small_data(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reid_tui.data.catalog.load", lambda *_: tiny)


def only(runs: Path) -> Path:
    (run,) = runs.glob("*-big")
    return run


def starts(run: Path) -> list[int]:
    return [event.step for event in read_events(run / "events.jsonl") if isinstance(event, ev.RunStarted)]


@pytest.mark.slow
def test_it_begins_goes_on_and_is_finished(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert isinstance(begin(tmp_path, stop_at=5, **JOB)[-1], ev.Stopped)
    told = begin(tmp_path, stop_at=11, **JOB)
    assert isinstance(told[-1], ev.Stopped)
    assert not any(isinstance(event, ev.CommandRefused | ev.MarginChanged | ev.LrChanged) for event in told)
    assert isinstance(begin(tmp_path, **JOB)[-1], ev.Finished)
    run = only(tmp_path)
    assert starts(run) == [0, 5, 11]
    before = contents(tmp_path)
    first = next(event for event in read_events(run / "events.jsonl") if isinstance(event, ev.Finished))
    last = begin(tmp_path, **JOB)[-1]
    assert isinstance(last, ev.Finished)
    note = f"the run {run.name!r} is finished at step 24; give --epochs above 3 to train it longer"
    assert (last.step, last.wall_s, last.loss, last.note) == (24, first.wall_s, first.loss, note)
    assert contents(tmp_path) == before

    argv = ["train", "--runs-dir", str(tmp_path), "--resume-or-start", "big", "--epochs", "3", "--device", "cpu"]
    for progress in ("none", "plain", "bar"):
        assert cli.run([*argv, "--progress", progress]) == 0
        told = capfd.readouterr()
        assert told.out == ""
        assert told.err.count(note) == 1
        assert told.err.splitlines()[-1] == f"reid-tui: {note}"
    assert contents(tmp_path) == before
    assert begin(tmp_path, **{**JOB, "epochs": 4})[-1].step == 32
    assert starts(run) == [0, 5, 11, 24]


@pytest.mark.slow
async def test_the_dashboard_closes_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await asyncio.to_thread(begin, tmp_path, steps=2, eval_every=3, resume_or_start="big")
    session = WorkerSession(
        RunOptions(device="cpu", runs_dir=str(tmp_path), batch_size=16, steps=2, resume_or_start="big")
    )
    app = ReidTuiApp(session, LOOK, fps=50)
    async with app.run_test():
        await until(lambda: app._exit, 60)
    session.join(10)
    assert app.leaving.code == 0
    tell(app.state, app.leaving, None, failure=None, elsewhere=None)
    assert capsys.readouterr().err.endswith("-big' is finished at step 2; give --steps above 2 to train it longer\n")


def test_what_was_killed_before_its_first_checkpoint_is_passed_over(tmp_path: Path) -> None:
    for stop_at in (3, 3):
        begin(tmp_path, stop_at=stop_at, save=False, **JOB)
    RunLock(create_run(tmp_path, "big").lock).release()
    begin(tmp_path, stop_at=5, **JOB)
    begin(tmp_path, stop_at=3, save=False, **{**JOB, "resume_or_start": "other"})
    RunLock(create_run(tmp_path, "big").lock).release()
    assert len(list(tmp_path.glob("*-big"))) == 5
    assert begin(tmp_path, stop_at=6, **JOB)[-1].step == 6
    assert len(list(tmp_path.glob("*-big"))) == 5
    with_checkpoint = [path for path in tmp_path.iterdir() if list(path.glob("checkpoints/*.json"))]
    assert [starts(path) for path in with_checkpoint] == [[0, 5]]
    for damaged in with_checkpoint[0].glob("checkpoints/*.json"):
        damaged.write_text("{")
    assert begin(tmp_path, stop_at=3, **JOB)[-1].step == 3
    assert len(list(tmp_path.glob("*-big"))) == 6


@pytest.mark.slow
def test_the_newest_with_a_checkpoint_is_taken_also_by_its_whole_name(tmp_path: Path) -> None:
    begin(tmp_path, steps=2, eval_every=3, name="big")
    begin(tmp_path, steps=3, eval_every=3, name="big")
    older, newer = sorted(tmp_path.iterdir(), key=lambda path: len(starts(path)) and path.stat().st_mtime)
    assert begin(tmp_path, eval_every=3, steps=4, resume_or_start="big")[-1].step == 4
    assert (starts(older), starts(newer)) == ([0], [0, 3])
    begin(tmp_path, eval_every=3, steps=4, resume_or_start=older.name)
    assert (starts(older), starts(newer)) == ([0, 2], [0, 3])


@pytest.mark.parametrize("begun", [True, False], ids=["trained", "still loading"])
def test_one_that_another_process_trains_is_not_doubled(begun: bool, tmp_path: Path) -> None:
    begin(tmp_path, steps=2, eval_every=3, name="big")
    lock = RunLock(RunDirectory(only(tmp_path)).lock if begun else create_run(tmp_path, "big").lock)
    folders = sorted(tmp_path.iterdir())
    end = begin(tmp_path, **JOB)[-1]
    with pytest.raises(RunError, match="being trained by process"):
        check_place(RunOptions(runs_dir=str(tmp_path), resume_or_start="big"))
    lock.release()
    assert isinstance(end, ev.Failed)
    assert end.exit_code == 2
    assert end.message.endswith(f"is being trained by process {os.getpid()}; stop that one first")
    assert sorted(tmp_path.iterdir()) == folders


def test_what_differs_is_refused_and_what_was_turned_stays(tmp_path: Path) -> None:
    begin(tmp_path, stop_at=5, **JOB)
    end = begin(tmp_path, **{**JOB, "seed": 8})[-1]
    assert isinstance(end, ev.Failed)
    assert (end.exit_code, "--seed 8 does not fit" in end.message) == (2, True)

    told = begin(tmp_path, stop_at=6, **{**JOB, "margin": 1.5})
    assert [event.new for event in told if isinstance(event, ev.MarginChanged)] == [1.5]
    told = begin(tmp_path, stop_at=7, **JOB)
    assert next(event for event in told if isinstance(event, ev.RunStarted)).margin == 1.5
    assert not any(isinstance(event, ev.MarginChanged | ev.CommandRefused) for event in told)


def test_a_resume_with_the_margin_that_stands_turns_nothing(tmp_path: Path) -> None:
    begin(tmp_path, stop_at=2, eval_every=3, name="a", margin=1.25, lr=1e-3)
    told = begin(tmp_path, stop_at=3, resume="a", margin=1.25, lr=1e-3)
    assert not any(isinstance(event, ev.MarginChanged | ev.LrChanged | ev.CommandRefused) for event in told)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--resume-or-start", "a", "--resume", "b"], "--resume and --resume-or-start each say which run it is"),
        (["--resume-or-start", "a", "--name", "b"], "--resume-or-start and --name each say which run it is"),
        (["--resume-or-start", "a", "--replay", "b"], "--replay and --resume-or-start each say which run it is"),
        (["--resume-or-start", "../a"], "--resume-or-start must be 1 to 64 letters"),
    ],
)
def test_one_way_to_say_which_run_it_is(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["train", *argv]) == 2
    assert words in capsys.readouterr().err


def test_only_what_will_be_written_is_checked(tmp_path: Path) -> None:
    """By somebody whose own folder is elsewhere: what goes on is not written to the folder for new runs."""
    begin(tmp_path / "runs", steps=2, eval_every=3, name="big")
    (tmp_path / "closed").mkdir(mode=0o755)
    for path in (tmp_path / "runs", *(tmp_path / "runs").rglob("*")):
        path.chmod(0o755)
    code = """
from pathlib import Path
from reid_tui.config import RunOptions, ScreenOptions
from reid_tui.errors import RunError
from reid_tui.opening.place import check_place
become()
run = next(Path("runs").iterdir())
for options in (
    dict(resume=str(run)),
    dict(runs_dir="runs", resume_or_start="big"),
    dict(runs_dir="closed"),
    dict(runs_dir="closed", resume_or_start="big"),
):
    try:
        check_place(RunOptions(**{"runs_dir": "closed", **options}))
    except RunError as error:
        print(error)
    else:
        print("fine")
"""
    told = as_another_user(code, tmp_path).splitlines()
    assert told[:2] == ["fine", "fine"]
    assert all("cannot write to the runs folder 'closed': Permission denied" in line for line in told[2:])
    assert len(told) == 4


def test_going_on_asks_nothing_of_the_folder_for_new_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(tmp_path, steps=2, eval_every=3, name="big")
    elsewhere = tmp_path / "file"
    elsewhere.write_text("")
    assert cli.run(["train", "--resume", str(only(tmp_path)), "--runs-dir", str(elsewhere)]) == 2
    assert "is finished at step 2" in capsys.readouterr().err
    monkeypatch.setattr("reid_tui.tui.app._Showing.until_left", lambda _: 0)
    monkeypatch.setattr("reid_tui.tui.app.Hangup.watch", lambda _: None)
    options = RunOptions(resume=str(only(tmp_path)), runs_dir=str(elsewhere))
    assert run_dashboard(options, ScreenOptions()) == 0
    with pytest.raises(RunError, match="cannot write to the runs folder"):
        run_dashboard(dataclasses.replace(options, resume=None), ScreenOptions())

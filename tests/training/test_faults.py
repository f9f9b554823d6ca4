"""Kills and full disks, injected for real: what was valid stays, and a resumed run ends as if nothing had happened."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reid_tui.runs.directory import RunDirectory, tidy
from reid_tui.runs.log import read_events
from reid_tui.training import events as ev
from reid_tui.training.checkpoint import load_checkpoint, load_latest, manifests
from tests.training.forker import Forker
from tests.training.small import EPOCHS, PER_EPOCH, save_small

KILLED = -signal.SIGKILL
STEPS = EPOCHS * PER_EPOCH
KILLS = 20


@pytest.fixture(scope="module")
def forker() -> Iterator[Forker]:
    process = Forker()
    yield process
    process.close()


def found(folder: Path) -> dict[int, int]:
    """Step and value of every checkpoint that loads."""
    loaded = [load_checkpoint(path) for path in manifests(folder)]
    return {item.manifest.state.step: int(item.tensors["a"][0]) for item in loaded}


BEFORE = {8: 8, 16: 16, 24: 24}
"""The value of each step's checkpoint before a save that something happens to."""
SAVES = [
    pytest.param(32, 32, 16, id="a new step, and the oldest is removed"),
    pytest.param(24, 24, 8, id="the newest again, as it was"),
    pytest.param(24, 99, 14, id="the newest again, with other tensors"),
    pytest.param(16, 99, 14, id="steps taken again after a resume"),
]


def after_saving(step: int, value: int) -> dict[int, int]:
    """As `BEFORE`, when the save is through."""
    return {kept: at for kept, at in {**BEFORE, step: value}.items() if kept > 8 or step != 32}


@pytest.fixture
def template(tmp_path: Path) -> RunDirectory:
    """A run with the checkpoints of `BEFORE`."""
    run = RunDirectory(tmp_path / "template")
    tidy(run)
    for kept, at in BEFORE.items():
        save_small(run.checkpoints, kept, at)
    return run


def check_what_a_save_left(run: RunDirectory, step: int, value: int) -> dict[int, int]:
    """Whatever became of the save: every checkpoint is as before or as after it, and nothing else is left for long."""
    left = found(run.checkpoints)
    assert left[max(left)] in (24, value), "the newest, before or after"
    others = {kept: at for kept, at in left.items() if kept not in (8, step)}
    assert others == {kept: at for kept, at in BEFORE.items() if kept not in (8, step)}
    assert left.get(step) in (BEFORE.get(step), value)
    assert left.get(8) == 8 or left == after_saving(step, value)
    taken = load_latest(run.checkpoints)
    tidy(run)
    assert found(run.checkpoints) == left
    assert load_latest(run.checkpoints)[0].manifest == taken[0].manifest
    assert not taken[1], "nothing is left that would have to be passed over"
    names = {path.name for path in run.checkpoints.iterdir()}
    stems = {f"step-{kept:08d}" for kept in left}
    assert names == {f"{stem}{suffix}" for stem in stems for suffix in (".json", ".safetensors")}
    return left


@pytest.mark.slow
@pytest.mark.parametrize(("step", "value", "calls"), SAVES)
def test_killed_at_every_system_call_of_a_save(
    step: int, value: int, calls: int, template: RunDirectory, forker: Forker, tmp_path: Path
) -> None:
    after = after_saving(step, value)
    seen: set[bool] = set()
    nth = status = 0
    for nth in range(100):
        for half in (False, True):
            run = RunDirectory(tmp_path / f"{nth}-{half}")
            shutil.copytree(template.path, run.path)
            status = forker.run("save", folder=run.checkpoints, step=step, value=value, nth=nth, half=half)
            assert status in (KILLED, 0)
            seen.add(check_what_a_save_left(run, step, value) == after)
        if status == 0:
            break
    assert nth >= calls
    assert status == 0
    assert seen == ({True, False} if after != BEFORE else {True})
    assert found(run.checkpoints) == after


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["once", "half", "lasting"])
@pytest.mark.parametrize(("step", "value", "calls"), SAVES)
def test_an_io_error_at_every_system_call_of_a_save(
    step: int, value: int, calls: int, trouble: str, template: RunDirectory, forker: Forker, tmp_path: Path
) -> None:
    """What was there is still there, and the next save on a disk that is well again is whole."""
    fault = {"half": trouble == "half", "lasting": trouble == "lasting", "step": step, "value": value}
    seen: list[int] = []
    for nth in range(100):
        run, retried = (RunDirectory(tmp_path / f"{nth}{name}") for name in ("", "-again"))
        for copy in (run, retried):
            shutil.copytree(template.path, copy.path)
            status = forker.run("save_with_an_error", folder=copy.checkpoints, nth=nth, again=copy is retried, **fault)
        seen.append(status)
        assert trouble == "lasting" or not list(run.path.rglob(".tmp-*"))
        left = check_what_a_save_left(run, step, value)
        assert status == 1 or left[step] == value, "a save that failed says so"
        assert check_what_a_save_left(retried, step, value) == after_saving(step, value)
        if status == 0:
            break
    assert len(seen) > calls
    assert set(seen) == {0, 1, 2}
    assert left == after_saving(step, value)


@pytest.mark.slow
def test_a_save_over_one_that_a_kill_cut_short_is_whole(forker: Forker, tmp_path: Path) -> None:
    """A manifest that carries the one before is itself replaced."""
    save_small(tmp_path, 8, 1)
    for nth in range(100):
        if forker.run("save", folder=tmp_path, step=8, value=2 + nth % 2, nth=nth, half=False) == 0:
            break
        assert found(tmp_path)[8] in (1, 2, 3)
    save_small(tmp_path, 8, 7, "asked")
    checkpoint = load_latest(tmp_path)[0]
    assert checkpoint.tensors["a"].tolist() == [7, 7, 7]
    assert checkpoint.manifest.keep
    assert (tmp_path / "step-00000008.json").stat().st_size < 4000


def losses(run: Path) -> dict[int, float]:
    """By step; where a step was taken again, it must have had the same."""
    told: dict[int, float] = {}
    for event in read_events(run / "events.jsonl"):
        if isinstance(event, ev.Progress):
            assert told.setdefault(event.step, event.loss) == event.loss
    return told


def only(runs: Path) -> Path:
    (run,) = runs.iterdir()
    return run


@pytest.mark.slow
def test_killed_at_twenty_random_moments_and_resumed(forker: Forker, tmp_path: Path) -> None:
    """Each life is killed within about an epoch, at a random event and a random moment after it."""
    assert forker.run("train", runs=tmp_path / "whole", resume=False) == 0
    whole = only(tmp_path / "whole")
    dice = random.Random(20)
    runs = tmp_path / "killed"
    kills = 0
    while kills < KILLS:
        resume = bool(list(runs.glob("*/checkpoints/step-*.json")))
        if not resume and runs.exists():
            shutil.rmtree(runs)  # killed before the first checkpoint: there is nothing to resume
        moment = {"kill_at": dice.randint(1, 45), "delay_s": dice.random() * 0.02}
        status = forker.run("train", runs=runs, resume=resume, **moment)
        assert status == KILLED, "a life was too long"
        kills += 1
    assert forker.run("train", runs=runs, resume=True) == 0
    run = only(runs)
    assert losses(run) == losses(whole)
    assert list(losses(whole)) == list(range(1, STEPS + 1))
    one, two = (load_latest(folder / "checkpoints") for folder in (whole, run))
    assert one[0].manifest.state.step == two[0].manifest.state.step == STEPS
    assert one[0].manifest.sha256 == two[0].manifest.sha256
    assert not two[1]
    told = list(read_events(run / "events.jsonl"))
    assert [event.seq for event in told] == sorted({event.seq for event in told})
    rewound = [index for index, event in enumerate(told) if isinstance(event, ev.Rewound)]
    assert rewound
    for index in rewound:
        event, start = told[index], told[index + 1]
        assert isinstance(event, ev.Rewound)
        assert event.step < event.from_step == told[index - 1].step
        assert not isinstance(start, ev.RunStarted) or start.step == event.step
    assert isinstance(told[-1], ev.Finished)
    names = {path.name for path in (run / "checkpoints").iterdir()}
    assert len({name.split(".")[0] for name in names}) == len(names) / 2


@pytest.mark.slow
def test_a_killed_run_says_what_is_taken_again(forker: Forker, tmp_path: Path) -> None:
    assert forker.run("train", runs=tmp_path, resume=False, kill_at=60) == KILLED
    run = only(tmp_path)
    before = list(read_events(run / "events.jsonl"))
    saved = load_latest(run / "checkpoints")[0].manifest.state.step
    (run / "checkpoints" / ".tmp-step-00000999.safetensors").write_bytes(b"half")
    (run / ".tmp-events.jsonl").write_bytes(b"half")
    with (run / "events.jsonl").open("ab") as log:
        log.write(b'{"event":"progr')
    assert forker.run("train", runs=tmp_path, resume=True, kill_at=20) == KILLED
    after = list(read_events(run / "events.jsonl"))
    assert after[: len(before)] == before, "no line is deleted"
    rewound, start = after[len(before) : len(before) + 2]
    assert isinstance(rewound, ev.Rewound)
    assert isinstance(start, ev.RunStarted)
    assert (rewound.step, rewound.from_step, start.step) == (saved, before[-1].step, saved)
    assert saved < before[-1].step
    assert (run / "events.torn").read_bytes() == b'{"event":"progr\n'
    assert not list(run.rglob(".tmp-*999*"))
    assert not (run / ".tmp-events.jsonl").exists()


def warned(run: Path, code: str) -> list[ev.Warned]:
    return [event for event in read_events(run / "events.jsonl") if isinstance(event, ev.Warned) and event.code == code]


def check_after_a_full_disk(run: Path, whole: Path, reason: str) -> None:
    """Training went on, the log says what was lost, and all that was saved later is whole."""
    events = list(read_events(run / "events.jsonl"))
    assert isinstance(events[-1], ev.Finished)
    assert load_latest(run / "checkpoints")[0].manifest.sha256 == load_latest(whole / "checkpoints")[0].manifest.sha256
    assert load_latest(run / "checkpoints")[0].manifest.state.step == 3 * PER_EPOCH
    (gap,) = warned(run, "log_gap")
    assert "events since step" in gap.message
    for path in manifests(run / "checkpoints"):
        load_checkpoint(path)
    assert not list(run.rglob(".tmp-*"))
    kept, all_of_them = losses(run), losses(whole)
    assert kept.items() < all_of_them.items()
    lines = (run / "events.jsonl").read_bytes().splitlines()
    assert sum(not _is_json(line) for line in lines) <= 1, "at most one line is torn"
    assert reason not in str(events[-1])


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line or b"{}"), dict)
    except ValueError:
        return False


@pytest.mark.slow
def test_no_room_for_checkpoint_log_and_snapshot(forker: Forker, tmp_path: Path) -> None:
    """From step 5 to 12 no file may grow past 300 bytes: the save of step 8, its map and the log all fail."""
    assert forker.run("train_on_a_disk_that_fills", runs=tmp_path / "a", full_from=0, full_to=0, limit=0) == 0
    assert forker.run("train_on_a_disk_that_fills", runs=tmp_path / "b", full_from=5, full_to=12, limit=300) == 0
    run = only(tmp_path / "b")
    check_after_a_full_disk(run, only(tmp_path / "a"), "File too large")
    saved = [event for event in read_events(run / "events.jsonl") if isinstance(event, ev.CheckpointSaved)]
    assert [(event.step, event.reason) for event in saved][:2] == [(12, "epoch"), (16, "epoch")]
    assert {event.step for event in read_events(run / "events.jsonl") if isinstance(event, ev.Progress)} == {
        *range(1, 6),
        *range(13, 25),
    }


@pytest.mark.slow
@pytest.mark.parametrize("code", [errno.EIO, errno.EDQUOT])
def test_a_disk_that_answers_with_errors(code: int, forker: Forker, tmp_path: Path) -> None:
    """From step 5 to 12 every write and fsync of checkpoint, log and snapshot is refused by the disk, or by a quota."""
    whole = {"code": code, "broken_from": 99, "broken_to": 99}
    assert forker.run("train_on_a_broken_disk", runs=tmp_path / "a", **whole) == 0
    assert (
        forker.run("train_on_a_broken_disk", runs=tmp_path / "b", **{**whole, "broken_from": 5, "broken_to": 12}) == 0
    )
    run = only(tmp_path / "b")
    check_after_a_full_disk(run, only(tmp_path / "a"), os.strerror(code))
    assert all(json.loads(line) for line in (run / "events.jsonl").read_text().splitlines())


@pytest.mark.slow
def test_room_for_all_but_the_checkpoint(forker: Forker, tmp_path: Path) -> None:
    """What does not fit is said in the log itself, and tried again until it does."""
    limit = 500_000
    assert forker.run("train_on_a_disk_that_fills", runs=tmp_path, full_from=5, full_to=12, limit=limit) == 0
    run = only(tmp_path)
    failed = warned(run, "save_failed")
    assert [event.step for event in failed] == [8, 9, 10, 11]
    assert "File too large" in failed[0].message
    assert not warned(run, "log_gap")
    assert list(losses(run)) == list(range(1, 25))
    assert load_latest(run / "checkpoints")[0].manifest.state.step == 24


def test_a_last_save_without_room_is_a_failure(forker: Forker, tmp_path: Path) -> None:
    limit = 500_000
    assert forker.run("train_on_a_disk_that_fills", runs=tmp_path, full_from=20, full_to=99, limit=limit) == 1
    run = only(tmp_path)
    end = list(read_events(run / "events.jsonl"))[-1]
    assert isinstance(end, ev.Failed)
    assert end.message == (
        "the last checkpoint could not be saved: File too large; "
        "the one before is checkpoints/step-00000016.safetensors"
    )
    assert load_latest(run / "checkpoints")[0].manifest.state.step == 16
    assert not list(run.rglob(".tmp-*"))


@pytest.mark.slow
def test_a_small_file_system_that_fills(forker: Forker, tmp_path: Path) -> None:
    """As above, on a file system that has no room at all from step 5 to 12."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(small)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system here")
    try:
        assert forker.run("train_on_a_disk_that_fills", runs=tmp_path / "a", full_from=0, full_to=0, limit=0) == 0
        more = {"runs": small / "runs", "ballast": small / "ballast", "full_from": 5, "full_to": 12}
        assert forker.run("train_on_a_small_file_system", **more) == 0
        check_after_a_full_disk(only(small / "runs"), only(tmp_path / "a"), "No space left")
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_sparse_file_of_100_gb_is_refused_unread(forker: Forker, tmp_path: Path) -> None:
    save_small(tmp_path, 8, 8)
    assert forker.run("load_in_little_memory", folder=tmp_path, more=64 * 2**20) == 0
    path = tmp_path / "step-00000008.safetensors"
    with path.open("r+b") as file:
        file.truncate(100 * 2**30)
    manifest = path.with_suffix(".json")
    value = {**json.loads(manifest.read_text()), "size": 100 * 2**30}
    del value["digest"]
    manifest.write_text(json.dumps(value))
    assert forker.run("load_in_little_memory", folder=tmp_path, more=64 * 2**20) == 1

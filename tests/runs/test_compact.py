"""A log stays within its budget, loses nothing that a person must not miss, and can be followed meanwhile."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import stat
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from reid_tui.runs import compact as module
from reid_tui.runs.log import BUDGET, EventLog, read_events
from reid_tui.runs.recorder import Recorder
from reid_tui.training import events as ev
from reid_tui.training.event_json import to_json
from reid_tui.view.fold import fold
from reid_tui.view.run_state import RunState
from tests.faults import limited_files
from tests.view.samples import distances, evaluated, progress, started

RARE = ("run_started", "margin_changed", "warned", "paused", "resumed", "rewound", "command_refused", "finished")
DISTANCES = distances()


def epoch(number: int, steps: int, lines: int) -> Iterator[ev.AnyEvent]:
    """What one epoch of so many steps tells, with so many progress lines, two evaluations and a save."""
    first = (number - 1) * steps
    for half in (1, 2):
        for line in range(lines // 2):
            step = first + (half - 1) * steps // 2 + max(1, (line + 1) * steps // lines)
            yield progress(step, loss=1.0 / step, epoch=number)
        step = first + half * steps // 2
        if half == 2:
            yield ev.EpochEnded(step=step, epoch=number, loss=1.0 / step, wall_s=step * 0.01)
        yield ev.PhaseChanged(step=step, phase="evaluating")
        yield ev.EmbeddingsReady(step=step, split="test", path=f"embeddings/step-{step:08d}.npz")
        yield dataclasses.replace(DISTANCES, step=step)
        yield evaluated(step, epoch=number)
        yield ev.PhaseChanged(step=step, phase="training")
    yield ev.PhaseChanged(step=step, phase="saving")
    yield ev.CheckpointSaved(step=step, path=f"checkpoints/step-{step:08d}.safetensors", seconds=0.1, reason="epoch")
    yield ev.PhaseChanged(step=step, phase="training")


def steered(step: int, number: int) -> Iterator[ev.AnyEvent]:
    """What a person and a bad day add."""
    yield ev.Paused(step=step)
    yield ev.MarginChanged(step=step, old=1.0, new=1.0 + number / 1000)
    yield ev.CommandRefused(step=step, command="step", reason="a single step is for a paused run")
    yield ev.Resumed(step=step)
    yield ev.Warned(step=step, code="save_failed", message="the checkpoint could not be saved")
    yield ev.Rewound(step=step, from_step=step + 5)


def names(path: Path) -> Counter[str]:
    return Counter(ev.snake(type(event).__name__) for event in read_events(path))


def write(log: EventLog, epochs: int, heard: list[ev.AnyEvent] | None = None) -> None:
    """A run of so many epochs with 100 steps and progress lines each, steered in every tenth, very often in one."""
    recorder = Recorder(lambda event: None if heard is None else heard.append(event))
    recorder.keep(log)
    recorder(started())
    for number in range(1, epochs + 1):
        for event in epoch(number, 100, 100):
            recorder(event)
        for _ in range(60 if number == 5 else number % 10 == 0):
            for event in steered(number * 100, number):
                recorder(event)
    recorder(ev.Finished(step=epochs * 100, reason="epochs", steps=epochs * 100, wall_s=1.0, loss=0.1))


def test_what_a_person_must_not_miss_stays_and_the_rest_grows_sparser_with_age(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    budget = 650_000
    log = EventLog(path, budget)
    heard: list[ev.AnyEvent] = []
    write(log, 100, heard)
    log.close()
    assert path.stat().st_size <= budget
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(item.name for item in tmp_path.iterdir()) == ["events.jsonl"]
    kept = list(read_events(path))
    by_seq = {event.seq: event for event in heard}
    assert all(by_seq[event.seq] == event for event in kept), "every line is as it was, under its number"
    seqs = [event.seq for event in kept]
    assert seqs == sorted(set(seqs))
    told = Counter(ev.snake(type(event).__name__) for event in heard)
    for name in (*RARE, "evaluated", "epoch_ended", "checkpoint_saved"):
        assert names(path)[name] == told[name], name
    assert names(path)["progress"] < told["progress"] / 2
    steps = np.array([event.step for event in kept if isinstance(event, ev.Progress)])
    quarters = np.histogram(steps, bins=4, range=(0, 10_000))[0]
    assert (np.diff(quarters) > 0).all(), "older is sparser"
    assert steps[-300:].tolist() == list(range(9701, 10_001)), "the newest are all there"
    assert np.diff(steps, prepend=0).max() < 1000, "and nothing is a blank"


def test_where_the_frequent_do_not_suffice_evaluations_and_epochs_are_thinned_too(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    budget = 60_000
    log = EventLog(path, budget)
    recorder = Recorder(lambda _: None)
    recorder.keep(log)
    for step in range(1, 2001):
        recorder(evaluated(step))
        recorder(ev.EpochEnded(step=step, epoch=step, loss=0.1, wall_s=1.0))
        if step % 100 == 0:
            recorder(ev.MarginChanged(step=step, old=1.0, new=1.1))
    log.close()
    assert path.stat().st_size <= budget
    found = names(path)
    assert found["margin_changed"] == 20
    assert 20 < found["evaluated"] < 1000
    steps = [event.step for event in read_events(path)]
    assert (steps[0], steps[-1]) == (1, 2000)


def test_a_log_of_rare_lines_alone_grows_and_is_not_rewritten_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.jsonl"
    calls = Counter[str]()
    real = module._index
    monkeypatch.setattr(module, "_index", lambda descriptor: calls.update(["index"]) or real(descriptor))
    log = EventLog(path, 10_000)
    for step in range(1, 501):
        log.append(ev.MarginChanged(step=step, seq=step, old=1.0, new=1.1))
    log.close()
    assert names(path)["margin_changed"] == 500
    assert path.stat().st_size / 2500 - 5 < calls["index"] <= path.stat().st_size / 2500


def test_steps_that_are_skipped_now_and_then_for_ever_do_not_fill_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    recorder = Recorder(lambda _: None)
    recorder.keep(EventLog(path, budget=100_000))
    others = ev.Warned(step=1, code="save_failed", message='"code":"step_skipped"')
    for step in range(1, 5001):
        recorder(ev.Warned(step=step, code="step_skipped", message=f"step {step} was skipped: it is not finite"))
        recorder(progress(step, loss=1.0))
        if step % 100 == 0:
            recorder(others)
    recorder.close()
    assert path.stat().st_size < 150_000
    kept = Counter(event.code for event in read_events(path) if isinstance(event, ev.Warned))
    assert kept["save_failed"] == 50
    assert 10 < kept["step_skipped"] < 1000


def test_who_follows_the_file_reads_the_old_one_to_its_end_and_sees_a_new_inode(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path, 20_000)
    seen: list[int] = []
    follower = path.open("rb")
    step = inodes = 0
    while inodes < 3:
        step += 1
        log.append(progress(step, seq=step))
        seen.extend(json.loads(line)["seq"] for line in follower)
        if path.stat().st_ino != os.fstat(follower.fileno()).st_ino:
            inodes += 1
            follower.close()
            follower = path.open("rb")
            newer = [seq for line in follower if (seq := json.loads(line)["seq"]) > seen[-1]]
            seen.extend(newer)
    follower.close()
    log.close()
    assert seen == list(range(1, step + 1))


def test_lines_of_others_and_torn_ones_stay(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    odd = [
        b'{"event":"from_the_future","seq":7}',
        b"torn {",
        b"",
        b'{"seq":1,"event":"progress"}',
        b"\xff\xfe",
        b"[" * 99,
    ]
    lines = [json.dumps(to_json(progress(step, seq=step)), separators=(",", ":")).encode() for step in range(1, 400)]
    path.write_bytes(b"\n".join([*lines[:50], *odd, *lines[50:]]) + b"\n")
    log = EventLog(path, 10_000)
    log.append(progress(400, seq=400))
    log.close()
    left = path.read_bytes().split(b"\n")
    assert path.stat().st_size < 10_000
    assert [line for line in left if line in odd] == [*odd, b""]


def test_a_disk_too_full_to_compact_is_told_once_and_costs_no_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    heard: list[ev.AnyEvent] = []
    log = EventLog(path, 50_000)
    recorder = Recorder(heard.append)
    recorder.keep(log)
    blocked = tmp_path / ".tmp-events.jsonl"
    blocked.mkdir()  # no temporary file can be made
    step = 0
    while path.stat().st_size < 80_000:
        step += 1
        recorder(progress(step))
    (warning,) = (event for event in heard if isinstance(event, ev.Warned))
    assert warning.code == "log_too_long"
    assert list(read_events(path)) == heard
    blocked.rmdir()
    inode = path.stat().st_ino
    with limited_files(90_000):
        while path.stat().st_ino == inode:
            step += 1
            recorder(progress(step))
    recorder(progress(step + 1))
    recorder.close()
    assert path.stat().st_size < 40_000
    assert warning in list(read_events(path))
    assert [event for event in heard if isinstance(event, ev.Warned)] == [warning]


def test_a_write_that_fails_halfway_leaves_the_log_and_no_temporary(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path, 10**9)
    for step in range(1, 1000):
        log.append(progress(step, seq=step))
    content = path.read_bytes()
    with limited_files(5000), pytest.raises(OSError, match="File too large"):
        module.compact(path, log._descriptor, len(content) // 2)
    assert path.read_bytes() == content
    assert [item.name for item in tmp_path.iterdir()] == ["events.jsonl"]
    log.append(progress(1000, seq=1000))
    log.close()
    assert len(list(read_events(path))) == 1000


@pytest.mark.slow
def test_a_log_of_the_real_budget_is_compacted_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    text = json.dumps(to_json(progress(123_456_789, seq=123_456_789)), separators=(",", ":")) + "\n"
    head, _, tail = text.partition('"seq":123456789')
    with path.open("w") as file:
        file.write(json.dumps(to_json(started()), separators=(",", ":")) + "\n")
        for seq in range(BUDGET // len(text)):
            file.write(f'{head}"seq":{seq + 100_000_000}{tail}')
    log = EventLog(path)
    tracemalloc.start()
    while path.stat().st_size > BUDGET * 9 // 10:
        log.append(progress(1, seq=200_000_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    log.close()
    assert path.stat().st_size <= BUDGET * 5 // 8 + 2 * len(text)
    assert peak < 64 * 2**20
    assert isinstance(next(read_events(path)), ev.RunStarted)


@pytest.mark.slow
def test_ten_million_steps_stay_within_64_mb_of_memory_and_256_mb_of_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The longest history that the options allow: 100,000 epochs (their limit) of 100 steps, scored twice in each.

    It tells 1.4 million rare lines and up to 40,000 of progress, some 0.6 GB, which takes minutes. Epochs and the
    log's budget are divided by 40, so that the log is compacted as often as the whole one. What the screen keeps is
    bounded by counts (1,000 log lines, 2,000 epochs and evaluations, 20,000 points), each of which this stream
    overruns too. On the disk a compaction holds the log twice for a moment; 200 snapshots of 2,000 points
    (tests/training/test_keeper.py) take 7 MB more.
    """
    share = 40
    monkeypatch.setattr(os, "fsync", lambda _: None)  # the disk's speed is not the question
    path = tmp_path / "events.jsonl"
    log = EventLog(path, BUDGET // share)
    batch: list[ev.AnyEvent] = []
    recorder = Recorder(batch.append)
    recorder.keep(log)
    largest = compactions = inode = 0
    state = RunState()
    recorder(started(total_steps=10_000_000, steps_per_epoch=100 * share, epochs=100_000 // share))
    for number in range(1, 100_000 // share + 1):
        for event in epoch(number, 100 * share, 16):
            recorder(event)
        state = fold(state, batch)
        batch.clear()
        found = path.stat()
        compactions += found.st_ino != inode
        largest, inode = max(largest, found.st_size), found.st_ino
    log.close()
    assert state.step == 10_000_000
    assert compactions > 5
    assert largest * share <= 1.05 * BUDGET
    assert 2 * largest * share + 7 * 2**20 < 256_000_000
    tracemalloc.start()
    copy.deepcopy(state)
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert state.history.length > 10_000
    assert 100_000 < held < 64_000_000

from __future__ import annotations

import errno
import json
import os
import stat
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reid_tui.runs.log import EventLog, read_events
from reid_tui.runs.recorder import QUIET_S, Recorder
from reid_tui.training import events as ev
from reid_tui.training.event_json import from_json, to_json
from tests.faults import limited_files, wait_for


def progress(step: int, loss: float = 0.5) -> ev.Progress:
    return ev.Progress(
        step=step, epoch=1, loss=loss, margin=1.0, lr=1e-3, pairs_seen=64 * step, pairs_per_s=9.5, wall_s=1.0, skipped=0
    )


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    events: list[ev.AnyEvent] = [
        progress(1),
        ev.MarginChanged(step=1, old=1.0, new=1.05),
        ev.DistancesReady(step=1, split="test", edges=(0.0, 1.0), same=(3,), different=(4,)),
        ev.Warned(step=1, code="x", message='\x1b[31m "quoted"\n'),
        ev.Stopped(step=1, reason="asked", saved=True),
    ]
    for event in events:
        log.append(event)
    log.close()
    assert list(read_events(path)) == events
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_bytes().splitlines()) == len(events)


def test_arrays_stay_out_and_not_a_number_becomes_null(tmp_path: Path) -> None:
    points = np.zeros((2, 2), dtype=np.float32)
    value = to_json(ev.EmbeddingsReady(step=1, split="test", path="a.npz", points=points, identities=np.array([0, 1])))
    assert set(value) == {"event", "seq", "time", "step", "split", "path"}
    line = json.dumps(to_json(progress(1, float("nan"))), allow_nan=False)
    (tmp_path / "log").write_text(line + "\n")
    (event,) = read_events(tmp_path / "log")
    assert isinstance(event, ev.Progress)
    assert np.isnan(event.loss)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_losses_come_back_to_the_bit(loss: float) -> None:
    assert from_json(json.loads(json.dumps(to_json(progress(1, loss))))) == progress(1, loss)


def test_a_torn_last_line_is_cut_off_and_kept_beside(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    log.append(progress(1))
    log.close()
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"event":"prog')
    log = EventLog(path)
    log.append(progress(2))
    log.close()
    assert [event.step for event in read_events(path)] == [1, 2]
    assert (tmp_path / "events.torn").read_bytes() == b'{"event":"prog\n'
    assert stat.S_IMODE((tmp_path / "events.torn").stat().st_mode) == 0o600


@pytest.mark.parametrize("lines", [0, 1])
def test_of_a_long_torn_line_only_the_end_of_the_log_is_read(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "events.jsonl"
    good = json.dumps(to_json(progress(1))) + "\n"
    with path.open("wb") as file:
        file.write(good.encode() * lines)
        file.truncate(len(good) * lines + 50_000_000)  # what a crash leaves: a hole full of zeros
    tracemalloc.start()
    EventLog(path).close()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20
    assert path.read_text() == good * lines
    assert (tmp_path / "events.torn").stat().st_size == 50_000_001


def test_what_was_written_is_made_durable_by_a_thread_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        real(descriptor)
        synced.append(threading.get_ident())

    monkeypatch.setattr(os, "fsync", fsync)
    threads = set(threading.enumerate())
    log = EventLog(tmp_path / "events.jsonl", sync_every_s=0.001)
    log.append(progress(1))
    wait_for(lambda: bool(synced))
    log.append(progress(2))
    wait_for(lambda: len(synced) > 1)
    assert threading.get_ident() not in synced
    log.close()
    assert set(threading.enumerate()) == threads
    assert 2 <= len(synced) <= 3, "nothing new, nothing to do"


def test_steps_wait_for_no_fsync_but_checkpoints_and_ends_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda _: synced.append(threading.current_thread().name))
    log = EventLog(tmp_path / "events.jsonl", sync_every_s=3600)
    log.append(progress(1))
    log.append(ev.MarginChanged(step=1, old=1.0, new=1.05))
    assert not synced
    log.append(ev.CheckpointSaved(step=1, path="a", seconds=0.1, reason="asked"))
    assert len(synced) == 1
    log.append(progress(2))
    log.append(ev.Stopped(step=2, reason="asked", saved=True))
    assert len(synced) == 2
    log.close()


def test_a_disk_that_does_not_sync_is_a_warning_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[ev.AnyEvent] = []
    recorder = Recorder(heard.append)
    recorder.keep(EventLog(tmp_path / "events.jsonl", sync_every_s=3600))
    saved = ev.CheckpointSaved(step=1, path="a", seconds=0.1, reason="asked")

    def broken(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        recorder(saved)
        recorder(saved)
    recorder(saved)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        recorder(saved)
    recorder.close()
    warnings = [event for event in heard if isinstance(event, ev.Warned)]
    assert [event.code for event in warnings] == ["log_not_synced"] * 2
    assert "Input/output error" in warnings[0].message
    kept = list(read_events(tmp_path / "events.jsonl"))
    assert kept == heard, "no line is lost, and the warning is in the log"


def test_unknown_and_garbage_lines_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    good = json.dumps(to_json(progress(3)))
    odd = ['{"event":"from_the_future"}', "not json", "[]", "", '{"event":"progress"}', "[" * 100_000]
    odd += ['{"event":"run_started","config":[]}', '{"event":"run_started","dataset":3}']
    path.write_text("\n".join([*odd, good]) + "\n")
    assert [event.step for event in read_events(path)] == [3]


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_log_that_cannot_be_written_is_told_once_and_costs_lines_only(tmp_path: Path) -> None:
    heard: list[ev.AnyEvent] = []
    clock = Clock()
    recorder = Recorder(heard.append, clock)
    log = EventLog(tmp_path / "events.jsonl")
    recorder.keep(log)
    recorder(progress(1))
    real = log._descriptor
    with Path("/dev/full").open("wb", buffering=0) as full:
        log._descriptor = full.fileno()
        recorder(progress(2))
        clock.now += QUIET_S
        recorder(progress(3))
        log._descriptor = real
    recorder(progress(4))
    recorder(progress(5))
    recorder.close()
    assert [event.step for event in heard if isinstance(event, ev.Progress)] == [1, 2, 3, 4, 5]
    lost, gap = (event for event in heard if isinstance(event, ev.Warned))
    assert (lost.code, gap.code) == ("log_failed", "log_gap")
    assert "No space left on device" in lost.message
    assert "2 events since step 2 are lost" in gap.message
    kept = list(read_events(tmp_path / "events.jsonl"))
    assert [event.step for event in kept] == [1, 4, 4, 5]
    assert gap in kept
    assert len({event.seq for event in heard}) == len(heard)


def test_a_disk_that_stays_nearly_full_does_not_fill_the_screen(tmp_path: Path) -> None:
    """Lines that come and go are one word about the loss, and one about the gap before the end."""
    heard: list[ev.AnyEvent] = []
    recorder = Recorder(heard.append, Clock())
    log = EventLog(tmp_path / "events.jsonl")
    recorder.keep(log)
    real = log._descriptor
    with Path("/dev/full").open("wb", buffering=0) as full:
        for step in range(1, 21):
            log._descriptor = full.fileno() if step % 2 else real
            recorder(progress(step))
    recorder(ev.Stopped(step=20, reason="asked", saved=True))
    recorder.close()
    warnings = [event for event in heard if isinstance(event, ev.Warned)]
    assert [event.code for event in warnings] == ["log_failed", "log_gap"]
    assert "10 events since step 1 are lost" in warnings[1].message
    assert isinstance(heard[-1], ev.Stopped)
    assert isinstance(list(read_events(tmp_path / "events.jsonl"))[-1], ev.Stopped)


def test_a_log_on_a_full_device_is_opened_and_told_of(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.symlink_to("/dev/full")
    heard: list[ev.AnyEvent] = []
    recorder = Recorder(heard.append)
    recorder.keep(EventLog(path))
    recorder(progress(1))
    recorder(ev.CheckpointSaved(step=1, path="a", seconds=0.1, reason="asked"))
    recorder.close()
    assert [event.code for event in heard if isinstance(event, ev.Warned)] == ["log_failed"]
    assert len(heard) == 3
    assert path.is_symlink()


def test_a_line_that_the_disk_took_in_part_spoils_no_other(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.append(progress(1))
    room = (tmp_path / "events.jsonl").stat().st_size
    with limited_files(room + 50):
        with pytest.raises(OSError, match="a part of the line"):
            log.append(progress(2))
        with pytest.raises(OSError, match="File too large"):
            log.append(progress(3))
    log.append(progress(4))
    log.close()
    assert [event.step for event in read_events(tmp_path / "events.jsonl")] == [1, 4]
    assert (tmp_path / "events.jsonl").read_bytes()[room:].startswith(b'{"event":"progress"')

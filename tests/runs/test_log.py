from __future__ import annotations

import json
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reid_tui.runs.log import EventLog, read_events
from reid_tui.runs.recorder import Recorder
from reid_tui.training import events as ev


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
    value = ev.to_json(
        ev.EmbeddingsReady(step=1, split="test", path="a.npz", points=points, identities=np.array([0, 1]))
    )
    assert set(value) == {"event", "seq", "time", "step", "split", "path"}
    line = json.dumps(ev.to_json(progress(1, float("nan"))), allow_nan=False)
    (tmp_path / "log").write_text(line + "\n")
    (event,) = read_events(tmp_path / "log")
    assert isinstance(event, ev.Progress)
    assert np.isnan(event.loss)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_losses_come_back_to_the_bit(loss: float) -> None:
    assert ev.from_json(json.loads(json.dumps(ev.to_json(progress(1, loss))))) == progress(1, loss)


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


def test_unknown_and_garbage_lines_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    good = json.dumps(ev.to_json(progress(3)))
    path.write_text('{"event":"from_the_future"}\nnot json\n[]\n\n{"event":"progress"}\n' + good + "\n")
    assert [event.step for event in read_events(path)] == [3]


def test_a_log_that_cannot_be_written_is_told_once_and_costs_lines_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[ev.AnyEvent] = []
    recorder = Recorder(heard.append)
    log = EventLog(tmp_path / "events.jsonl")
    recorder.keep(log)
    recorder(progress(1))
    real = log._descriptor
    with Path("/dev/full").open("wb", buffering=0) as full:
        log._descriptor = full.fileno()
        recorder(progress(2))
        recorder(progress(3))
        log._descriptor = real
    recorder(progress(4))
    recorder.close()
    assert [event.step for event in heard if isinstance(event, ev.Progress)] == [1, 2, 3, 4]
    (warning,) = [event for event in heard if isinstance(event, ev.Warned)]
    assert "No space left on device" in warning.message
    assert [event.step for event in read_events(tmp_path / "events.jsonl")] == [1, 4]
    assert len({event.seq for event in heard}) == len(heard)

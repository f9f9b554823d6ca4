"""Files that grow, are cut short and are replaced while they are read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from reid_tui.runs.follow import LONGEST_LINE, EventFollower, LineFollower, parsed_event
from reid_tui.runs.log import EventLog
from reid_tui.training.events import AnyEvent, Paused, Progress, Warned, to_json


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def progress(step: int) -> Progress:
    return Progress(
        step=step, seq=step, epoch=1, loss=0.1, margin=1, lr=1e-3, pairs_seen=step, pairs_per_s=1, wall_s=1, skipped=0
    )


def everything(follower: EventFollower) -> list[AnyEvent]:
    found: list[AnyEvent] = []
    while (events := follower.read()) is not None:
        found += events
    return found


def test_only_whole_lines_and_each_once(tmp_path: Path) -> None:
    path = tmp_path / "log"
    follower = LineFollower(path)
    assert follower.read() is None
    append(path, b"one\ntwo\nthr")
    assert follower.read() == [b"one", b"two"]
    assert follower.read() is None
    append(path, b"ee")
    assert follower.read() == []
    append(path, b"\n\nfour\n")
    assert follower.read() == [b"three", b"", b"four"]
    assert follower.read() is None


def test_from_the_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    append(path, b"old\n")
    follower = LineFollower(path, from_end=True)
    append(path, b"new\n")
    assert follower.read() == [b"new"]


def test_a_line_without_an_end_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "log"
    follower = LineFollower(path)
    kept = 0
    for _ in range(3 * LONGEST_LINE // 2**20):
        append(path, b"x" * 2**20)
        assert follower.read() == []
        kept = max(kept, len(follower._rest))
    assert kept <= LONGEST_LINE + 2**20
    append(path, b"\nnext\n")
    assert follower.read() == [b"next"]


@pytest.mark.parametrize("how", ["replaced", "truncated"])
def test_another_file_by_the_same_name_is_read_from_its_beginning(how: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    append(path, b"one\ntwo\n")
    follower = LineFollower(path)
    assert follower.read() == [b"one", b"two"]
    if how == "replaced":
        append(path, b"last of the old\n")
        append(tmp_path / "new", b"three\n")
        (tmp_path / "new").replace(path)
        assert follower.read() == [b"last of the old"]
    else:
        os.truncate(path, 0)
        append(path, b"three\n")
    assert follower.read() == []
    assert follower.read() == [b"three"]


def test_a_log_that_was_rewritten_repeats_nothing(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    for step in range(1, 6):
        log.append(progress(step))
    follower = EventFollower(path)
    assert [event.step for event in everything(follower)] == [1, 2, 3, 4, 5]
    other = EventLog(tmp_path / "other")
    for step in (1, 3, 5, 6):
        other.append(progress(step))
    (tmp_path / "other").replace(path)
    assert [event.step for event in everything(follower)] == [6]
    other.append(Paused(step=6, seq=7))
    assert everything(follower) == [Paused(step=6, seq=7)]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"event":"paused"}',
        b'{"event":"paused","step":"7"}',
        b'{"event":"paused","step":true}',
        b'{"event":"paused","step":1.5}',
        b'{"event":"no_such","step":1}',
        b'{"event":"distances_ready","step":1,"split":"test","edges":[[1]],"same":[],"different":[]}',
        b'{"event":"distances_ready","step":1,"split":"test","edges":{"a":1},"same":[],"different":[]}',
        b'{"event":"phase_changed","step":1,"phase":"dancing"}',
        b'{"event":"warned","step":1,"code":"x","message":["a"]}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_event_is_left_out(line: bytes) -> None:
    assert parsed_event(line) is None


def test_a_whole_event_is_read_back() -> None:
    event = Warned(step=3, seq=2, time=1.5, origin="attach 7", code="x", message="y")
    assert parsed_event(json.dumps(to_json(event)).encode()) == event

"""Files that grow, are cut short and are replaced while they are read."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import tracemalloc
from pathlib import Path

import pytest

from reid_tui.runs.follow import EventFollower, LineFollower
from reid_tui.runs.log import LONGEST_LINE, EventLog, parsed_event
from reid_tui.runs.snapshots import NewestPictures
from reid_tui.training.event_json import to_json
from reid_tui.training.events import AnyEvent, DistancesReady, EmbeddingsReady, Paused, Progress, Warned
from tests.view.samples import started


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
    assert follower.read() is None
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
    append(path, b"x" * (3 * LONGEST_LINE))
    tracemalloc.start()
    while follower.read() is not None:
        pass
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2 * LONGEST_LINE
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


def test_a_log_that_was_rewritten_repeats_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    parsed: list[bytes] = []
    monkeypatch.setattr("reid_tui.runs.follow.parsed_event", lambda line: parsed.append(line) or parsed_event(line))
    assert [event.step for event in everything(follower)] == [6]
    assert len(parsed) == 1, "a long log would keep its reader from the screen"
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
        b'{"event":"paused","step":1' + b"0" * 30 + b"}",
        b'{"event":"margin_changed","step":1,"old":1.0,"new":1' + b"0" * 400 + b"}",
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


def test_a_torn_line_that_is_cut_off_costs_nothing_that_comes_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    log.append(progress(1))
    log.close()
    append(path, b'{"event":"progress","seq":2,"st')
    follower = EventFollower(path)
    assert [event.step for event in everything(follower)] == [1]
    again = EventLog(path)  # cuts it off, and grows past where the torn line ended before anybody looks
    for step in range(2, 9):
        again.append(progress(step))
    assert [event.step for event in everything(follower)] == list(range(2, 9))


def test_of_a_long_past_only_so_many_progress_lines_are_read_and_of_news_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reid_tui.runs.follow.MOST_PROGRESS", 100)
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    for step in range(1, 1501):
        log.append(progress(step))
    log.append(Paused(step=1500, seq=1501))
    for step in range(1501, 3001):
        log.append(dataclasses.replace(progress(step), seq=step + 1))
    follower = EventFollower(path)
    events = everything(follower)
    steps = [event.step for event in events if isinstance(event, Progress)]
    assert 90 <= len(steps) <= 160
    assert {1500, 3000} <= set(steps), "what follows a row of progress belongs to its last step"
    assert [event.seq for event in events if isinstance(event, Paused)] == [1501]
    assert max(b - a for a, b in itertools.pairwise(steps)) < 60
    for step in range(3001, 3051):
        log.append(dataclasses.replace(progress(step), seq=step + 1))
    assert len(everything(follower)) == 50


def test_a_long_past_may_be_compacted_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reid_tui.runs.follow.MOST_PROGRESS", 100)
    path = tmp_path / "events.jsonl"
    log = EventLog(path, budget=250_000)
    step = 0
    while path.stat().st_size < 240_000:
        log.append(progress(step := step + 1))
    follower = EventFollower(path)
    inode = path.stat().st_ino
    while path.stat().st_ino == inode:
        log.append(progress(step := step + 1))
    log.append(Paused(step=step, seq=step + 1))
    log.close()
    events = everything(follower)
    assert events[-1] == Paused(step=step, seq=step + 1)
    assert [event.seq for event in events] == sorted({event.seq for event in events})


def test_of_pictures_the_newest_counts_and_none_that_was_taken_back(tmp_path: Path) -> None:
    def histogram(step: int) -> DistancesReady:
        return DistancesReady(step=step, split="test", edges=(0.0, 1.0), same=(step,), different=(0,))

    pictures = NewestPictures()
    assert pictures.newest(tmp_path) == []
    assert pictures.take(histogram(4))
    assert pictures.take(EmbeddingsReady(step=4, split="test", path="embeddings/gone.npz"))
    assert pictures.take(histogram(9))
    assert not pictures.take(progress(10))
    assert [picture.step for picture in pictures.newest(tmp_path)] == [4, 9]
    assert not pictures.take(started(step=5))
    assert [picture.step for picture in pictures.newest(tmp_path)] == [4, 4]

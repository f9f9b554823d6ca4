from __future__ import annotations

import threading

import numpy as np
import pytest

from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.training.channels import PROGRESS_KEPT, CommandBox, EventBox


def progress(seq: int) -> ev.Progress:
    return ev.Progress(
        step=seq, seq=seq, epoch=1, loss=0.5, margin=1, lr=1, pairs_seen=1, pairs_per_s=1, wall_s=1, skipped=0
    )


def test_in_order_and_taken_once() -> None:
    box = EventBox()
    events = [progress(1), ev.Paused(step=1, seq=2), progress(3), ev.Resumed(step=3, seq=4)]
    for event in reversed(events):
        box.put(event)
    assert box.drain() == events
    assert box.drain() == []


@pytest.mark.slow
def test_nobody_reads_for_a_million_steps() -> None:
    box = EventBox()
    box.put(ev.MarginChanged(step=0, seq=0, old=1.0, new=1.1))
    points = np.zeros((4, 2), dtype=np.float32)
    for seq in range(1, 1_000_001):
        box.put(
            progress(seq) if seq % 1000 else ev.EmbeddingsReady(step=seq, seq=seq, split="t", path="", points=points)
        )
    events = box.drain()
    assert len(events) <= PROGRESS_KEPT + 2
    assert isinstance(events[0], ev.MarginChanged)
    steps = [event.step for event in events if isinstance(event, ev.Progress)]
    assert steps[-1] == 999_999
    assert steps[0] < 10_000
    assert [event.step for event in events if isinstance(event, ev.EmbeddingsReady)] == [1_000_000]


def test_of_what_is_loaded_the_newest_progress_waits_and_every_text() -> None:
    box = EventBox()
    for seq in range(1, 10_001):
        text = "reading" if seq % 5000 else "checking"
        box.put(ev.PhaseChanged(step=0, seq=seq, phase="loading", detail=text, done=seq, total=10_000))
    assert [(event.seq, event.detail) for event in box.drain()] == [
        (4999, "reading"), (5000, "checking"), (9999, "reading"), (10_000, "checking"),
    ]  # fmt: skip
    for _ in range(2):
        box.put(ev.PhaseChanged(step=0, phase="loading", detail="looking"))
    assert len(box.drain()) == 2


def test_commands_in_order_across_threads() -> None:
    box = CommandBox()
    assert box.get_nowait() is None
    assert box.get(0.001) is None
    thread = threading.Thread(target=lambda: [box.put(c) for c in (cmd.Pause(), cmd.Step())])
    thread.start()
    assert box.get() == (cmd.Pause(), "")
    thread.join()
    assert box.get_nowait() == (cmd.Step(), "")


def test_a_quick_look_does_not_take_the_place_of_a_whole_evaluation() -> None:
    box = EventBox()
    kinds = [("test", True), ("test", False), ("train", True), ("test", False)]
    for seq, (split, full) in enumerate(kinds):
        box.put(ev.EmbeddingsReady(step=seq, seq=seq, split=split, path="", full=full))
    assert [event.seq for event in box.drain()] == [0, 2, 3]

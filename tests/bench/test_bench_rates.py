"""Pace and losses from event lines, and latencies from recorded bytes, all by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from reid_tui.bench.rates import Press, equal_losses, evaluation_spans, latencies_ms, losses, pairs_per_s, shows_margin
from reid_tui.bench.terminal import Chunk
from reid_tui.runs.log import read_events
from reid_tui.training.events import AnyEvent, PhaseChanged, Progress


def progress(step: int, time: float, pairs_seen: int, loss: float = 0.1) -> Progress:
    return Progress(
        step=step,
        time=time,
        epoch=1,
        loss=loss,
        margin=1.0,
        lr=1e-3,
        pairs_seen=pairs_seen,
        pairs_per_s=0.0,
        wall_s=0.0,
        skipped=0,
    )


def test_pace_is_pairs_over_time_between_the_first_warm_step_and_the_last(tmp_path: Path) -> None:
    lines = [
        {"event": "phase_changed", "seq": 1, "time": 10.0, "step": 0, "phase": "training", "detail": ""},
        *(
            {
                "event": "progress",
                "seq": step,
                "time": time,
                "step": step,
                "epoch": 1,
                "loss": 0.5,
                "margin": 1.0,
                "lr": 0.001,
                "pairs_seen": 64 * step,
                "pairs_per_s": 1.0,
                "wall_s": 1.0,
                "skipped": 0,
            }
            for step, time in ((1, 11.0), (50, 100.0), (51, 101.0), (90, 120.0))
        ),
    ]
    log = tmp_path / "events.jsonl"
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    events = list(read_events(log))
    assert pairs_per_s(events, warm_up_steps=50) == 64 * 40 / 20
    assert losses(events) == ((1, 0.5), (50, 0.5), (51, 0.5), (90, 0.5))


def test_too_short_a_log_has_no_pace() -> None:
    with pytest.raises(ValueError, match="two are needed"):
        pairs_per_s([progress(1, 1.0, 64), progress(60, 2.0, 128)], warm_up_steps=50)
    with pytest.raises(ValueError, match="no time"):
        pairs_per_s([progress(50, 1.0, 64), progress(60, 1.0, 128)], warm_up_steps=50)


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        ([(1, 0.1), (2, 0.2)], [(1, 0.1), (2, 0.2)], 2),
        ([(1, 0.1), (2, 0.2)], [(1, 0.1), (2, math.nextafter(0.2, 1))], 1),
        ([(1, 0.1), (2, 0.2)], [(1, 0.1), (3, 0.2)], 1),
        ([(1, math.nan)], [(1, math.nan), (2, 0.3)], 1),
        ([], [(1, 0.1)], 0),
    ],
)
def test_losses_are_equal_up_to_the_first_difference(
    a: list[tuple[int, float]], b: list[tuple[int, float]], equal: int
) -> None:
    assert equal_losses(a, b) == equal


def test_a_loss_survives_the_log_bit_for_bit() -> None:
    value = 0.1 + 0.2
    assert losses([progress(1, 1.0, 64, json.loads(json.dumps(value)))]) == ((1, value),)


def test_evaluations_and_saves_have_their_spans() -> None:
    phases = [("training", 1.0), ("evaluating", 2.0), ("training", 3.5), ("saving", 5.0), ("training", 5.5)]
    events: list[AnyEvent] = [PhaseChanged(step=1, time=time, phase=phase) for phase, time in phases]  # type: ignore[arg-type]
    assert list(evaluation_spans(events)) == [(2.0, 3.5), (5.0, 5.5)]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("margin      1.05", True),
        ("│ Margin 1.00 → 1.05 │", True),
        ("margin 1.055", False),
        ("margin 11.05", False),
        ("margin 1.00   d' 1.05", False),
        ("loss 1.05", False),
    ],
)
def test_the_margin_is_told_from_other_numbers(line: str, shown: bool) -> None:
    assert shows_margin(line, 1.05) == shown


def test_latency_is_from_the_key_to_the_bytes_that_complete_the_new_text() -> None:
    chunks = [
        Chunk(1.0, b"\x1b[2J\x1b[3;5Hmargin \x1b[1m1.00\x1b[0m"),
        Chunk(2.10, b"\x1b[1;1Hstep 7"),
        Chunk(2.15, b"\x1b[3;12H\x1b[1m1.0"),
        Chunk(2.20, b"5\x1b[0m"),
        Chunk(3.30, b"\x1b[3;12H1.10"),
    ]
    presses = [Press(2.0, 1.05), Press(3.0, 1.10), Press(3.2, 1.15)]
    found = latencies_ms(chunks, presses, 40, 5)
    assert found[:2] == [pytest.approx(200), pytest.approx(300)]
    assert found[2] is None

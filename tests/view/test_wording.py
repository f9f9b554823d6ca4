"""What each event reads like in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reid_tui.training.events import (
    CheckpointSaved,
    CommandRefused,
    Diverged,
    EpochEnded,
    Failed,
    Finished,
    LrChanged,
    MarginChanged,
    Paused,
    PhaseChanged,
    Resumed,
    Stopped,
    Warned,
)
from reid_tui.view.fold import fold
from reid_tui.view.run_state import RunState
from reid_tui.view.wording import device_text
from tests.view.samples import evaluated, progress, started

if TYPE_CHECKING:
    from reid_tui.training.events import AnyEvent


def after(*events: AnyEvent) -> RunState:
    return fold(RunState(), events)


def test_log_tells_everything_but_steps() -> None:
    state = after(
        PhaseChanged(step=0, phase="loading", detail="reading fashion-mnist"),
        started(),
        progress(1),
        EpochEnded(step=938, epoch=1, loss=0.0969, wall_s=75.0),
        evaluated(938),
        MarginChanged(step=940, old=1.0, new=1.1),
        LrChanged(step=941, old=1e-3, new=5e-4),
        CheckpointSaved(step=942, path="checkpoints/step-00000942.safetensors", seconds=0.034, reason="asked"),
        CommandRefused(step=943, command="set_margin", reason="margin must be a number"),
        Warned(step=944, code="save_failed", message="disk full"),
        PhaseChanged(step=944, phase="saving"),
        Paused(step=945),
        Resumed(step=945),
        Diverged(step=950, reason="three steps", checkpoint="checkpoints/x"),
        Finished(step=951, reason="steps", steps=951, wall_s=80.0, loss=0.06),
        Stopped(step=951, reason="SIGINT", saved=True),
        Failed(step=951, message="it broke"),
    )
    assert [(line.step, line.kind, line.text) for line in state.log] == [
        (0, "phase", "reading fashion-mnist"),
        (
            0,
            "run",
            "started 20261123-101500-calm: fashion-mnist (found in /data), "
            "315,010 parameters on cpu in fp32, 4,690 steps",
        ),
        (938, "epoch", "epoch 1 done, mean loss 0.0969, 1 min 15 s trained"),
        (938, "scores", "test: rank-1 0.800  mAP 0.750  AUC 0.970  EER 0.080  d\u2032 2.50  on 2,000 images"),
        (940, "margin", "margin 1.00 → 1.10"),
        (941, "lr", "learning rate 0.001 → 5e-4"),
        (942, "saved", "saved checkpoints/step-00000942.safetensors in 0.03 s (asked)"),
        (943, "refused", "set margin refused: margin must be a number"),
        (944, "warning", "disk full"),
        (945, "paused", "paused"),
        (945, "resumed", "resumed"),
        (950, "error", "diverged: three steps; last good checkpoint checkpoints/x"),
        (951, "end", "finished after 951 steps in 1 min 20 s, last epoch's mean loss 0.0600"),
        (951, "end", "stopped by SIGINT, saved"),
        (951, "error", "failed: it broke"),
    ]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "2,000 images"),
        ({"protocol": "leave-one-out", "queries": 2000, "gallery": 2000}, "2,000 images, leave-one-out"),
        (
            {"protocol": "leave-one-out", "queries": 1990, "queries_without_match": 10, "gallery": 2000},
            "2,000 images, leave-one-out, 10 queries without a match",
        ),
        (
            {"protocol": "query and gallery", "queries": 500, "gallery": 1500},
            "500 queries in 1,500 images, query and gallery",
        ),
        ({"protocol": "\x1b[2J"}, "2,000 images, \ufffd[2J"),
    ],
)
def test_the_protocol_stands_beside_the_scores(fields: dict[str, Any], words: str) -> None:
    (line,) = after(evaluated(1, **fields)).log
    assert line.text.endswith(f"  on {words}")


def test_several_processes_stand_before_the_device() -> None:
    assert device_text(started(device="cpu")) == "cpu"
    assert device_text(started(device="cuda:0 NVIDIA H100", processes=4)) == "4 x cuda:0 NVIDIA H100"

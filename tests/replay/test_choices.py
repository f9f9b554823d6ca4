"""What a run found out about its machine stays with it: in a resume, and where it is repeated."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from reid_tui.config import RunConfig
from reid_tui.runs.directory import locate_run
from reid_tui.training import commands as cmd
from reid_tui.training import events as ev
from reid_tui.view.wording import log_line
from tests.replay.orders import Say, go, told


def said(event: ev.AnyEvent) -> str:
    line = log_line(event)
    assert line is not None
    return line.text


def test_the_precision_that_was_timed_stays_that_of_the_run(
    tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed = []

    def choose(config: RunConfig, *_: Any) -> RunConfig:
        timed.append(config.precision)
        return dataclasses.replace(config, precision="bf16", precision_gain=1.5, precision_why="2 pairs took 3 ms")

    monkeypatch.setattr("reid_tui.training.precision.with_fastest_precision", choose)
    go(tmp_path, {5: [cmd.Stop()]}, precision="auto", epochs=1)
    assert isinstance(go(tmp_path, {}, resume="run", precision="auto"), ev.Finished)
    assert say()[0] == 0
    assert timed == ["auto"]
    content = json.loads((locate_run("run", tmp_path) / "config.json").read_text())
    assert content["config"]["precision_why"] == "2 pairs took 3 ms"
    for run, starts in (("run", 2), ("run-replay", 1)):
        events = told(tmp_path, run, ev.RunStarted)
        assert [(event.precision, event.config.precision_gain) for event in events] == [("bf16", 1.5)] * starts
        assert "bf16 chosen, 1.5 times as fast as fp32: 2 pairs took 3 ms" in said(events[0])


def test_without_auto_nothing_is_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reid_tui.training.precision.with_fastest_precision", None)
    go(tmp_path, {}, steps=2)
    (event,) = told(tmp_path, "run", ev.RunStarted)
    assert (event.precision, event.config.precision_why) == ("fp32", "")
    assert "chosen" not in said(event)


@pytest.mark.slow
def test_a_compiler_that_did_not_pay_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def left_off(config: RunConfig, *_: Any) -> RunConfig:
        tried.append(config.compile)
        return dataclasses.replace(config, compile=False, compile_why="not compiled: 3 ms a step, 2 without")

    monkeypatch.setattr("reid_tui.training.compiling.compiled_where_it_pays", left_off)
    go(tmp_path, {5: [cmd.Stop()]}, compile=True, epochs=1)
    assert isinstance(go(tmp_path, {}, resume="run", compile=True), ev.Finished)
    assert tried == [True]
    assert "; not compiled: 3 ms a step, 2 without" in said(told(tmp_path, "run", ev.RunStarted)[1])
    refused = go(tmp_path, {}, name="other", epochs=1)
    assert isinstance(refused, ev.Finished)
    assert isinstance(go(tmp_path, {}, resume="other", compile=True, epochs=2), ev.Failed)

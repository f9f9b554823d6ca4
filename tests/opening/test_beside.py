"""Data and torch at once: neither waits for the other, and what is wrong with one is told while the other goes on."""

from __future__ import annotations

import contextlib
import gc
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from reid_tui.config import RunOptions
from reid_tui.data import catalog
from reid_tui.data.dataset import Dataset
from reid_tui.engine import run_training
from reid_tui.errors import DataError, UsageError
from reid_tui.opening import beside
from reid_tui.opening.beside import data_and_device, uncollected
from reid_tui.opening.loading import Loading
from reid_tui.training import events as ev
from reid_tui.training.channels import CommandBox

PATIENCE_S = 20


@pytest.fixture
def told() -> list[ev.AnyEvent]:
    return []


@pytest.fixture
def loading(told: list[ev.AnyEvent]) -> Iterator[Loading]:
    with contextlib.ExitStack() as resources:
        yield Loading(told.append, CommandBox(), resources)


def test_the_data_is_opened_while_torch_is_imported(
    loading: Loading, told: list[ev.AnyEvent], tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, asked = threading.Event(), threading.Event()

    def picked(name: str, _: Loading) -> torch.device:
        assert opened.wait(PATIENCE_S)
        assert asked.wait(PATIENCE_S)
        return torch.device(name)

    def load(*_: object) -> Dataset:
        opened.set()
        return tiny

    def emit(event: ev.AnyEvent) -> None:
        told.append(event)
        if isinstance(event, ev.PhaseChanged) and event.detail == "waiting for torch":
            asked.set()

    monkeypatch.setattr(beside, "_picked", picked)
    monkeypatch.setattr(catalog, "load", load)
    waiting = Loading(emit, loading.inbox, loading.resources)
    assert data_and_device(RunOptions(device="cpu"), waiting) == (tiny, torch.device("cpu"))
    assert [event.detail for event in told if isinstance(event, ev.PhaseChanged)] == [
        "looking for the data",
        "waiting for torch",
    ]
    assert set(waiting.took) == {"data", "waiting for torch"}


def test_a_device_that_is_not_there_is_told_before_all_pictures_are_read(
    loading: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    refused = threading.Event()

    def load(_: object, report: catalog.Report) -> Dataset:
        for _ in range(PATIENCE_S * 100):
            report("reading")
            refused.wait(0.01)
        raise AssertionError("read to the end")

    monkeypatch.setattr(catalog, "load", load)
    with pytest.raises(UsageError, match="finds no CUDA device"):
        data_and_device(RunOptions(device="cuda"), loading)


def test_data_that_is_not_there_does_not_wait_for_torch(loading: Loading, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(beside, "_picked", lambda *_: over.wait(PATIENCE_S))
    with pytest.raises(DataError, match="must be one of"):
        data_and_device(RunOptions(data="nowhere"), loading)
    over.set()


@pytest.mark.parametrize("was_on", [True, False])
@pytest.mark.parametrize("new", [True, False])
def test_an_import_is_not_held_up_by_collections_nor_gone_over_later(
    was_on: bool, new: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    switched: list[str] = []
    monkeypatch.setattr(gc, "isenabled", lambda: was_on)
    for name in ("disable", "freeze", "enable"):
        monkeypatch.setattr(gc, name, lambda name=name: switched.append(name))
    with contextlib.suppress(ImportError), uncollected():
        assert switched == ["disable"]
        if new:
            monkeypatch.setitem(sys.modules, "imported_just_now", sys)
        raise ImportError
    assert switched == ["disable"] + ["freeze"] * new + ["enable"] * was_on


def test_the_log_of_a_run_says_how_long_each_part_of_its_start_took(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "load", lambda *_: tiny)
    options = RunOptions(device="cpu", runs_dir=str(tmp_path), steps=1, batch_size=16)
    assert isinstance(run_training(options, lambda _: None, CommandBox(), steerable=False), ev.Finished)
    (log,) = tmp_path.glob("*-tiny/run.log")
    line = next(line for line in log.read_text().splitlines() if "until training begins" in line)
    assert all(re.search(rf"[:,] {part} \d", line) for part in ("data", "torch", "waiting for torch", "network"))

"""Tests on a real CUDA device. They are left out unless `-m` names them, and run one by one: some fill the card."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reid_tui.data import catalog
from reid_tui.data.dataset import Dataset

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave them out of a run that does not ask for them."""
    if "gpu" in config.getoption("markexpr"):
        return
    ours = [item for item in items if item.path.parent == HERE]
    if ours:
        items[:] = [item for item in items if item.path.parent != HERE]
        config.hook.pytest_deselected(items=ours)


@pytest.fixture(scope="session", autouse=True)
def cuda() -> torch.device:
    """The first CUDA device; without one every test skips."""
    if not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device here")
    return torch.device("cuda:0")


@pytest.fixture
def tiny_data(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Whatever is asked for, the small data is found."""
    monkeypatch.setattr(catalog, "load", lambda *_: tiny)
    return tiny

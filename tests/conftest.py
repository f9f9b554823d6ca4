"""Small data for tests of the loop, and the switch that turns a skip for a missing tool into a failure."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from reid_tui.config import DataOptions, RunConfig, RunOptions, resolve
from reid_tui.data import catalog
from reid_tui.data.dataset import Dataset, ImageSet, fingerprint
from reid_tui.errors import DataError

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny batches: more threads only wait for each other

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each process would compile torch anew, for seconds
os.environ["XDG_STATE_HOME"] = os.devnull  # what a person chose is neither read nor changed
for _name in ("COLUMNS", "LINES", "REID_TUI_THEME"):
    os.environ.pop(_name, None)  # a worker of pytest-xdist has them, and whoever has them is deaf to a terminal's size

REQUIRE_REAL = "REID_TUI_REQUIRE_REAL"
IDENTITIES = 6


@pytest.fixture(autouse=True, scope="session")
def _no_cache_of_a_person(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nor is what a person has kept of pictures; each process of the tests has its own."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


def miss(reason: str) -> NoReturn:
    """Skip, or fail where everything is promised to be there."""
    if os.environ.get(REQUIRE_REAL) == "1":
        pytest.fail(f"{reason}, although {REQUIRE_REAL}=1")
    pytest.skip(reason)


def fashion_mnist_is_here() -> bool:
    """Whether the real files are on this machine; nothing is fetched for a test."""

    def no_network(url: str, timeout_s: float) -> NoReturn:
        raise OSError(f"{url} is not asked by tests")

    try:
        catalog.load(DataOptions(data="fashion-mnist"), lambda *_: None, opener=no_network)
    except DataError:
        return False
    return True


def ends_within(pid: int, seconds: float) -> bool:
    """Whether a process that is not our child ends in time; a zombie has ended."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)


def _images(templates: np.ndarray, each: int, rng: np.random.Generator) -> ImageSet:
    identities = np.repeat(np.arange(len(templates)), each).astype(np.int64)
    noise = rng.normal(0, 40, size=(len(identities), 1, 28, 28))
    images = np.clip(templates[identities] + noise, 0, 255).astype(np.uint8)
    order = rng.permutation(len(identities))
    return ImageSet(np.ascontiguousarray(images[order]), identities[order])


def tiny_dataset() -> Dataset:
    """Six noisy patterns: 120 training and 60 test images of 28x28."""
    rng = np.random.default_rng(7)
    templates = rng.integers(0, 256, size=(IDENTITIES, 1, 28, 28)).astype(np.float64)
    train, test = _images(templates, 20, rng), _images(templates, 10, rng)
    names = tuple(f"pattern {i}" for i in range(IDENTITIES))
    return Dataset(
        "tiny", train, test, names, names, "made for tests", unseen=False, fingerprint=fingerprint(train, test)
    )


@pytest.fixture(scope="session")
def tiny() -> Dataset:
    """The same for every test."""
    return tiny_dataset()


@pytest.fixture
def tiny_config() -> RunConfig:
    """Eight steps an epoch, three epochs."""
    settled = resolve(RunOptions(epochs=3, batch_size=16, seed=3), "fashion-mnist", IDENTITIES)
    return dataclasses.replace(settled, data="tiny", eval_images=40)

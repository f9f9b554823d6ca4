"""One small trained run, and pictures of people whom it never saw, made once and shared by all workers."""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reid_tui.config import DataOptions, RunOptions
from reid_tui.data import catalog
from reid_tui.data.dataset import Dataset
from reid_tui.engine import run_training
from reid_tui.training.channels import CommandBox
from reid_tui.training.events import Finished
from reid_tui.training.manifest import encode
from reid_tui.training.saved import manifests
from reid_tui.using.export import export
from reid_tui.using.model import Model, open_model
from tests.opening.rig import begin

STEPS = 40
PEOPLE, EACH = 6, 4


def snapshot(folder: Path) -> dict[str, tuple[bytes | None, int]]:
    """All that is in a folder, itself and hidden files too: by name content and time of change."""
    paths = [folder, *folder.rglob("*")]
    return {
        str(path.relative_to(folder)): (path.read_bytes() if path.is_file() else None, path.lstat().st_mtime_ns)
        for path in paths
    }


def without_card(run: Path, **changed: Any) -> None:
    """As an older version wrote it."""
    for path in manifests(run / "checkpoints"):
        value = json.loads(path.read_bytes())
        del value["digest"], value["card"]
        path.write_bytes(encode(value))
    told = json.loads((run / "config.json").read_bytes())
    (run / "config.json").write_text(json.dumps({**told, "dataset": {**told["dataset"], **changed}}))


def _train(runs: Path, dataset: Dataset) -> None:
    options = RunOptions(
        data="pedestrians", steps=STEPS, batch_size=16, seed=1, eval_every=100, device="cpu", runs_dir=str(runs)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(catalog.LOADERS, "pedestrians", lambda _: dataset)  # drawing takes longer than training
        end = run_training(options, lambda _: None, CommandBox(), steerable=False)
    assert isinstance(end, Finished), end


def _draw(people: Path, dataset: Dataset) -> None:
    """Folders of identities with PNG files, as `folder:` reads them."""
    test = dataset.test
    for identity in range(PEOPLE):
        folder = people / f"person-{identity}"
        folder.mkdir(parents=True)
        for number, row in enumerate(np.flatnonzero(test.identities == identity)[::4][:EACH]):
            camera = 0 if test.cameras is None else int(test.cameras[row])
            pixels = test.take(np.array([row]))[0].transpose(1, 2, 0)
            Image.fromarray(np.ascontiguousarray(pixels)).save(folder / f"c{camera + 1}_{number}.png")


@pytest.fixture(scope="session")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all workers."""
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if base.name.startswith("popen-") else base) / "using"
    place.mkdir(exist_ok=True)
    return place


@contextlib.contextmanager
def _once(place: Path, *parts: str) -> Iterator[bool]:
    """Whether parts are to be made: the first worker makes them, the others wait."""
    done = place / f"done-{parts[0]}"
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if missing := not done.exists():
            for part in parts:  # of a worker that failed
                shutil.rmtree(place / part, ignore_errors=True)
        yield missing
        done.touch()


@pytest.fixture(scope="session")
def pedestrians() -> Dataset:
    """Drawn once by each worker that asks for it."""
    return catalog.load(DataOptions(data="pedestrians"), lambda *_: None)


@pytest.fixture(scope="session")
def _made_once(_shared: Path, request: pytest.FixtureRequest) -> Path:
    with _once(_shared, "runs", "people") as missing:
        if missing:
            dataset = request.getfixturevalue("pedestrians")
            _train(_shared / "runs", dataset)
            _draw(_shared / "people", dataset)
    return _shared


@pytest.fixture(scope="session")
def trained_run(_made_once: Path) -> Path:
    """The folder of a finished run on `pedestrians`, in a runs folder of its own. Not to be changed: see `own_run`."""
    (run,) = (_made_once / "runs").iterdir()
    return run


@pytest.fixture
def own_run(trained_run: Path, tmp_path: Path) -> Path:
    """A copy that a test may change, alone in `tmp_path / "runs"`."""
    return shutil.copytree(trained_run, tmp_path / "runs" / trained_run.name)


@pytest.fixture(scope="session")
def people(_made_once: Path) -> Path:
    """A folder of `PEOPLE` folders of `EACH` pictures, of identities that the run never saw. Not to be changed."""
    return _made_once / "people"


@pytest.fixture(scope="session")
def trained_model(trained_run: Path) -> Model:
    """The run's network, opened once."""
    return open_model(str(trained_run), trained_run.parent)


@pytest.fixture(scope="session")
def exported_onnx(_shared: Path, trained_run: Path) -> Path:
    """The run's network as `m.onnx`, made once. Not to be changed."""
    with _once(_shared, "exported") as missing:
        if missing:
            (_shared / "exported").mkdir()
            before = snapshot(trained_run)
            export(str(trained_run), _shared / "exported" / "m.onnx", trained_run.parent)
            assert snapshot(trained_run) == before
    return _shared / "exported" / "m.onnx"


@pytest.fixture(scope="session")
def tiny_runs(tiny: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two short runs on small data, one of them with averaged weights."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reid_tui.data.catalog.load", lambda *_, **__: tiny)
        begin(folder, epochs=3, name="plain")
        begin(folder, epochs=1, name="averaged", average_weights=0.9)
    return folder


@pytest.fixture
def run(tiny_runs: Path, tmp_path: Path) -> Path:
    """A copy of the plain one, alone in its runs folder."""
    (found,) = tiny_runs.glob("*-plain")
    return shutil.copytree(found, tmp_path / "runs" / found.name)

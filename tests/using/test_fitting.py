"""A run without a threshold gets one from its data, if that is there."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from reid_tui.data.dataset import Dataset, ImageSet
from reid_tui.errors import DataError, ReidTuiError
from reid_tui.training.manifest import read_manifest
from reid_tui.training.saved import manifests
from reid_tui.using.model import Model, open_model
from reid_tui.using.torch_fitting import dataset_of
from tests.using.conftest import snapshot, without_card


@pytest.fixture
def older(run: Path) -> Model:
    """Of a run that knows no threshold yet."""
    without_card(run)
    return open_model(str(run), run.parent)


def data_is(found: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reid_tui.data.catalog.load", lambda *_, **__: found)


@pytest.mark.slow
def test_it_is_fitted_as_the_runs_own_evaluation_fits(
    run: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = open_model(str(run), run.parent).card.fitted
    assert expected is not None
    without_card(run)
    data_is(tiny, monkeypatch)
    before = snapshot(run)
    model = open_model(str(run), run.parent)
    told: list[str] = []
    assert model.fitted(lambda text, *_: told.append(text)) == expected
    assert told == ["fitting thresholds"]
    assert model.fitted() is model.fitted()
    assert snapshot(run) == before


def test_data_that_is_gone(older: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object, **__: object) -> NoReturn:
        raise DataError("the folder is gone; put it back")

    monkeypatch.setattr("reid_tui.data.catalog.load", gone)
    with pytest.raises(ReidTuiError) as error:
        older.fitted()
    assert str(error.value) == (
        f"{older.name} has no threshold, and none can be fitted: the data of the run cannot be had: "
        "the folder is gone; put it back"
    )
    assert error.value.exit_code == 2


def test_nothing_is_fetched(run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The run's data is a public set that is not on this machine."""

    def asked(url: str, timeout_s: float) -> NoReturn:
        pytest.fail(f"{url} was asked")

    monkeypatch.setattr("reid_tui.data.idx.download.open_https", asked)
    monkeypatch.setattr("reid_tui.data.idx.locate.user_folder", lambda: [])
    monkeypatch.setenv("REID_TUI_DATA", str(tmp_path))
    manifest = read_manifest(manifests(run / "checkpoints")[0])
    other = dataclasses.replace(manifest, config=dataclasses.replace(manifest.config, data="kmnist"))
    with pytest.raises(ReidTuiError, match="cannot be had"):
        dataset_of(other, lambda *_: None)


def test_data_that_has_changed(older: Model, tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    data_is(dataclasses.replace(tiny, fingerprint="0" * 64), monkeypatch)
    with pytest.raises(ReidTuiError, match="the data of tiny changed since the run"):
        older.fitted()


def test_data_without_pairs(older: Model, tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    one = np.flatnonzero(tiny.test.identities == 0)
    lonely = ImageSet(np.ascontiguousarray(tiny.test.images[one]), tiny.test.identities[one])
    data_is(dataclasses.replace(tiny, test=lonely), monkeypatch)
    with pytest.raises(ReidTuiError, match="has no threshold: its test images form no pairs"):
        older.fitted()

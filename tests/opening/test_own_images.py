"""Runs on a person's own images: what is kept of how they were divided, and where they may lie on a resume."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from reid_tui.training import events as ev
from tests.data.folders.people_files import put
from tests.opening.rig import begin


@pytest.fixture
def crops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten people, six noisy pictures each, two of whom share one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    random = np.random.default_rng(1)
    for person in range(10):
        own = random.integers(0, 200, (1, 20, 20))
        for number in range(6):
            put(
                tmp_path / "crops" / f"p{person}" / f"{number}.png",
                (own + random.integers(0, 50, own.shape)).astype("u1"),
            )
    (tmp_path / "crops" / "p1" / "6.png").write_bytes((tmp_path / "crops" / "p0" / "0.png").read_bytes())
    return tmp_path / "crops"


def config_of(runs: Path) -> dict[str, object]:
    (path,) = runs.glob("*/config.json")
    found: dict[str, object] = json.loads(path.read_text())
    return found


def test_who_was_held_out_is_kept_and_what_is_grave_is_told_at_the_start(crops: Path, tmp_path: Path) -> None:
    told = begin(tmp_path / "runs", data=str(crops), holdout="3", epochs=1)
    assert isinstance(told[-1], ev.Finished)
    kept = config_of(tmp_path / "runs")
    assert kept["config"]["data"] == f"folder:{crops}"  # type: ignore[index]
    assert kept["config"]["image_size"] == "20x20"  # type: ignore[index]
    held, validating = kept["dataset"]["held_out"], kept["dataset"]["validating"]  # type: ignore[index]
    assert (len(held), len(validating), len({*held, *validating})) == (3, 2, 5)
    (warned,) = (event for event in told if isinstance(event, ev.Warned))
    assert warned.code == "data_same_under_two_identities"
    assert "p0/0.png = p1/6.png" in warned.message
    splits = [event.split for event in told if isinstance(event, ev.Evaluated)]
    assert set(splits) == {"unseen", "validation"}
    assert splits[-1] == "unseen"


def test_a_resume_takes_the_same_people_wherever_they_lie(crops: Path, tmp_path: Path) -> None:
    whole = begin(tmp_path / "a", data=str(crops), epochs=3)
    begin(tmp_path / "b", data=str(crops), epochs=3, stop_at=3)
    elsewhere = crops.rename(tmp_path / "moved")
    lost = begin(tmp_path / "b", resume="latest")
    assert isinstance(lost[-1], ev.Failed)
    assert lost[-1].exit_code == 2
    assert "cannot be found" in lost[-1].message
    rest = begin(tmp_path / "b", resume="latest", data=str(elsewhere))
    losses = {event.step: event.loss for event in rest if isinstance(event, ev.Progress)}
    assert losses == {e.step: e.loss for e in whole if isinstance(e, ev.Progress) and e.step > 3}
    assert config_of(tmp_path / "b")["config"]["data"] == f"folder:{elsewhere}"  # type: ignore[index]


def test_a_resume_on_other_pictures_is_refused(crops: Path, tmp_path: Path) -> None:
    begin(tmp_path / "runs", data=str(crops), epochs=3, stop_at=3)
    put(crops / "p5" / "7.png", np.zeros((1, 20, 20), "u1"))
    told = begin(tmp_path / "runs", resume="latest")
    assert isinstance(told[-1], ev.Failed)
    assert "changed since the run" in told[-1].message

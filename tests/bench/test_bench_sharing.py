"""Trainings side by side: every setting against none, and a training that fails."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reid_tui.bench import sharing
from reid_tui.bench.processes import Setup
from reid_tui.bench.sharing import SETTINGS, measure_sharing
from reid_tui.errors import ReidTuiError

TRAINS = """
import json, os, sys
from pathlib import Path
run = Path(sys.argv[sys.argv.index("--runs-dir") + 1]) / "run"
run.mkdir(parents=True)
pace = {"1": 60, "": 100}[os.environ.get("OMP_NUM_THREADS", "")] / (3 if "sharing-0-2" in str(run) else 1)
step = dict(event="progress", epoch=1, loss=0.1, margin=1.0, lr=1e-3, wall_s=1.0, skipped=0, pairs_per_s=1.0)
steps = [dict(step, seq=n, time=n / pace, step=n, pairs_seen=n * 64) for n in range(1, 100)]
(run / "events.jsonl").write_text("".join(json.dumps(line) + "\\n" for line in steps))
"""


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    told: list[str] = []
    return Setup(rounds=1, steps=100, data="pedestrians", data_dir=None, folder=tmp_path, talk=told.append)


def test_every_setting_is_held_against_none(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "REID_TUI", (sys.executable, "-c", TRAINS))
    results = list(measure_sharing(setup))
    assert [result.a.label for result in results] == 2 * list(SETTINGS[1:])
    assert [result.what for result in results] == 4 * ["a training alone"] + 4 * ["each of two trainings at once"]
    ratios = [ratio for result in results for ratio in result.ratios()]
    assert ratios == pytest.approx(2 * [1, 1, 1, 0.6])
    assert [result.met for result in results] == 2 * [True, True, True, False]
    alone, both = (results[place].b for place in (0, 4))
    assert alone is not None
    assert both is not None
    assert alone.values[0] == pytest.approx(3 * both.values[0])


def test_a_training_that_fails_is_told(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "REID_TUI", (sys.executable, "-c", "raise SystemExit(3)"))
    with pytest.raises(ReidTuiError, match="exit code 3"):
        next(measure_sharing(setup))

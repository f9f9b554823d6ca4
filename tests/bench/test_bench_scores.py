"""A process scores embeddings, and its seconds become a result."""

from __future__ import annotations

from pathlib import Path

import pytest

from reid_tui.bench import scores
from reid_tui.bench.processes import Setup


def test_the_median_is_held_against_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "run", lambda command, _: ("[1.0, 9.0, 1.1]", "") if command[-1] == "3" else ("", ""))
    setup = Setup(rounds=3, steps=1, data="auto", data_dir=None, folder=tmp_path, talk=lambda _: None)
    (result,) = scores.measure_scores(setup)
    assert result.a.values == (1.0, 9.0, 1.1)
    assert result.met


def test_each_round_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "IMAGES", 200)
    assert len(scores.seconds_of(2)) == 2
